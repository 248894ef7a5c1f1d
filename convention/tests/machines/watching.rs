//! Watching: the leader tells what is there and what changes, the member tells each join and each loss once.

use crate::scene::{LEADER, Scene, address, facts, image, is_gone, next_start, node, registered, token};
use odeon::{Address, NodeRef, Topic};
use odeon_capabilities::{Delta, Value};
use odeon_convention::leader::{Effect as LeaderEffect, Operation};
use odeon_convention::limits;
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::types::{ImageApproval, NodeFacts};
use odeon_convention::watching::{ChangedEntry, ImageEntry, MemberEntry, News, Part, Since, Watched};
use odeon_convention::wire::{ToLeader, ToMember};

fn entry(who: NodeRef, pairs: &[(&str, Value)]) -> MemberEntry {
    let NodeFacts { name, listen, capabilities, .. } = facts(who.id.0[0], pairs);
    MemberEntry { node: who, name, listen, capabilities }
}

fn image_entry(n: u8) -> ImageEntry {
    let image = image(n, "1.0.0");
    ImageEntry { hash: image.hash, name: image.name, version: image.version }
}

fn page(watch: u64, number: u64, part: Part, members: Vec<MemberEntry>) -> Watched {
    Watched { watch, number, part, members, images: vec![], unavailable: vec![], changed: vec![], upto: 0 }
}

fn changed(who: NodeRef, pairs: &[(&str, Value)], keys: &[&str]) -> ChangedEntry {
    ChangedEntry { member: entry(who, pairs), keys: keys.iter().map(|key| (*key).to_owned()).collect() }
}

/// What one node is told of what it watches, everything else left out, and up to which record left out as well.
fn told(effects: &[LeaderEffect], to: NodeRef) -> Vec<Watched> {
    told_upto(effects, to).into_iter().map(|told| Watched { upto: 0, ..told }).collect()
}

