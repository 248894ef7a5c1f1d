//! Revocations: the leader tells everyone and counts who has confirmed, the member confirms once it is so.

use crate::scene::{
    LEADER, Scene, address, answer, asked_to_host, facts, image, leading, next_start, node, refused, registered,
    request, send, spec,
};
use odeon::NodeRef;
use odeon_convention::leader::{
    Answer, Confirmations, Effect as LeaderEffect, ImageState, Input as LeaderInput, Operation,
};
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::record::Record;
use odeon_convention::types::{
    CheckVerdict, CreateOutcome, CreateSpec, ImageApproval, NodeFacts, Placement, SourceHash,
};
use odeon_convention::wire::{PlaceOutcome, Revoked, RevokedImage, ToLeader, ToMember, decode, encode};
use odeon_convention::{codes, limits};

fn hash(n: u8) -> SourceHash {
    SourceHash([n; 32])
}

fn revocation(n: u8, end: bool) -> Operation {
    let image = RevokedImage { hash: hash(n), end };
    Operation::RevokeImage { image, reason: "it leaks".to_owned(), by: "a test".to_owned() }
}

fn told(since: u64, upto: u64, images: &[(u8, bool)]) -> ToMember {
    let images = images.iter().map(|(n, end)| RevokedImage { hash: hash(*n), end: *end }).collect();
    ToMember::ImagesRevoked { revoked: Revoked { since, upto, images }, confirm_within_ms: 0 }
}

fn hello(n: u8) -> CreateSpec {
    CreateSpec { actor: "Hello".to_owned(), image: Some(hash(n)), ..spec() }
}

// The leader.

fn approve(scene: &mut Scene, n: u8) -> Vec<LeaderEffect> {
    scene.operate(Operation::JudgeImage {
        image: image(n, "1.0.0"),
        approved: true,
        by: "keyring".to_owned(),
        approval: ImageApproval::default(),
    })
}

fn able(n: u8) -> NodeFacts {
    facts(n, &[("db", true.into())])
}

fn holding(n: u8, images: &[u8]) -> NodeFacts {
    NodeFacts { images: images.iter().map(|n| hash(*n)).collect(), ..able(n) }
}

fn confirm(scene: &mut Scene, from: NodeRef, upto: u64, dropped: &[u8]) -> Vec<LeaderEffect> {
    scene.say(from, ToLeader::RevocationsDone { upto, dropped: dropped.iter().map(|n| hash(*n)).collect() })
}

fn confirmations(scene: &mut Scene, n: u8) -> (u32, Vec<NodeRef>) {
    match scene.operate(Operation::Confirmations { hash: hash(n) }).pop() {
        Some(LeaderEffect::Answer {
            answer: Answer::Confirmations(Confirmations { confirmed, unconfirmed }), ..
        }) => (confirmed, unconfirmed),
        other => panic!("{other:?}"),
    }
}

/// What a member is told when it registers.
fn welcomed_with(effects: &[LeaderEffect]) -> Revoked {
    let revoked = effects.iter().find_map(|effect| match effect {
        LeaderEffect::Send { message: ToMember::Registered { revoked, .. }, .. } => Some(revoked.clone()),
        _ => None,
    });
    revoked.expect("it registered")
}

