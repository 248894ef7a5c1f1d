//! The member: registers, renews, hosts once, asks until it is answered.

use crate::scene::{
    LEADER, address, capabilities, facts, image, is_gone, leading, named, node, outcome, registered, request, spec,
};
use odeon::{Incarnation, NodeRef};
use odeon_capabilities::{Delta, Requirements};
use odeon_convention::codes;
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::types::{CheckVerdict, CreateOutcome, CreateSpec, Hosted, Load, Placement, RequestId};
use odeon_convention::wire::{PlaceOutcome, Revoked, ToLeader, ToMember};

struct Node {
    member: Member,
    now: u64,
}

impl Node {
    /// Node 1, without a link.
    fn new() -> Self {
        Self { member: Member::new(MemberConfig::default(), node(1), facts(1, &[]), 1), now: 1_000 }
    }

    fn joined() -> Self {
        let mut node = Self::new();
        node.give(Input::Connected { leader: LEADER });
        node.hear(registered(1));
        node
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.member.handle(self.now, input);
        std::iter::from_fn(|| self.member.next_effect()).collect()
    }

    fn hear(&mut self, message: ToMember) -> Vec<Effect> {
        self.give(Input::Received { from: LEADER, message })
    }

    fn place(&mut self, number: u64, spec: CreateSpec) -> Vec<Effect> {
        self.hear(ToMember::Place { request: request(2, number), spec: Box::new(spec), image: None, sources: vec![] })
    }

    fn checked(&mut self, ticket: u64, verdict: CheckVerdict) -> Vec<Effect> {
        self.give(Input::Checked { ticket, outcome: outcome(verdict) })
    }