fn told_upto(effects: &[LeaderEffect], to: NodeRef) -> Vec<Watched> {
    let of = |effect: &LeaderEffect| match effect {
        LeaderEffect::Send { to: who, message: ToMember::Watched(told) } if *who == to => Some((**told).clone()),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn watch(scene: &mut Scene, from: NodeRef, watch: u64, members: bool, images: bool) -> Vec<LeaderEffect> {
    scene.say(from, ToLeader::Watch { watch, members, images, capabilities: None })
}

fn approve(n: u8, approved: bool) -> Operation {
    Operation::JudgeImage {
        image: image(n, "1.0.0"),
        approved,
        by: "a test".to_owned(),
        approval: ImageApproval::default(),
    }
}

// The leader.

#[test]
fn the_leader_lists_what_there_is_and_tells_each_change_once_to_those_who_watch() {
    let mut scene = Scene::of(2);
    scene.operate(approve(7, true));
    let mut listing = page(1, 1, Part::LastPage, vec![entry(node(1), &[]), entry(node(2), &[])]);
    listing.images = vec![image_entry(7)];
    assert_eq!(told(&watch(&mut scene, node(1), 1, true, true), node(1)), [listing]);

    scene.admit(node(3), None);
    let effects = scene.join(node(3), facts(3, &[]));
    assert_eq!(told(&effects, node(1)), [page(1, 2, Part::Change, vec![entry(node(3), &[])])]);
    assert_eq!(told(&effects, node(2)), []);
    assert_eq!(told(&scene.join(node(3), facts(3, &[])), node(1)), [], "nothing is different");

    let delta = Delta([("gpu".to_owned(), Some(2.into()))].into());
    let effects = scene.say(node(2), ToLeader::CapabilitiesChanged { version: 1, delta });
    assert_eq!(told(&effects, node(1)), [page(1, 3, Part::Change, vec![entry(node(2), &[("gpu", 2.into())])])]);

    let available = Watched { images: vec![image_entry(8)], ..page(1, 4, Part::Change, vec![]) };
    assert_eq!(told(&scene.operate(approve(8, true)), node(1)), [available]);
    let rejected = Watched { unavailable: vec![image(8, "1.0.0").hash], ..page(1, 5, Part::Change, vec![]) };
    assert_eq!(told(&scene.operate(approve(8, false)), node(1)), [rejected]);
    let hash = image(7, "1.0.0").hash;
    let effects = scene.operate(Operation::UnloadImage { hash });
    assert_eq!(told(&effects, node(1)), [], "every member is told that, whether it watches or not");
    assert!(effects.contains(&LeaderEffect::Send { to: node(1), message: ToMember::ImageUnloaded { hash } }));
}

#[test]
fn each_is_told_only_what_it_wants_to_know_and_nothing_once_it_says_so() {
    let mut scene = Scene::of(2);
    let effects = watch(&mut scene, node(1), 1, false, true);
    assert_eq!(told(&effects, node(1)), [page(1, 1, Part::LastPage, vec![])]);
    let listing = vec![entry(node(1), &[]), entry(node(2), &[])];
    assert_eq!(told(&watch(&mut scene, node(2), 1, true, false), node(2))[0].members, listing);
    scene.admit(node(3), None);
    let effects = scene.join(node(3), facts(3, &[]));
    assert_eq!((told(&effects, node(1)).len(), told(&effects, node(2)).len()), (0, 1));
    let effects = scene.operate(approve(7, true));
    assert_eq!((told(&effects, node(1)).len(), told(&effects, node(2)).len()), (1, 0));
    assert_eq!(watch(&mut scene, node(1), 2, false, false), []);
    assert_eq!(told(&scene.operate(approve(8, true)), node(1)), []);
}

#[test]
fn what_becomes_durable_together_is_told_together_and_never_before() {
    let mut scene = Scene::of(1);
    watch(&mut scene, node(1), 1, true, false);
    for n in 2..=4 {
        scene.admit(node(n), None);
        scene.link(node(n));
    }
    let mut early = Vec::new();
    for n in 2..=4 {
        let message = ToLeader::Register(Box::new(facts(n, &[])));
        early.extend(scene.give_uncommitted(odeon_convention::leader::Input::Received { from: node(n), message }));
    }
    assert_eq!(early, []);
    let members = (2..=4).map(|n| entry(node(n), &[])).collect();
    assert_eq!(told(&scene.commit(), node(1)), [page(1, 2, Part::Change, members)]);
}

#[test]
fn a_long_listing_comes_page_by_page_as_it_is_asked_for_with_the_changes_between() {
    let mut scene = Scene::of(1);
    let all = limits::WATCHED_TOGETHER_MAX as u32 + 50;
    let member = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&(n + 0x0200_0000).to_be_bytes());
        NodeRef { id: odeon::NodeId(id), ..node(1) }
    };
    for n in 0..all {
        scene.admit_with(token(9, None, None), member(n));
        scene.join(member(n), NodeFacts { name: format!("m{n}"), ..facts(1, &[]) });
    }
    let first = told(&watch(&mut scene, node(1), 5, true, true), node(1));
    assert_eq!((first.len(), first[0].part, first[0].number), (1, Part::Page, 1));
    assert_eq!(first[0].members.len(), limits::WATCHED_TOGETHER_MAX);
    assert_eq!(scene.say(node(1), ToLeader::WatchNext { watch: 4 }), [], "of what was watched before");
    let effects = scene.operate(approve(7, true));
    assert_eq!(told(&effects, node(1))[0].number, 2);
    let last = told(&scene.say(node(1), ToLeader::WatchNext { watch: 5 }), node(1));
    assert_eq!((last.len(), last[0].part, last[0].number), (1, Part::LastPage, 3));
    let mut listed: Vec<NodeRef> = first[0].members.iter().chain(&last[0].members).map(|m| m.node).collect();
    listed.dedup();
    assert_eq!(listed.len(), all as usize + 1);
    assert_eq!(last[0].images, [image_entry(7)]);
    assert_eq!(scene.say(node(1), ToLeader::WatchNext { watch: 5 }), [], "it has all");
}