/// The code with which a creation was refused.
fn not_created(effects: &[LeaderEffect]) -> Option<u16> {
    effects.iter().find_map(|effect| match effect {
        LeaderEffect::Send { message: ToMember::Created { outcome, .. }, .. } => match **outcome {
            CreateOutcome::Refused { code, .. } => Some(code),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn every_member_is_told_once_the_revocation_is_durable_and_who_confirms_is_counted() {
    let mut scene = Scene::with(&[able(1), able(2), able(3)]);
    approve(&mut scene, 7);
    scene.say(node(2), ToLeader::ImageHeld { hash: hash(7), held: true });
    let revoke = LeaderInput::Operation { ticket: 1, operation: revocation(7, true) };
    assert_eq!(scene.give_uncommitted(revoke), [], "nobody hears of what a crash could take back");
    let mut expected = vec![answer(Answer::Done)];
    expected.extend((1..=3).map(|n| send(node(n), told(0, 1, &[(7, true)]))));
    assert_eq!(scene.commit(), expected);
    let (reason, by) = ("it leaks".to_owned(), "a test".to_owned());
    assert_eq!(scene.ledger.last(), Some(&Record::ImageRevoked { hash: hash(7), end: true, reason, by }));

    let shown = &scene.leader.images()[0];
    assert_eq!((shown.state, shown.by.as_str(), shown.nodes), (ImageState::Revoked, "a test: it leaks", 1));
    assert_eq!((shown.image.name.as_str(), shown.image.version.as_str()), ("hello", "1.0.0"));
    assert_eq!(confirmations(&mut scene, 7), (0, vec![node(1), node(2), node(3)]));
    assert_eq!(confirm(&mut scene, node(1), 1, &[]), []);
    assert_eq!(confirm(&mut scene, node(2), 1, &[7]), []);
    assert_eq!(confirmations(&mut scene, 7), (2, vec![node(3)]));
    assert_eq!(scene.leader.images()[0].nodes, 0, "its bytes are gone");
    confirm(&mut scene, node(3), 1, &[]);
    assert_eq!(confirmations(&mut scene, 7), (3, vec![]));
    assert_eq!(refused(&scene.operate(Operation::Confirmations { hash: hash(8) })), Some(codes::IMAGE_UNKNOWN));
}

#[test]
fn a_revocation_is_final() {
    let mut scene = Scene::with(&[able(1)]);
    approve(&mut scene, 7);
    scene.operate(revocation(7, false));
    let records = scene.ledger.len();
    assert_eq!(refused(&approve(&mut scene, 7)), Some(codes::IMAGE_REVOKED), "the same bytes again");
    let rejected = Operation::JudgeImage {
        image: image(7, "1.0.0"),
        approved: false,
        by: String::new(),
        approval: ImageApproval::default(),
    };
    assert_eq!(refused(&scene.operate(rejected)), Some(codes::IMAGE_REVOKED));
    assert_eq!(refused(&scene.operate(Operation::UnloadImage { hash: hash(7) })), Some(codes::IMAGE_REVOKED));
    assert_eq!(scene.operate(revocation(7, false)), [answer(Answer::Done)], "asked again it is done");
    assert_eq!(scene.ledger.len(), records);
    let mut scene = scene.crash();
    assert_eq!(refused(&approve(&mut scene, 7)), Some(codes::IMAGE_REVOKED), "by every later leader");
    assert_eq!(scene.leader.images()[0].state, ImageState::Revoked);
}

#[test]
fn an_image_that_is_not_known_can_be_revoked_before_anybody_pushes_it() {
    let mut scene = Scene::of(1);
    assert_eq!(scene.operate(revocation(9, false)), [answer(Answer::Done), send(node(1), told(0, 1, &[(9, false)]))]);
    assert_eq!(refused(&approve(&mut scene, 9)), Some(codes::IMAGE_REVOKED));
    assert_eq!((scene.leader.images()[0].image.hash, scene.leader.images()[0].state), (hash(9), ImageState::Revoked));
}

#[test]
fn that_its_actors_end_can_be_added_and_is_confirmed_anew() {
    let mut scene = Scene::of(1);
    approve(&mut scene, 7);
    scene.operate(revocation(7, false));
    confirm(&mut scene, node(1), 1, &[]);
    assert_eq!(confirmations(&mut scene, 7), (1, vec![]));
    assert_eq!(scene.operate(revocation(7, true)), [answer(Answer::Done), send(node(1), told(1, 2, &[(7, true)]))]);
    assert_eq!(confirmations(&mut scene, 7), (0, vec![node(1)]));
    assert_eq!(scene.operate(revocation(7, false)), [answer(Answer::Done)], "it stays with that");
    confirm(&mut scene, node(1), 2, &[]);
    assert_eq!(confirmations(&mut scene, 7), (1, vec![]));
}

#[test]
fn revocations_while_a_round_of_words_is_under_way_are_one_word_to_each_in_the_next() {
    let mut scene = Scene::of(2);
    scene.flushes = false;
    let first = scene.operate(revocation(1, false));
    assert_eq!(first.iter().filter(|e| matches!(e, LeaderEffect::Send { .. })).count(), 2, "{first:?}");
    for n in 2..=4 {
        assert_eq!(scene.operate(revocation(n, n == 3)), [answer(Answer::Done)]);
    }
    let word = told(1, 4, &[(2, false), (3, true), (4, false)]);
    let sent = scene.give(LeaderInput::Flushed);
    assert_eq!(sent, [send(node(1), word.clone()), send(node(2), word), LeaderEffect::Flush]);
}

#[test]
fn creations_under_way_are_refused_unless_a_node_may_have_created_them_already() {
    let mut scene = Scene::with(&[able(1), able(2)]);
    approve(&mut scene, 7);
    scene.verdict = None;
    assert!(matches!(scene.create(request(1, 1), hello(7)).as_slice(), [LeaderEffect::Check { .. }]));
    let refusal = scene.operate(revocation(7, false));
    assert_eq!(not_created(&refusal), Some(codes::IMAGE_REVOKED), "{refusal:?}");
    assert_eq!(not_created(&scene.create(request(1, 2), hello(7))), Some(codes::IMAGE_REVOKED));

    let mut scene = Scene::with(&[able(1), able(2)]);
    approve(&mut scene, 7);
    let hosts = [1, 2].map(|number| asked_to_host(&scene.create(request(1, number), hello(7))).unwrap());
    let effects = scene.operate(revocation(7, false));
    assert_eq!(not_created(&effects), None, "the nodes that were asked have the last word: {effects:?}");
    let effects = scene.placed(hosts[0], request(1, 1), address(hosts[0], 1));
    let outcome = CreateOutcome::Created { address: address(hosts[0], 1), node: hosts[0], existing: false };
    assert_eq!(effects, [send(node(1), ToMember::Created { request: request(1, 1), outcome: Box::new(outcome) })]);
    let reason = "image was revoked".to_owned();
    let refusal = ToLeader::Placed { request: request(1, 2), outcome: PlaceOutcome::Refused { reason } };
    let effects = scene.say(hosts[1], refusal);
    assert_eq!(not_created(&effects), Some(codes::IMAGE_REVOKED), "nobody else is asked: {effects:?}");
}

#[test]
fn a_node_that_was_away_is_told_when_it_registers_and_has_not_confirmed_until_it_does() {
    let mut scene = Scene::with(&[able(1), able(2)]);
    approve(&mut scene, 7);
    approve(&mut scene, 8);
    scene.give(LeaderInput::Disconnected { node: node(2) });
    let effects = scene.operate(revocation(7, true));
    assert_eq!(effects, [answer(Answer::Done), send(node(1), told(0, 1, &[(7, true)]))]);
    confirm(&mut scene, node(1), 1, &[]);
    assert_eq!(confirmations(&mut scene, 7), (1, vec![node(2)]), "it may come back");
    let images = vec![RevokedImage { hash: hash(7), end: true }];
    let effects = scene.join(node(2), holding(2, &[7, 8]));
    assert_eq!(welcomed_with(&effects), Revoked { since: 0, upto: 1, images });
    assert_eq!(scene.leader.images().iter().find(|v| v.image.hash == hash(7)).unwrap().nodes, 1);
    // It was registered before the revocation, so it asks for all after those that it knows.
    assert_eq!(scene.say(node(2), ToLeader::RevokedSince { upto: 0 }), [send(node(2), told(0, 1, &[(7, true)]))]);
    assert_eq!(confirmations(&mut scene, 7), (1, vec![node(2)]));
    confirm(&mut scene, node(2), 1, &[7]);
    assert_eq!(confirmations(&mut scene, 7), (2, vec![]));

    // Another start of it has its own word to say.
    scene.join(next_start(node(2)), holding(2, &[8]));
    assert_eq!(confirmations(&mut scene, 7), (1, vec![next_start(node(2))]));
    confirm(&mut scene, next_start(node(2)), 1, &[]);
    assert_eq!(confirmations(&mut scene, 7), (2, vec![]));
}

#[test]
fn after_two_changes_of_leaders_members_confirm_again_and_only_then_count() {
    let mut scene = Scene::with(&[able(1), able(2)]);
    approve(&mut scene, 7);
    scene.operate(revocation(7, false));
    confirm(&mut scene, node(1), 1, &[]);
    for _ in 0..2 {
        scene = scene.crash();
        assert_eq!(confirmations(&mut scene, 7), (0, vec![node(1), node(2)]), "a leader counts what it hears itself");
        assert_eq!(welcomed_with(&scene.join(node(1), able(1))), Revoked { since: 0, upto: 1, images: vec![] });
        confirm(&mut scene, node(1), 1, &[]);
        assert_eq!(confirmations(&mut scene, 7), (1, vec![node(2)]));
    }
}

#[test]
fn who_says_that_it_holds_a_revoked_image_is_told_again_and_has_not_confirmed() {
    let mut scene = Scene::with(&[able(1)]);
    approve(&mut scene, 7);
    scene.operate(revocation(7, false));
    confirm(&mut scene, node(1), 1, &[]);
    let held = ToLeader::ImageHeld { hash: hash(7), held: true };
    assert_eq!(scene.say(node(1), held), [send(node(1), told(1, 1, &[(7, false)]))]);
    assert_eq!(confirmations(&mut scene, 7), (0, vec![node(1)]));
    confirm(&mut scene, node(1), 1, &[7]);
    assert_eq!(confirmations(&mut scene, 7), (1, vec![]));
}

#[test]
fn a_confirmation_of_what_was_never_revoked_is_dropped() {
    let mut scene = Scene::of(1);
    confirm(&mut scene, node(1), 1, &[]);
    assert_eq!(scene.leader.dropped(), 1);
    scene.operate(revocation(7, false));
    assert_eq!(confirmations(&mut scene, 7), (0, vec![node(1)]));
}

#[test]
fn many_revocations_are_told_in_words_of_a_bounded_size() {
    let many = limits::REVOKED_TOLD_TOGETHER_MAX + 2;
    let mut ledger = Scene::of(1).ledger;
    let hashes = (0..many as u32).map(|n| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        SourceHash(bytes)
    });
    ledger.extend(hashes.map(|hash| Record::ImageRevoked {
        hash,
        end: false,
        reason: String::new(),
        by: String::new(),
    }));
    let mut scene = Scene::starting(ledger);
    scene.join(node(1), facts(1, &[]));
    let effects = scene.say(node(1), ToLeader::RevokedSince { upto: 1 });
    let words: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            LeaderEffect::Send { message: ToMember::ImagesRevoked { revoked: r, confirm_within_ms: 0 }, .. } => {
                (r.since, r.upto, r.images.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let (max, all) = (limits::REVOKED_TOLD_TOGETHER_MAX, many as u64);
    assert_eq!(words, [(1, all - 1, max), (all - 1, all, 1)]);
}

#[test]
fn no_more_are_revoked_than_can_be_remembered_for_ever() {
    let mut scene = Scene::starting(Vec::new());
    let revoke = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let image = RevokedImage { hash: SourceHash(bytes), end: false };
        Operation::RevokeImage { image, reason: String::new(), by: "a test".to_owned() }
    };
    for n in 0..limits::REVOKED_MAX {
        assert_eq!(scene.operate(revoke(n)), [answer(Answer::Done)]);
    }
    assert_eq!(refused(&scene.operate(revoke(limits::REVOKED_MAX))), Some(codes::BAD_REQUEST));
    assert_eq!(scene.operate(revoke(5)), [answer(Answer::Done)], "of these one can still be asked for");
    let image = RevokedImage { hash: hash(1), end: false };
    let reason = "x".repeat(limits::REASON_BYTES_MAX + 1);
    let mut scene = Scene::of(0);
    let long = Operation::RevokeImage { image, reason, by: String::new() };
    assert_eq!(refused(&scene.operate(long)), Some(codes::BAD_REQUEST));
}

// The member.

struct Node {
    member: Member,
    now: u64,
}

impl Node {
    /// Node 1 with these images in its store, without a link.
    fn holding(images: &[u8]) -> Self {
        Self { member: Member::new(MemberConfig::default(), node(1), holding(1, images), 1), now: 1_000 }
    }

    /// The same, registered where these images are approved and so many were revoked.
    fn joined(images: &[u8], revoked_upto: u64) -> Self {
        let mut node = Self::holding(images);
        node.give(Input::Connected { leader: LEADER });
        node.hear(welcome(images, revoked_upto, &[]));
        node
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.member.handle(self.now, input);
        std::iter::from_fn(|| self.member.next_effect()).collect()
    }

    fn hear(&mut self, message: ToMember) -> Vec<Effect> {
        self.give(Input::Received { from: LEADER, message })
    }

    fn done(&mut self, n: u8, end: bool) -> Vec<Effect> {
        self.give(Input::ImageRevoked { hash: hash(n), end })
    }

    /// Its timer fires whenever it is due, until it says this and nothing else.
    fn wait_until_it_says(&mut self, effect: &Effect) {
        for _ in 0..100 {
            self.now = self.member.next_deadline().expect("it has something to say");
            if self.give(Input::Timer) == std::slice::from_ref(effect) {
                return;
            }
        }
        panic!("it never says {effect:?}");
    }

    fn place(&mut self, number: u64, n: u8) -> Vec<Effect> {
        let (spec, image) = (Box::new(hello(n)), Some(Box::new(image(n, "1.0.0"))));
        self.hear(ToMember::Place { request: request(2, number), spec, image, sources: vec![LEADER] })
    }

    fn reconnect(&mut self, to: NodeRef) {
        let before = self.member.leader().unwrap();
        self.give(Input::Disconnected { leader: before });
        self.give(Input::Connected { leader: to });
    }
}

fn welcome(approved: &[u8], upto: u64, held: &[(u8, bool)]) -> ToMember {
    let mut message = registered(1);
    if let ToMember::Registered { images, revoked, .. } = &mut message {
        *images = approved.iter().map(|n| hash(*n)).collect();
        let held = held.iter().map(|(n, end)| RevokedImage { hash: hash(*n), end: *end });
        *revoked = Revoked { since: 0, upto, images: held.collect() };
    }
    message
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn confirms(upto: u64, dropped: &[u8]) -> Effect {
    say(ToLeader::RevocationsDone { upto, dropped: dropped.iter().map(|n| hash(*n)).collect() })
}

fn revoke(n: u8, end: bool) -> Effect {
    Effect::ImageRevoked { hash: hash(n), end }
}

fn refuses(number: u64, reason: String) -> Effect {
    say(ToLeader::Placed { request: request(2, number), outcome: PlaceOutcome::Refused { reason } })
}

#[test]
fn a_member_confirms_once_its_driver_is_done_and_never_before() {
    let mut node = Node::joined(&[7], 0);
    assert_eq!(node.hear(told(0, 1, &[(7, true)])), [revoke(7, true)]);
    assert_eq!(node.hear(told(1, 2, &[(8, false)])), [revoke(8, false)], "what it does not hold it may hold code of");
    assert_eq!(node.done(7, true), [], "all that it was told is confirmed together");
    assert_eq!(node.done(8, false), [confirms(2, &[7])]);
    assert_eq!(node.hear(told(0, 2, &[(7, true), (8, false)])), [], "it is so already");
    assert_eq!(node.done(7, true), []);
}

/// What a leader of thousands says, that waits this long for their confirmations.
fn told_with_many(upto: u64, n: u8, confirm_within_ms: u64) -> ToMember {
    let images = vec![RevokedImage { hash: hash(n), end: false }];
    ToMember::ImagesRevoked { revoked: Revoked { since: upto - 1, upto, images }, confirm_within_ms }
}

#[test]
fn a_member_of_many_revokes_at_once_and_confirms_after_a_pause_in_the_second_half_of_the_time() {
    let mut moments = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut node = Node::holding(&[7]);
        node.member = Member::new(MemberConfig::default(), crate::scene::node(1), holding(1, &[7]), seed);
        node.give(Input::Connected { leader: LEADER });
        node.hear(welcome(&[7], 0, &[]));
        let heard_at = node.now;
        assert_eq!(node.hear(told_with_many(1, 7, 1_000)), [revoke(7, false)], "what counts is done at once");
        assert_eq!(node.done(7, false), []);
        node.wait_until_it_says(&confirms(1, &[7]));
        assert!((heard_at + 500..=heard_at + 1_000).contains(&node.now), "{}", node.now - heard_at);
        moments.insert(node.now);
    }
    assert!(moments.len() > 25, "they are spread: {moments:?}");
}

#[test]
fn who_is_told_of_one_after_the_other_confirms_all_of_them_after_the_first_pause() {
    let mut node = Node::joined(&[], 0);
    let heard_at = node.now;
    node.hear(told_with_many(1, 7, 1_000));
    node.done(7, false);
    for upto in 2..=10 {
        node.now += 50;
        assert_eq!(node.hear(told_with_many(upto, upto as u8 + 7, u64::MAX)), [revoke(upto as u8 + 7, false)]);
        assert_eq!(node.done(upto as u8 + 7, false), []);
    }
    node.wait_until_it_says(&confirms(10, &[]));
    assert!((heard_at + 500..=heard_at + 1_000).contains(&node.now), "{}", node.now - heard_at);
    let heard_at = node.now;
    node.hear(told_with_many(11, 6, u64::MAX));
    node.done(6, false);
    node.wait_until_it_says(&confirms(11, &[]));
    assert!(node.now <= heard_at + limits::CONFIRM_WITHIN_MS_MAX, "what a leader asks for is bounded");
}

#[test]
fn nothing_is_created_from_a_revoked_image_by_anybody() {
    let mut node = Node::joined(&[], 0);
    node.place(1, 7);
    let fetched = node.give(Input::Fetched { hash: hash(7), failure: None });
    assert!(matches!(fetched.as_slice(), [Effect::Send { .. }, Effect::Check { ticket: 1, .. }]), "{fetched:?}");
    let local = Box::new(CreateSpec { placement: Placement::Local, ..hello(7) });
    let alone = node.give(Input::Create { ticket: 5, spec: local.clone() });
    assert!(matches!(alone.as_slice(), [Effect::Check { ticket: 2, .. }]), "{alone:?}");
    let reason = format!("image {} was revoked", hash(7));

    let effects = node.hear(told(0, 1, &[(7, false)]));
    let begun_here = say(ToLeader::Create { request: request(1, 1), again: false, spec: local.clone() });
    assert_eq!(effects, [revoke(7, false), begun_here, refuses(1, reason.clone())], "the leader has the code to say");
    let outcome = crate::scene::outcome(CheckVerdict::Accepted);
    assert_eq!(node.give(Input::Checked { ticket: 1, outcome: outcome.clone() }), []);
    assert_eq!(node.give(Input::Checked { ticket: 2, outcome }), []);
    assert_eq!(node.place(2, 7), [refuses(2, reason.clone())], "not even for a leader");
    assert_eq!(node.done(7, false), [confirms(1, &[7])]);

    // Without a leader it is refused as well, and at once.
    node.give(Input::Disconnected { leader: LEADER });
    let outcome = Box::new(CreateOutcome::Refused { code: codes::IMAGE_REVOKED, reason });
    let refused = Effect::Created { ticket: 6, spec: local.clone(), outcome };
    assert_eq!(node.give(Input::Create { ticket: 6, spec: local }), [refused]);
}

#[test]
fn what_is_being_launched_is_there_before_the_member_confirms() {
    let mut node = Node::joined(&[7], 0);
    node.place(1, 7);
    let outcome = crate::scene::outcome(CheckVerdict::Accepted);
    let launch = node.give(Input::Checked { ticket: 1, outcome });
    assert!(matches!(launch.as_slice(), [Effect::Launch { .. }]), "{launch:?}");
    assert_eq!(node.hear(told(0, 1, &[(7, true)])), [revoke(7, true)]);
    assert_eq!(node.done(7, true), []);
    let at = address(crate::scene::node(1), 1);
    let placed = say(ToLeader::Placed { request: request(2, 1), outcome: PlaceOutcome::Placed { address: at } });
    let launched = node.give(Input::Launched { request: request(2, 1), result: Ok(at) });
    assert_eq!(launched, [placed, confirms(1, &[7])]);
}

#[test]
fn an_image_that_arrives_after_its_revocation_is_not_held() {
    let mut node = Node::joined(&[], 0);
    assert!(matches!(node.place(1, 7).as_slice(), [Effect::Fetch { .. }]));
    let effects = node.hear(told(0, 1, &[(7, false)]));
    assert_eq!(effects, [revoke(7, false), refuses(1, format!("image {} was revoked", hash(7)))]);
    assert_eq!(node.give(Input::Fetched { hash: hash(7), failure: None }), []);
    assert_eq!(node.done(7, false), [confirms(1, &[])]);
}

#[test]
fn that_actors_end_is_done_even_where_the_image_was_revoked_before() {
    let mut node = Node::joined(&[7], 0);
    node.hear(told(0, 1, &[(7, false)]));
    assert_eq!(node.hear(told(1, 2, &[(7, true)])), [revoke(7, true)]);
    assert_eq!(node.done(7, false), [], "the first of the two");
    assert_eq!(node.done(7, true), [confirms(2, &[7])]);
}

#[test]
fn a_start_is_told_of_what_it_holds_when_it_registers_for_the_first_time() {
    let mut node = Node::holding(&[7, 8]);
    node.give(Input::Connected { leader: LEADER });
    let effects = node.hear(welcome(&[8], 5, &[(7, false)]));
    assert_eq!(effects, [Effect::Joined { leader: LEADER, term: 1 }, revoke(7, false)], "and asks for no other");
    assert_eq!(node.done(7, false), [confirms(5, &[7])]);

    let mut empty = Node::holding(&[]);
    empty.give(Input::Connected { leader: LEADER });
    let effects = empty.hear(welcome(&[], 5, &[]));
    assert_eq!(effects, [Effect::Joined { leader: LEADER, term: 1 }, confirms(5, &[])]);
}

#[test]
fn a_member_that_missed_some_asks_for_them_and_confirms_no_more_than_it_knows() {
    let mut node = Node::joined(&[7, 8], 2);
    node.reconnect(LEADER);
    let effects = node.hear(welcome(&[8], 4, &[(7, false)]));
    let asks = say(ToLeader::RevokedSince { upto: 2 });
    assert_eq!(effects, [Effect::Joined { leader: LEADER, term: 1 }, revoke(7, false), asks]);
    assert_eq!(node.done(7, false), [confirms(2, &[7])], "of the others it does not know yet");
    // A word of a later one does not fill the gap.
    assert_eq!(node.hear(told(4, 5, &[(9, false)])), [revoke(9, false)]);
    assert_eq!(node.done(9, false), []);
    assert_eq!(node.hear(told(2, 5, &[(6, true), (7, false), (9, false)])), [revoke(6, true)]);
    assert_eq!(node.done(6, true), [confirms(5, &[])]);
}

#[test]
fn every_leader_hears_the_confirmations_again() {
    let mut node = Node::joined(&[7], 0);
    node.hear(told(0, 1, &[(7, false)]));
    node.done(7, false);
    let second = crate::scene::node(9);
    node.give(Input::Received { from: second, message: leading(2) });
    let mut message = registered(2);
    if let ToMember::Registered { revoked, .. } = &mut message {
        revoked.upto = 1;
    }
    let effects = node.give(Input::Received { from: second, message });
    let confirmed = ToLeader::RevocationsDone { upto: 1, dropped: vec![] };
    let joined = Effect::Joined { leader: second, term: 2 };
    assert_eq!(effects, [joined, Effect::Send { to: second, message: confirmed }]);
}

#[test]
fn what_is_done_without_a_link_is_confirmed_once_there_is_one() {
    let mut node = Node::joined(&[7], 0);
    node.hear(told(0, 1, &[(7, false)]));
    node.give(Input::Disconnected { leader: LEADER });
    assert_eq!(node.done(7, false), []);
    node.give(Input::Connected { leader: LEADER });
    let effects = node.hear(welcome(&[], 1, &[]));
    assert_eq!(effects, [Effect::Joined { leader: LEADER, term: 1 }, confirms(1, &[])]);
}

#[test]
fn what_is_dropped_while_a_registration_is_under_way_is_told_after_it() {
    let mut node = Node::joined(&[7], 0);
    let registers = node.hear(ToMember::RegisterAgain);
    assert!(matches!(registers.as_slice(), [Effect::Send { message: ToLeader::Register(_), .. }]), "{registers:?}");
    // Said before the leader heard of the registration, which says that the image is held.
    assert_eq!(node.hear(told(0, 1, &[(7, false)])), [revoke(7, false)]);
    assert_eq!(node.hear(welcome(&[], 1, &[(7, false)])), [Effect::Joined { leader: LEADER, term: 1 }]);
    assert_eq!(node.done(7, false), [confirms(1, &[7])]);
}

#[test]
fn an_image_that_is_held_again_is_dropped_again() {
    let mut node = Node::joined(&[], 0);
    // A node that may lead fetches what is about to be approved by itself.
    let held = say(ToLeader::ImageHeld { hash: hash(7), held: true });
    assert_eq!(node.give(Input::Fetched { hash: hash(7), failure: None }), [held]);
    assert_eq!(node.hear(told(1, 1, &[(7, false)])), [revoke(7, false)]);
    assert_eq!(node.done(7, false), [confirms(0, &[7])]);
}

#[test]
fn a_member_takes_no_more_than_it_can_keep_and_confirms_nothing_of_it() {
    let mut node = Node::joined(&[], 0);
    let image = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        RevokedImage { hash: SourceHash(bytes), end: false }
    };
    let images: Vec<_> = (0..=limits::REVOKED_MAX).map(image).collect();
    let upto = images.len() as u64;
    assert_eq!(
        node.hear(ToMember::ImagesRevoked { revoked: Revoked { since: 0, upto, images }, confirm_within_ms: 0 }),
        []
    );
    assert_eq!(node.hear(told(0, 1, &[(7, false)])), [revoke(7, false)], "what it can keep it takes");
}

/// What a member that registers is told, where nobody knows of revocations.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum EarlierWord {
    Registered {
        term: u64,
        lease_ms: u64,
        renew_every_ms: u64,
        images: Vec<SourceHash>,
        gone: Vec<NodeRef>,
        gone_upto: u64,
        leaders: Vec<odeon_convention::wire::LeaderAt>,
    },
}

#[test]
fn where_nothing_was_ever_revoked_a_node_that_does_not_know_of_it_is_read_and_reads() {
    let (images, gone, leaders) = (vec![], vec![], vec![]);
    let earlier = EarlierWord::Registered {
        term: 1,
        lease_ms: 4_000,
        renew_every_ms: 1_000,
        images,
        gone,
        gone_upto: 0,
        leaders,
    };
    assert_eq!(decode::<ToMember>(&encode(&earlier).unwrap()), Ok(registered(1)));
    assert_eq!(decode::<EarlierWord>(&encode(&registered(1)).unwrap()), Ok(earlier));
    for message in [welcome(&[7], 3, &[(7, true)]), told(1, 2, &[(7, false)])] {
        assert_eq!(decode::<ToMember>(&encode(&message).unwrap()), Ok(message));
    }
}