    /// Hosts a creation of node 2 to its end.
    fn host(&mut self, number: u64, spec: CreateSpec) -> Vec<Effect> {
        let effects = self.place(number, spec);
        let [Effect::Check { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        self.checked(*ticket, CheckVerdict::Accepted);
        self.give(Input::Launched { request: request(2, number), result: Ok(address(node(1), 1)) })
    }

    /// Another link, to the same leader or another.
    fn reconnect(&mut self, leader: NodeRef) -> Vec<Effect> {
        let before = self.member.leader().unwrap();
        self.give(Input::Disconnected { leader: before });
        self.give(Input::Connected { leader })
    }
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn placed(number: u64, outcome: PlaceOutcome) -> Effect {
    say(ToLeader::Placed { request: request(2, number), outcome })
}

fn here(number: u64) -> RequestId {
    request(1, number)
}

fn hosted(effects: &[Effect]) -> Vec<Hosted> {
    match effects {
        [Effect::Send { message: ToLeader::Register(facts), .. }] => facts.hosted.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_link_makes_it_register_and_the_answer_makes_it_renew() {
    let mut node = Node::new();
    assert_eq!(node.member.next_deadline(), None);
    let registration = node.give(Input::Connected { leader: LEADER });
    assert_eq!(registration, [say(ToLeader::Register(Box::new(facts(1, &[]))))]);
    assert_eq!(node.hear(registered(1)), [Effect::Joined { leader: LEADER, term: 1 }]);
    let renew_at = node.member.next_deadline().unwrap();
    assert!((1_750..=2_000).contains(&renew_at), "{renew_at}");
    node.now = renew_at;
    assert_eq!(node.give(Input::Timer), [say(ToLeader::Renew { load: Load::default() })]);
    assert!(node.member.next_deadline().unwrap() > renew_at);
}

#[test]
fn who_is_asked_whether_it_lives_says_so_at_once() {
    let mut node = Node::new();
    node.give(Input::Connected { leader: LEADER });
    node.hear(registered(1));
    assert_eq!(node.hear(ToMember::Ping), [say(ToLeader::Pong { load: Load::default() })]);
}

#[test]
fn a_local_creation_needs_no_leader() {
    let mut node = Node::new();
    let spec = Box::new(CreateSpec { placement: Placement::Local, ..spec() });
    let effects = node.give(Input::Create { ticket: 9, spec: spec.clone() });
    assert_eq!(effects, [Effect::Check { ticket: 1, spec: spec.clone() }]);
    let launch = Effect::Launch { request: here(1), spec: spec.clone() };
    assert_eq!(node.checked(1, CheckVerdict::Accepted), [launch]);
    let at = address(crate::scene::node(1), 1);
    let created = CreateOutcome::Created { address: at, node: crate::scene::node(1), existing: false };
    let effects = node.give(Input::Launched { request: here(1), result: Ok(at) });
    assert_eq!(effects, [Effect::Created { ticket: 9, spec, outcome: Box::new(created) }]);
}

#[test]
fn what_it_cannot_or_may_not_host_alone_goes_to_the_leader() {
    let local = CreateSpec { placement: Placement::Local, ..spec() };
    let wanted = [
        spec(),
        CreateSpec { global_name: Some("clock".to_owned()), ..local.clone() },
        CreateSpec { requirements: Requirements::none().require("db"), ..local.clone() },
        CreateSpec { requirements: Requirements::none().prefer("true", 1), ..local.clone() },
        CreateSpec { on: Some(node(2).id), ..local.clone() },
        CreateSpec { distinct: Some("red".to_owned()), ..local.clone() },
        CreateSpec { image: Some(image(1, "1").hash), ..local },
    ];
    for spec in wanted {
        let effects = Node::joined().give(Input::Create { ticket: 9, spec: Box::new(spec.clone()) });
        assert_eq!(effects, [say(ToLeader::Create { request: here(1), again: false, spec: Box::new(spec) })]);
    }
}

#[test]
fn a_refused_local_check_goes_to_the_leader_under_the_same_number() {
    let mut node = Node::joined();
    let spec = Box::new(CreateSpec { placement: Placement::Local, ..spec() });
    node.give(Input::Create { ticket: 9, spec: spec.clone() });
    let effects = node.checked(1, CheckVerdict::Refused);
    assert_eq!(effects, [say(ToLeader::Create { request: here(1), again: false, spec })]);
}

#[test]
fn an_unanswered_creation_is_asked_again_on_a_new_link_and_answered_once() {
    let mut node = Node::new();
    assert_eq!(node.give(Input::Create { ticket: 9, spec: Box::new(spec()) }), []);
    node.give(Input::Connected { leader: LEADER });
    let ask = |again| say(ToLeader::Create { request: here(1), again, spec: Box::new(spec()) });
    assert_eq!(node.hear(registered(1)).last(), Some(&ask(false)));
    node.reconnect(LEADER);
    assert_eq!(node.hear(registered(1)).last(), Some(&ask(true)));
    let refusal = CreateOutcome::Refused { code: codes::IMAGE_UNKNOWN, reason: "none".to_owned() };
    let answer = ToMember::Created { request: here(1), outcome: Box::new(refusal.clone()) };
    let created = Effect::Created { ticket: 9, spec: Box::new(spec()), outcome: Box::new(refusal) };
    assert_eq!(node.hear(answer.clone()), [created]);
    assert_eq!(node.hear(answer), []);
}

#[test]
fn without_a_leader_a_creation_is_refused_in_the_end() {
    let mut node = Node::new();
    node.give(Input::Create { ticket: 9, spec: Box::new(spec()) });
    assert_eq!(node.member.next_deadline(), Some(31_000));
    node.now = 31_000;
    let effects = node.give(Input::Timer);
    let [Effect::Created { ticket: 9, outcome, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(**outcome, CreateOutcome::Refused { code: codes::LEADER_UNREACHABLE, .. }));
}

#[test]
fn a_placement_is_hosted_once_however_often_it_is_asked() {
    let mut node = Node::joined();
    let done = placed(1, PlaceOutcome::Placed { address: address(crate::scene::node(1), 1) });
    assert_eq!(node.host(1, spec()), [done.clone()]);
    assert_eq!(node.place(1, spec()), [done.clone()]);
    node.give(Input::Exited { address: address(crate::scene::node(1), 1), global_name: None });
    assert_eq!(node.place(1, spec()), [done], "it was created, that it is gone is another matter");
    let wanting = CreateSpec { requirements: Requirements::none().require("db"), ..spec() };
    let reason = "lacks capability \"db\"".to_owned();
    let refused = placed(2, PlaceOutcome::Refused { reason });
    assert_eq!(node.place(2, wanting.clone()), [refused.clone()]);
    let db = Delta([("db".to_owned(), Some(true.into()))].into());
    node.give(Input::ChangeCapabilities { delta: db });
    assert_eq!(node.place(2, wanting), [refused], "another node may have it by now");
}

#[test]
fn capabilities_that_change_during_a_check_are_checked_again() {
    let mut node = Node::joined();
    node.place(1, spec());
    let delta = Delta([("gpu".to_owned(), Some(1.into()))].into());
    let effects = node.give(Input::ChangeCapabilities { delta: delta.clone() });
    let told = say(ToLeader::CapabilitiesChanged { version: 1, delta });
    assert_eq!(effects, [Effect::CapabilitiesChanged(capabilities(&[("gpu", 1.into())])), told]);
    let again = Effect::Check { ticket: 2, spec: Box::new(spec()) };
    assert_eq!(node.checked(1, CheckVerdict::Accepted), [again]);
    let launch = Effect::Launch { request: request(2, 1), spec: Box::new(spec()) };
    assert_eq!(node.checked(2, CheckVerdict::Accepted), [launch]);
}

#[test]
fn a_registration_tells_what_is_hosted_and_waits_for_launches_under_way() {
    let mut node = Node::joined();
    node.host(1, named("clock"));
    node.place(2, spec());
    node.checked(2, CheckVerdict::Accepted);
    node.place(3, spec());
    assert_eq!(node.reconnect(LEADER), [], "number 2 is being launched");
    let at = address(crate::scene::node(1), 2);
    let effects = node.give(Input::Launched { request: request(2, 2), result: Ok(at) });
    let clock = Some("clock".to_owned());
    let expected = [
        Hosted {
            request: request(2, 1),
            address: address(crate::scene::node(1), 1),
            global_name: clock,
            distinct: None,
        },
        Hosted { request: request(2, 2), address: at, global_name: None, distinct: None },
    ];
    assert_eq!(hosted(&effects), expected);
    assert_eq!(node.checked(3, CheckVerdict::Accepted), [], "number 3 was given up with its link");
}

#[test]
fn a_word_of_an_earlier_leader_counts_for_nothing() {
    let mut node = Node::joined();
    let later = NodeRef { incarnation: Incarnation(2), ..LEADER };
    node.reconnect(later);
    assert_eq!(node.place(1, spec()), []);
}

#[test]
fn what_is_asked_before_the_registration_is_answered_is_asked_again() {
    let mut node = Node::joined();
    node.reconnect(LEADER);
    assert_eq!(node.place(1, spec()), [], "the leader did not know of this link when it asked");
    node.hear(registered(2));
    let effects = node.place(1, spec());
    assert!(matches!(effects.as_slice(), [Effect::Check { .. }]), "{effects:?}");
}

#[test]
fn an_image_is_fetched_once_checked_and_held_until_it_is_unloaded() {
    let mut node = Node::joined();
    let db = Delta([("db".to_owned(), Some(true.into()))].into());
    node.give(Input::ChangeCapabilities { delta: db });
    let info = image(1, "1.0.0");
    let hash = info.hash;
    let hello = CreateSpec { actor: "Hello".to_owned(), image: Some(hash), ..spec() };
    let place = |number| ToMember::Place {
        request: request(2, number),
        spec: Box::new(hello.clone()),
        image: Some(Box::new(info.clone())),
        sources: vec![LEADER],
    };
    let fetch = Effect::Fetch { image: Box::new(info.clone()), sources: vec![LEADER] };
    assert_eq!(node.hear(place(1)), [fetch]);
    assert_eq!(node.hear(place(2)), [], "it is on its way");
    assert_eq!(node.give(Input::Seek { hash }), [say(ToLeader::Seek { hash })]);
    let others = vec![crate::scene::node(3), LEADER];
    let told = ToMember::Sources { hash, sources: others.clone() };
    assert_eq!(node.hear(told), [Effect::Sources { hash, sources: others }]);
    let check = |ticket| Effect::Check { ticket, spec: Box::new(hello.clone()) };
    let held = say(ToLeader::ImageHeld { hash, held: true });
    assert_eq!(node.give(Input::Fetched { hash, failure: None }), [held, check(1), check(2)]);
    let local = Box::new(CreateSpec { placement: Placement::Local, ..hello.clone() });
    let alone = node.give(Input::Create { ticket: 9, spec: local.clone() });
    assert_eq!(alone, [Effect::Check { ticket: 3, spec: local }], "what it knows it hosts alone");
    let dropped = say(ToLeader::ImageHeld { hash, held: false });
    assert_eq!(node.hear(ToMember::ImageUnloaded { hash }), [dropped, Effect::ImageUnloaded { hash }]);
    let refused = node.checked(1, CheckVerdict::Accepted);
    assert_eq!(refused, [placed(1, PlaceOutcome::Refused { reason: format!("image {hash} was unloaded") })]);
}

#[test]
fn a_prefetched_image_is_fetched_once_and_what_is_placed_meanwhile_waits_for_it() {
    let mut node = Node::joined();
    let info = image(1, "1.0.0");
    let hash = info.hash;
    let prefetch = || ToMember::Prefetch { image: Box::new(info.clone()), sources: vec![LEADER] };
    let fetch = Effect::Fetch { image: Box::new(info.clone()), sources: vec![LEADER] };
    assert_eq!(node.hear(prefetch()), [fetch.clone()]);
    assert_eq!(node.hear(prefetch()), [], "it is on its way");
    let failure = Some("no source answers".to_owned());
    let failed = say(ToLeader::ImageHeld { hash, held: false });
    assert_eq!(node.give(Input::Fetched { hash, failure }), [failed]);
    assert_eq!(node.hear(prefetch()), [fetch], "it is tried again when the leader asks again");
    let db = Delta([("db".to_owned(), Some(true.into()))].into());
    node.give(Input::ChangeCapabilities { delta: db });
    let hello = Box::new(CreateSpec { actor: "Hello".to_owned(), image: Some(hash), ..spec() });
    let (spec, sources) = (hello.clone(), vec![LEADER]);
    let place = ToMember::Place { request: request(2, 1), spec, image: Some(Box::new(info.clone())), sources };
    assert_eq!(node.hear(place), []);
    assert_eq!(node.member.awaited_of(hash), 2, "one is being created, and more may be asked for");
    let held = say(ToLeader::ImageHeld { hash, held: true });
    assert_eq!(node.give(Input::Fetched { hash, failure: None }), [held, Effect::Check { ticket: 1, spec: hello }]);
    assert_eq!(node.hear(prefetch()), [], "it is here");
    node.hear(ToMember::ImageUnloaded { hash });
    assert_eq!(node.member.awaited_of(hash), 1);
    node.checked(1, CheckVerdict::Accepted);
    assert_eq!(node.member.awaited_of(hash), 0);
}

#[test]
fn a_node_that_is_gone_is_told_of_once() {
    let mut node = Node::joined();
    let told = |n, reason: &str| Effect::MemberGone { node: crate::scene::node(n), reason: reason.to_owned() };
    let gone = is_gone(crate::scene::node(2), "it left");
    assert_eq!(node.hear(gone.clone()), [told(2, "it left")]);
    assert_eq!(node.hear(gone), []);
    let reason = "its lease ran out";
    let nodes = [2, 3, 4].map(crate::scene::node).to_vec();
    let several = ToMember::MembersGone { nodes, reason: reason.to_owned(), upto: 3 };
    assert_eq!(node.hear(several), [told(3, reason), told(4, reason)], "of the first it has heard");
    node.reconnect(LEADER);
    assert_eq!(node.hear(welcomed_with(&[2], 3)), [Effect::Joined { leader: LEADER, term: 1 }]);
}

fn welcomed_with(gone: &[u8], gone_upto: u64) -> ToMember {
    let (images, gone, leaders) = (vec![], gone.iter().map(|n| crate::scene::node(*n)).collect(), vec![]);
    let revoked = Revoked::default();
    ToMember::Registered { term: 1, lease_ms: 4_000, renew_every_ms: 1_000, images, gone, gone_upto, leaders, revoked }
}

#[test]
fn a_member_asks_for_the_ends_that_it_was_not_told_of() {
    let mut node = Node::joined();
    let told = |n, reason: &str| Effect::MemberGone { node: crate::scene::node(n), reason: reason.to_owned() };
    let missed = "it is gone, as the leader knows";
    let joined = Effect::Joined { leader: LEADER, term: 1 };
    node.hear(ToMember::MembersGone { nodes: vec![crate::scene::node(2)], reason: missed.to_owned(), upto: 1 });
    node.reconnect(LEADER);
    let asks = say(ToLeader::GoneSince { upto: 1 });
    assert_eq!(node.hear(welcomed_with(&[6], 5)), [joined.clone(), told(6, missed), asks.clone()]);
    // What comes before the answer does not stand for it.
    let later = ToMember::MembersGone { nodes: vec![crate::scene::node(7)], reason: "it left".to_owned(), upto: 6 };
    assert_eq!(node.hear(later), [told(7, "it left")]);
    node.reconnect(LEADER);
    assert_eq!(node.hear(welcomed_with(&[7], 6)), [joined.clone(), asks]);
    let page = |nodes: &[u8], upto, last| {
        let nodes = nodes.iter().map(|n| crate::scene::node(*n)).collect();
        ToMember::GoneBefore { nodes, upto, last }
    };
    assert_eq!(node.hear(page(&[3, 4], 3, false)), [told(3, missed), told(4, missed)]);
    assert_eq!(node.hear(page(&[5, 6, 7], 6, true)), [told(5, missed)]);
    node.reconnect(LEADER);
    assert_eq!(node.hear(welcomed_with(&[7], 6)), [joined]);
}

#[test]
fn a_refused_start_falls_silent_and_a_refused_claim_is_cured_by_a_change() {
    let mut node = Node::joined();
    let refuse = |code| ToMember::RegistrationRefused { code, reason: "so".to_owned() };
    let rejected = |code| Effect::Rejected { code, reason: "so".to_owned() };
    assert_eq!(node.hear(refuse(codes::CLAIM)), [rejected(codes::CLAIM)]);
    assert!(node.member.next_deadline().is_some(), "it lives, and says so");
    let delta = Delta([("gpu".to_owned(), Some(true.into()))].into());
    let effects = node.give(Input::ChangeCapabilities { delta });
    assert!(matches!(effects.last(), Some(Effect::Send { message: ToLeader::Register(_), .. })), "{effects:?}");
    assert_eq!(node.hear(refuse(codes::DECLARED_GONE)), [rejected(codes::DECLARED_GONE)]);
    assert_eq!(node.member.next_deadline(), None);
}

#[test]
fn leaving_says_so_and_ends() {
    assert_eq!(Node::joined().give(Input::Leave), [say(ToLeader::Leave), Effect::Left]);
    assert_eq!(Node::new().give(Input::Leave), [Effect::Left]);
}

#[test]
fn who_says_to_lead_in_the_highest_term_is_followed() {
    let other = NodeRef { id: odeon::NodeId([9; 16]), ..LEADER };
    let registers = |effects: &[Effect], at: NodeRef| matches!(effects, [Effect::Send { to, message: ToLeader::Register(_) }] if *to == at);
    let mut node = Node::new();
    assert!(registers(&node.hear(leading(2)), LEADER));
    assert_eq!(node.hear(leading(2)), [], "once is enough");
    node.hear(registered(2));
    let say = |node: &mut Node, term| node.give(Input::Received { from: other, message: leading(term) });
    assert_eq!(say(&mut node, 1), [], "its turn is over");
    assert!(registers(&say(&mut node, 3), other));
    assert_eq!(node.hear(leading(2)), [], "it does not know yet that its turn is over");
    assert_eq!(node.member.leader(), Some(other));
    node.give(Input::Disconnected { leader: LEADER });
    assert_eq!(node.member.leader(), Some(other), "another link than the one to the leader is down");
    assert!(registers(&node.hear(leading(4)), LEADER), "the same node may lead again");
    node.give(Input::Disconnected { leader: LEADER });
    assert_eq!(node.member.leader(), None);
    assert!(registers(&node.hear(leading(4)), LEADER), "the link is another one");
}

#[test]
fn who_turns_to_a_leader_with_many_others_registers_at_a_moment_of_its_own() {
    let mut moments = Vec::new();
    for seed in 0..20 {
        let mut node = Node::new();
        node.member = Member::new(MemberConfig::default(), crate::scene::node(1), facts(1, &[]), seed);
        assert_eq!(node.hear(ToMember::Leading { term: 1, register_within_ms: 1_000 }), []);
        let due = node.member.next_deadline().unwrap();
        node.now = due;
        let effects = node.give(Input::Timer);
        assert!(matches!(effects.as_slice(), [Effect::Send { message: ToLeader::Register(_), .. }]), "{effects:?}");
        moments.push(due - 1_000);
    }
    assert!(moments.iter().all(|ms| *ms <= 1_000), "{moments:?}");
    assert!(moments.iter().any(|ms| *ms < 500) && moments.iter().any(|ms| *ms > 500), "{moments:?}");
}

#[test]
fn who_waits_for_its_moment_to_register_does_it_when_it_is_told_to() {
    let mut node = Node::new();
    assert_eq!(node.hear(ToMember::Leading { term: 1, register_within_ms: 2_000 }), []);
    let effects = node.hear(ToMember::RegisterAgain);
    assert!(matches!(effects.as_slice(), [Effect::Send { message: ToLeader::Register(_), .. }]), "{effects:?}");
    assert_eq!(node.hear(ToMember::RegisterAgain), [], "once");
}

#[test]
fn no_leader_keeps_a_member_from_registering_for_longer_than_a_lease_allows() {
    let mut node = Node::new();
    assert_eq!(node.hear(ToMember::Leading { term: 1, register_within_ms: u64::MAX }), []);
    node.now += 3_000;
    let effects = node.give(Input::Timer);
    // It renews all the while.
    assert!(matches!(effects.last(), Some(Effect::Send { message: ToLeader::Register(_), .. })), "{effects:?}");
}

#[test]
fn the_answer_to_an_earlier_registration_does_not_stand_for_the_one_that_is_to_come() {
    let mut node = Node::joined();
    let effects = node.reconnect(LEADER);
    assert!(matches!(effects.as_slice(), [Effect::Send { message: ToLeader::Register(_), .. }]), "{effects:?}");
    assert_eq!(node.hear(ToMember::Leading { term: 2, register_within_ms: 1_000 }), []);
    let delta = Delta([("gpu".to_owned(), Some(true.into()))].into());
    let changed = node.give(Input::ChangeCapabilities { delta });
    assert!(matches!(changed.as_slice(), [Effect::CapabilitiesChanged(_)]), "{changed:?}");
    assert_eq!(node.hear(registered(2)), []);
    node.now += 1_000;
    let effects = node.give(Input::Timer);
    let Some(Effect::Send { message: ToLeader::Register(facts), .. }) = effects.last() else { panic!("{effects:?}") };
    assert!(facts.capabilities.iter().any(|(key, _)| key == "gpu"), "{facts:?}");
}