#[test]
fn a_page_of_large_maps_is_bounded_in_bytes() {
    let mut scene = Scene::of(0);
    let large = |n: u8| facts(n, &[("blob", "x".repeat(60_000).into())]);
    for n in 1..=12 {
        scene.admit(node(n), None);
        scene.join(node(n), large(n));
    }
    let effects = watch(&mut scene, node(1), 1, true, false);
    let first = told(&effects, node(1));
    assert_eq!((first[0].part, first[0].members.len()), (Part::Page, 8));
    let bytes = odeon_convention::wire::encode(&ToMember::Watched(Box::new(first[0].clone()))).unwrap().len();
    assert!(bytes < limits::WATCHED_BYTES_MAX + 1_000, "{bytes}");
    let last = told(&scene.say(node(1), ToLeader::WatchNext { watch: 1 }), node(1));
    assert_eq!((last[0].part, last[0].members.len()), (Part::LastPage, 4));
}

#[test]
fn a_member_that_registers_again_or_is_gone_is_told_no_more_until_it_asks() {
    let mut scene = Scene::of(3);
    watch(&mut scene, node(1), 1, true, true);
    watch(&mut scene, node(2), 1, true, true);
    scene.join(node(1), facts(1, &[]));
    scene.say(node(2), ToLeader::Leave);
    let effects = scene.operate(approve(7, true));
    assert_eq!((told(&effects, node(1)), told(&effects, node(2))), (vec![], vec![]));
    assert_eq!(told(&watch(&mut scene, node(1), 2, true, true), node(1))[0].members.len(), 2);
}

fn watch_changes(scene: &mut Scene, from: NodeRef, watch: u64, members: bool, since: Since) -> Vec<Watched> {
    let capabilities = Some(since);
    let effects = scene.say(from, ToLeader::Watch { watch, members, images: false, capabilities });
    told_upto(&effects, from)
}

fn set(scene: &mut Scene, who: NodeRef, version: u64, key: &str, value: Option<Value>) -> Vec<LeaderEffect> {
    scene.say(who, ToLeader::CapabilitiesChanged { version, delta: Delta([(key.to_owned(), value)].into()) })
}

#[test]
fn who_wants_to_know_only_of_changes_is_told_no_listing_and_what_has_changed_since_a_record() {
    let mut scene = Scene::of(3);
    set(&mut scene, node(2), 1, "gpu", Some(1.into()));
    let first = watch_changes(&mut scene, node(1), 1, false, Since::Now);
    let upto = first[0].upto;
    assert_eq!(first, [Watched { upto, ..page(1, 1, Part::LastPage, vec![]) }], "what was before is not told");

    let effects = set(&mut scene, node(2), 2, "zone", Some("a".into()));
    let now: &[(&str, Value)] = &[("gpu", 1.into()), ("zone", "a".into())];
    let change = Watched { changed: vec![changed(node(2), now, &["zone"])], ..page(1, 2, Part::Change, vec![]) };
    assert_eq!(told(&effects, node(1)), [change]);
    assert!(told_upto(&effects, node(1))[0].upto > upto);
    scene.admit(node(4), None);
    assert_eq!(told(&scene.join(node(4), facts(4, &[("gpu", 3.into())])), node(1)), [], "that one joins");

    // It asks anew from what it was told first, as after a loss of its link: both changes since then, and no more.
    set(&mut scene, node(3), 1, "gpu", Some(2.into()));
    set(&mut scene, node(2), 3, "gpu", None);
    let again = watch_changes(&mut scene, node(1), 2, false, Since::Record(upto));
    let expected =
        [changed(node(3), &[("gpu", 2.into())], &["gpu"]), changed(node(2), &[("zone", "a".into())], &["gpu", "zone"])];
    assert_eq!((again.len(), again[0].part, &again[0].changed[..]), (1, Part::LastPage, &expected[..]));
    let nothing = watch_changes(&mut scene, node(1), 3, false, Since::Record(again[0].upto));
    assert_eq!(nothing[0].changed, []);
    // Another start of a member has changed nothing yet.
    scene.admit(next_start(node(3)), None);
    scene.join(next_start(node(3)), facts(3, &[("gpu", 5.into())]));
    let after_a_start = watch_changes(&mut scene, node(1), 4, false, Since::Record(upto));
    assert_eq!(after_a_start[0].changed.iter().map(|c| c.member.node).collect::<Vec<_>>(), [node(2)]);
}

#[test]
fn many_changes_since_a_record_come_page_by_page_and_each_change_meanwhile_in_its_turn() {
    let mut scene = Scene::of(1);
    let all = limits::WATCHED_TOGETHER_MAX as u32 + 10;
    let member = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&(n + 0x0200_0000).to_be_bytes());
        NodeRef { id: odeon::NodeId(id), ..node(1) }
    };
    let since = watch_changes(&mut scene, node(1), 1, false, Since::Now)[0].upto;
    scene.say(node(1), ToLeader::Watch { watch: 2, members: false, images: false, capabilities: None });
    for n in 0..all {
        scene.admit_with(token(9, None, None), member(n));
        scene.join(member(n), NodeFacts { name: format!("m{n}"), ..facts(1, &[]) });
        set(&mut scene, member(n), 1, "gpu", Some(1.into()));
    }
    let first = watch_changes(&mut scene, node(1), 3, false, Since::Record(since));
    assert_eq!((first[0].part, first[0].changed.len()), (Part::Page, limits::WATCHED_TOGETHER_MAX));
    assert_eq!(first[0].upto, since, "one that asks anew now asks for all of it");
    assert_eq!(told(&set(&mut scene, member(all - 1), 2, "zone", Some("a".into())), node(1)), [], "it is listed later");
    let last = told_upto(&scene.say(node(1), ToLeader::WatchNext { watch: 3 }), node(1));
    assert_eq!((last[0].part, last[0].changed.len()), (Part::LastPage, 10));
    assert_eq!(last[0].changed[9].keys, ["gpu", "zone"]);
    let effects = set(&mut scene, member(0), 2, "zone", Some("a".into()));
    assert_eq!(told(&effects, node(1))[0].changed[0].keys, ["zone"]);
}

#[test]
fn who_wants_to_know_of_members_and_changes_is_told_of_each_once() {
    let mut scene = Scene::of(2);
    let first = watch_changes(&mut scene, node(1), 1, true, Since::Now);
    assert_eq!((first[0].members.len(), first[0].changed.len()), (2, 0));
    let effects = set(&mut scene, node(2), 1, "gpu", Some(1.into()));
    let change =
        Watched { changed: vec![changed(node(2), &[("gpu", 1.into())], &["gpu"])], ..page(1, 2, Part::Change, vec![]) };
    assert_eq!(told(&effects, node(1)), [change]);
    let again = watch_changes(&mut scene, node(1), 2, true, Since::Record(first[0].upto));
    assert_eq!((again[0].members.len(), again[0].changed.len()), (2, 1), "the listing has all members");
}

// The member.

struct Node {
    member: Member,
    watches: u64,
}

fn actor(n: u32) -> Address {
    address(node(1), n)
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn joined(who: NodeRef) -> News {
    News::Joined(entry(who, &[]))
}

fn lost(who: NodeRef, reason: &str) -> News {
    News::Lost { node: who, name: format!("n{}", who.id.0[0]), reason: reason.to_owned() }
}

const MISSED: &str = "it is gone, as the leader knows";

impl Node {
    /// Node 1, registered.
    fn new() -> Self {
        let mut node = Self { member: Member::new(MemberConfig::default(), node(1), facts(1, &[]), 1), watches: 0 };
        node.give(Input::Connected { leader: LEADER });
        node.welcome();
        node
    }

    /// Actor 1 of it watches members and was told of nodes 1 and 2.
    fn watching() -> Self {
        let mut node = Self::new();
        node.give(Input::Watch { by: actor(1), topic: Topic::Members, on: true });
        let news = node.listing(&[entry(self::node(1), &[]), entry(self::node(2), &[])]);
        assert_eq!(news, [(vec![actor(1)], vec![joined(self::node(1)), joined(self::node(2))])]);
        node
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.member.handle(1_000, input);
        let effects: Vec<Effect> = std::iter::from_fn(|| self.member.next_effect()).collect();
        let asked = effects.iter().filter(|e| matches!(e, Effect::Send { message: ToLeader::Watch { .. }, .. }));
        self.watches += asked.count() as u64;
        effects
    }

    fn hear(&mut self, message: ToMember) -> Vec<Effect> {
        self.give(Input::Received { from: LEADER, message })
    }

    fn told(&mut self, watched: Watched) -> Vec<Effect> {
        self.hear(ToMember::Watched(Box::new(watched)))
    }

    fn welcome(&mut self) -> Vec<Effect> {
        self.hear(registered(1))
    }

    /// The whole listing in one page: what the actors are told then.
    fn listing(&mut self, members: &[MemberEntry]) -> Vec<(Vec<Address>, Vec<News>)> {
        let watch = self.watches;
        news(self.told(page(watch, 1, Part::LastPage, members.to_vec())))
    }
}

/// Whom something is told, and what; there is nothing else.
#[track_caller]
fn news(effects: Vec<Effect>) -> Vec<(Vec<Address>, Vec<News>)> {
    let of = |effect| match effect {
        Effect::News { to, news } => (to, news),
        other => panic!("{other:?}"),
    };
    effects.into_iter().map(of).collect()
}

#[test]
fn the_first_watcher_makes_the_member_ask_and_the_last_one_ends_it() {
    let mut node = Node::new();
    let ask = |watch, members, images, capabilities| [say(ToLeader::Watch { watch, members, images, capabilities })];
    let mut watch = |n, topic, on| node.give(Input::Watch { by: actor(n), topic, on });
    assert_eq!(watch(1, Topic::Members, true), ask(1, true, false, None));
    assert_eq!(watch(1, Topic::Members, true), []);
    assert_eq!(watch(2, Topic::Capabilities, true), ask(2, true, false, Some(Since::Now)));
    assert_eq!(watch(2, Topic::Images, true), ask(3, true, true, Some(Since::Now)));
    assert_eq!(watch(1, Topic::Members, false), ask(4, false, true, Some(Since::Now)));
    assert_eq!(watch(2, Topic::Capabilities, false), ask(5, false, true, None));
    let exit = |n| Input::Exited { address: actor(n), global_name: None };
    assert_eq!(node.give(exit(1)), []);
    assert_eq!(node.give(exit(2)), ask(6, false, false, None));
    node.give(Input::Disconnected { leader: LEADER });
    node.give(Input::Connected { leader: LEADER });
    assert_eq!(node.welcome(), [Effect::Joined { leader: LEADER, term: 1 }]);
}

#[test]
fn one_that_watches_later_is_told_from_the_copy_and_only_it() {
    let mut node = Node::watching();
    let effects = node.give(Input::Watch { by: actor(2), topic: Topic::Members, on: true });
    assert_eq!(news(effects), [(vec![actor(2)], vec![joined(self::node(1)), joined(self::node(2))])]);
    let effects = node.told(page(1, 2, Part::Change, vec![entry(self::node(3), &[])]));
    assert_eq!(news(effects), [(vec![actor(1), actor(2)], vec![joined(self::node(3))])]);
}

#[test]
fn a_loss_is_told_once_from_whichever_word_comes_first() {
    let mut node = Node::watching();
    let gone = is_gone(self::node(2), "it left");
    let effects = node.hear(gone.clone());
    assert_eq!(effects[0], Effect::News { to: vec![actor(1)], news: vec![lost(self::node(2), "it left")] });
    assert_eq!(node.hear(gone), []);
    assert_eq!(node.told(page(1, 2, Part::Change, vec![entry(self::node(2), &[])])), [], "it is known to be gone");
}

#[test]
fn another_leader_tells_only_what_was_missed() {
    let mut node = Node::watching();
    let other = next_start(LEADER);
    node.give(Input::Disconnected { leader: LEADER });
    node.give(Input::Connected { leader: other });
    let welcome = registered(2);
    let effects = node.give(Input::Received { from: other, message: welcome });
    let asked = ToLeader::Watch { watch: 2, members: true, images: false, capabilities: None };
    assert_eq!(effects.last(), Some(&Effect::Send { to: other, message: asked }));
    let mut hear =
        |told: Watched| node.give(Input::Received { from: other, message: ToMember::Watched(Box::new(told)) });
    assert_eq!(hear(page(1, 2, Part::Change, vec![entry(self::node(5), &[])])), [], "of an earlier listing");
    let effects = hear(page(2, 1, Part::Page, vec![entry(self::node(1), &[]), entry(self::node(3), &[])]));
    let next = Effect::Send { to: other, message: ToLeader::WatchNext { watch: 2 } };
    assert_eq!(effects, [Effect::News { to: vec![actor(1)], news: vec![joined(self::node(3))] }, next]);
    let effects = hear(page(2, 2, Part::LastPage, vec![]));
    assert_eq!(news(effects), [(vec![actor(1)], vec![lost(self::node(2), MISSED)])]);
}

#[test]
fn a_later_start_is_told_as_a_loss_and_a_join() {
    let mut node = Node::watching();
    let again = next_start(self::node(2));
    let effects = node.told(page(1, 2, Part::Change, vec![entry(again, &[])]));
    let superseded = lost(self::node(2), "a later start supersedes it");
    assert_eq!(news(effects), [(vec![actor(1)], vec![superseded, joined(again)])]);
    let reason = "a later start supersedes it".to_owned();
    let effects = node.hear(is_gone(self::node(2), &reason));
    assert_eq!(effects, [Effect::MemberGone { node: self::node(2), reason }], "its actors' parents hear of it");
    assert_eq!(node.told(page(1, 3, Part::Change, vec![entry(self::node(2), &[])])), [], "an earlier start");
}

#[test]
fn a_missing_part_makes_the_member_ask_anew() {
    let mut node = Node::watching();
    let effects = node.told(page(1, 3, Part::Change, vec![entry(self::node(4), &[])]));
    assert_eq!(effects, [say(ToLeader::Watch { watch: 2, members: true, images: false, capabilities: None })]);
    assert_eq!(node.told(page(1, 4, Part::Change, vec![entry(self::node(5), &[])])), []);
    let there: Vec<MemberEntry> = (1..=5).map(|n| entry(self::node(n), &[])).collect();
    let missed: Vec<News> = (3..=5).map(|n| joined(self::node(n))).collect();
    assert_eq!(node.listing(&there), [(vec![actor(1)], missed)]);
}

#[test]
fn changes_of_capabilities_are_told_to_those_who_want_to_know_with_what_is_different() {
    let mut node = Node::watching();
    let effects = node.give(Input::Watch { by: actor(2), topic: Topic::Capabilities, on: true });
    let capabilities = Some(Since::Record(0));
    assert_eq!(effects, [say(ToLeader::Watch { watch: 2, members: true, images: false, capabilities })]);
    assert_eq!(node.listing(&[entry(self::node(1), &[]), entry(self::node(2), &[])]), []);
    let now = entry(self::node(2), &[("gpu", 2.into()), ("zone", "a".into())]);
    let effects = node.told(page(2, 2, Part::Change, vec![now.clone()]));
    let changed = News::Changed { member: now.clone(), keys: vec!["gpu".to_owned(), "zone".to_owned()] };
    assert_eq!(news(effects), [(vec![actor(2)], vec![changed])]);
    assert_eq!(node.told(page(2, 3, Part::Change, vec![now])), [], "nothing is different");
    // One that joins and changes at once is told in one word, and those who watch only changes have to know as well.
    let both = ChangedEntry { member: entry(self::node(3), &[("gpu", 1.into())]), keys: vec!["gpu".to_owned()] };
    let effects = node.told(change(2, 4, 1, vec![both.clone()]));
    let told =
        [(vec![actor(1)], vec![News::Joined(both.member.clone())]), (vec![actor(2)], told_changed(&both, &["gpu"]))];
    assert_eq!(news(effects), told);
    let gone = |n| is_gone(self::node(n), "it left");
    node.hear(gone(3));
    // It is told of a change that happened while there was no link, too.
    node.give(Input::Disconnected { leader: LEADER });
    node.give(Input::Connected { leader: LEADER });
    node.welcome();
    let later = entry(self::node(2), &[("gpu", 2.into())]);
    let told = node.listing(&[entry(self::node(1), &[]), later.clone()]);
    assert_eq!(told, [(vec![actor(2)], vec![News::Changed { member: later, keys: vec!["zone".to_owned()] }])]);
}

/// What a leader tells one that watches nothing but changes.
fn change(watch: u64, number: u64, upto: u64, entries: Vec<ChangedEntry>) -> Watched {
    Watched { changed: entries, upto, ..page(watch, number, Part::Change, vec![]) }
}

fn told_changed(entry: &ChangedEntry, keys: &[&str]) -> Vec<News> {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    vec![News::Changed { member: entry.member.clone(), keys }]
}

#[test]
fn who_watches_only_changes_asks_from_the_last_one_on_and_compares_with_what_it_was_told() {
    let mut node = Node::new();
    let ask = |watch, members, since| say(ToLeader::Watch { watch, members, images: false, capabilities: Some(since) });
    let watch = |n, topic| Input::Watch { by: actor(n), topic, on: true };
    assert_eq!(node.give(watch(1, Topic::Capabilities)), [ask(1, false, Since::Now)]);
    assert_eq!(news(node.told(Watched { upto: 40, ..page(1, 1, Part::LastPage, vec![]) })), []);
    let first = changed(self::node(2), &[("gpu", 1.into()), ("zone", "a".into())], &["gpu"]);
    let effects = node.told(change(1, 2, 41, vec![first.clone()]));
    assert_eq!(news(effects), [(vec![actor(1)], told_changed(&first, &["gpu"]))], "without a copy the leader knows");
    // The link is lost: what is different since then is told, and nothing twice.
    node.give(Input::Disconnected { leader: LEADER });
    node.give(Input::Connected { leader: LEADER });
    assert_eq!(node.welcome().last(), Some(&ask(2, false, Since::Record(41))));
    let second = changed(self::node(2), &[("gpu", 1.into()), ("zone", "b".into())], &["gpu", "zone"]);
    let same = Watched { changed: vec![second.clone()], upto: 50, ..page(2, 1, Part::LastPage, vec![]) };
    let effects = node.told(same);
    assert_eq!(news(effects), [(vec![actor(1)], told_changed(&second, &["zone"]))], "gpu has its old value again");
    assert_eq!(node.told(change(2, 2, 51, vec![second.clone()])), []);

    // Another actor wants to know who is there, and only it is told that. The first goes on from what it was told.
    assert_eq!(node.give(watch(2, Topic::Members)), [ask(3, true, Since::Record(51))]);
    let third = entry(self::node(2), &[("zone", "b".into())]);
    let unknown = changed(self::node(3), &[("gpu", 4.into())], &["gpu"]);
    let listing = Watched {
        members: vec![entry(self::node(1), &[]), third.clone()],
        changed: vec![unknown.clone()],
        upto: 60,
        ..page(3, 1, Part::LastPage, vec![])
    };
    let gpu = News::Changed { member: third.clone(), keys: vec!["gpu".to_owned()] };
    let there = vec![News::Joined(unknown.member.clone()), joined(self::node(1)), News::Joined(third)];
    let expected =
        [(vec![actor(1)], vec![gpu]), (vec![actor(2)], there), (vec![actor(1)], told_changed(&unknown, &["gpu"]))];
    assert_eq!(news(node.told(listing)), expected);
    // And when that one has enough, nobody is lost to anybody.
    let end = Input::Watch { by: actor(2), topic: Topic::Members, on: false };
    assert_eq!(node.give(end), [ask(4, false, Since::Record(60))]);
    assert_eq!(news(node.told(Watched { upto: 61, ..page(4, 1, Part::LastPage, vec![]) })), []);
    let gone = is_gone(self::node(3), "it left");
    assert_eq!(node.hear(gone), [Effect::MemberGone { node: self::node(3), reason: "it left".to_owned() }]);
}

#[test]
fn an_actor_that_watches_both_is_told_of_a_join_and_not_of_the_change_before_it() {
    let mut node = Node::new();
    for topic in [Topic::Capabilities, Topic::Members] {
        node.give(Input::Watch { by: actor(1), topic, on: true });
    }
    let both = changed(self::node(2), &[("gpu", 1.into())], &["gpu"]);
    let watch = node.watches;
    let told = Watched { changed: vec![both.clone()], upto: 9, ..page(watch, 1, Part::LastPage, vec![]) };
    assert_eq!(news(node.told(told)), [(vec![actor(1)], vec![News::Joined(both.member)])]);
}

#[test]
fn images_come_and_go_once() {
    let mut node = Node::new();
    node.give(Input::Watch { by: actor(1), topic: Topic::Images, on: true });
    let of = |number, part, images: &[u8], gone: &[u8]| Watched {
        images: images.iter().map(|n| image_entry(*n)).collect(),
        unavailable: gone.iter().map(|n| image_entry(*n).hash).collect(),
        ..page(1, number, part, vec![])
    };
    let available = |n| News::Available(image_entry(n));
    let effects = node.told(of(1, Part::LastPage, &[7], &[]));
    assert_eq!(news(effects), [(vec![actor(1)], vec![available(7)])]);
    let effects = node.told(of(2, Part::Change, &[7, 8], &[9]));
    assert_eq!(news(effects), [(vec![actor(1)], vec![available(8)])]);
    let effects = node.told(of(3, Part::Change, &[], &[7]));
    assert_eq!(news(effects), [(vec![actor(1)], vec![News::Unavailable(image_entry(7))])]);
    assert_eq!(node.told(of(4, Part::Change, &[], &[7])), []);
    let hash = image_entry(8).hash;
    let told = Effect::News { to: vec![actor(1)], news: vec![News::Unavailable(image_entry(8))] };
    assert_eq!(node.hear(ToMember::ImageUnloaded { hash }), [Effect::ImageUnloaded { hash }, told]);
    assert_eq!(node.hear(ToMember::ImageUnloaded { hash }), [Effect::ImageUnloaded { hash }]);
    assert_eq!(news(node.told(of(5, Part::Change, &[8], &[]))), [(vec![actor(1)], vec![available(8)])]);
}

#[test]
fn a_node_has_so_many_watchers_and_no_more() {
    let mut node = Node::new();
    for n in 0..limits::WATCHERS_MAX as u32 {
        node.give(Input::Watch { by: actor(n), topic: Topic::Images, on: true });
    }
    let one_more = Input::Watch { by: actor(0), topic: Topic::Members, on: true };
    let reason = "cannot watch: 4096 watches on this node are the most".to_owned();
    assert_eq!(node.give(one_more.clone()), [Effect::WatchRefused { by: actor(0), reason }]);
    node.give(Input::Watch { by: actor(1), topic: Topic::Images, on: false });
    let asked = say(ToLeader::Watch { watch: 2, members: true, images: true, capabilities: None });
    assert_eq!(node.give(one_more), [asked]);
}

#[test]
fn what_a_leader_says_beyond_the_bounds_is_not_taken() {
    let mut node = Node::watching();
    let long = MemberEntry { name: "n".repeat(limits::NAME_BYTES_MAX + 1), ..entry(self::node(3), &[]) };
    assert_eq!(node.told(page(1, 2, Part::Change, vec![long])), []);
}
