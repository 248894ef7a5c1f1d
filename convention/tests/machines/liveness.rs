//! Leases: who is taken for dead, when, and who hears of it.

use crate::scene::{Scene, facts, is_gone, leading, node, refused, send};
use odeon_convention::leader::{Effect, Input, MemberState};
use odeon_convention::record::Record;
use odeon_convention::types::{Load, Role};
use odeon_convention::wire::{ToLeader, ToMember};
use odeon_convention::{codes, limits};

fn gone(to: u8, of: u8, reason: &str) -> Effect {
    send(node(to), is_gone(node(of), reason))
}

#[test]
fn a_silent_member_is_gone_when_its_lease_is_over_and_everyone_hears_of_it_once() {
    let mut scene = Scene::of(3);
    let others = [node(2), node(3)];
    assert_eq!(scene.pass(3_900, &others), [send(node(1), ToMember::Ping)]);
    let effects = scene.pass(2_000, &others);
    let reason = "its lease ran out";
    let close = Effect::Close { node: node(1), reason: reason.to_owned() };
    assert_eq!(effects, [close, gone(2, 1, reason), gone(3, 1, reason)]);
    assert!(scene.ledger.contains(&Record::NodeGone { node: node(1), left: false }));
    let shown = scene.leader.member_by_name_or_id("n1", scene.now).unwrap();
    assert_eq!(shown.state, MemberState::Dead);
}

#[test]
fn a_member_whose_renewals_are_lost_is_asked_and_lives_by_its_answer() {
    let mut scene = Scene::of(2);
    for _ in 0..5 {
        assert_eq!(scene.pass(3_500, &[node(2)]), [send(node(1), ToMember::Ping)]);
        assert_eq!(scene.say(node(1), ToLeader::Pong { load: Load::default() }), []);
    }
}

#[test]
fn of_those_that_are_silent_together_everyone_hears_in_one_word() {
    let mut scene = Scene::of(4);
    let effects = scene.pass(6_000, &[node(3), node(4)]);
    let reason = "its lease ran out".to_owned();
    let close = |of: u8| Effect::Close { node: node(of), reason: reason.clone() };
    let message = ToMember::MembersGone { nodes: vec![node(1), node(2)], reason: reason.clone(), upto: 2 };
    let told = |to: u8| send(node(to), message.clone());
    let asked = |to: u8| send(node(to), ToMember::Ping);
    assert_eq!(effects, [asked(1), asked(2), close(1), close(2), told(3), told(4)]);
}

#[test]
fn who_missed_it_is_told_when_it_registers() {
    let mut scene = Scene::of(2);
    scene.give(Input::Disconnected { node: node(2) });
    assert_eq!(scene.say(node(1), ToLeader::Leave), []);
    let effects = scene.join(node(2), facts(2, &[]));
    let [Effect::Send { message: ToMember::Registered { gone, .. }, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*gone, [node(1)]);
}

#[test]
fn the_end_of_a_start_is_final() {
    let mut scene = Scene::of(1);
    scene.pass(5_000, &[]);
    assert_eq!(refused(&scene.join(node(1), facts(1, &[]))), Some(codes::DECLARED_GONE));
    let next = crate::scene::next_start(node(1));
    assert_eq!(refused(&scene.join(next, facts(1, &[]))), None);
}

#[test]
fn a_link_that_comes_back_within_the_lease_changes_nothing_for_the_others() {
    let mut scene = Scene::of(2);
    assert_eq!(scene.give(Input::Disconnected { node: node(1) }), []);
    assert_eq!(scene.pass(3_000, &[node(2)]), []);
    assert_eq!(scene.link(node(1)), []);
    assert_eq!(scene.pass(3_000, &[node(2)]), []);
}

#[test]
fn a_leader_that_slept_declares_nobody_dead() {
    let mut scene = Scene::of(2);
    scene.now += 60_000;
    assert_eq!(scene.give(Input::Timer), []);
    assert_eq!(scene.pass(1_500, &[node(1), node(2)]), []);
    assert_eq!(scene.leader.members(scene.now).iter().filter(|m| m.state == MemberState::Alive).count(), 2);
}

#[test]
fn while_members_register_with_a_leader_that_has_just_begun_the_others_are_waited_for() {
    let mut scene = Scene::of(3).crash();
    let gone = |scene: &Scene| scene.ledger.iter().filter(|r| matches!(r, Record::NodeGone { .. })).count();
    for n in 1..=3 {
        scene.link(node(n));
    }
    scene.pass(3_000, &[]);
    scene.join(node(1), facts(1, &[]));
    scene.pass(3_000, &[node(1)]);
    assert_eq!(gone(&scene), 0, "one came back within the lease: the others are on their way");
    scene.join(node(2), facts(2, &[]));
    scene.pass(5_800, &[node(1), node(2)]);
    assert_eq!(gone(&scene), 0, "the first two took 6 s, so much may the third take again");
    scene.pass(700, &[node(1), node(2)]);
    assert_eq!(gone(&scene), 1);
}

#[test]
fn who_has_to_dial_a_leader_that_started_again_is_waited_for_as_long_as_two_tries_take() {
    let mut scene = Scene::of(3).crash();
    let gone = |scene: &Scene| scene.ledger.iter().filter(|r| matches!(r, Record::NodeGone { .. })).count();
    scene.pass(4_000, &[]);
    scene.join(node(1), facts(1, &[]));
    scene.link(node(2));
    scene.pass(6_000, &[node(1)]);
    assert_eq!(gone(&scene), 1, "the second has a link: the lease counts");
    scene.pass(8_900, &[node(1)]);
    assert_eq!(gone(&scene), 1, "the third may still dial");
    scene.pass(200, &[node(1)]);
    assert_eq!(gone(&scene), 2);
    let mut scene = Scene::of(3).crash();
    scene.pass(14_900, &[]);
    assert_eq!(gone(&scene), 0, "the first may still dial");
    scene.pass(200, &[]);
    assert_eq!(gone(&scene), 3);
}

#[test]
fn who_is_silent_before_it_registers_is_told_to() {
    let mut scene = Scene::of(1).crash();
    scene.link(node(1));
    assert_eq!(scene.pass(3_500, &[]), [send(node(1), ToMember::RegisterAgain)]);
    let effects = scene.say(node(1), ToLeader::Register(Box::new(facts(1, &[]))));
    assert!(matches!(effects.as_slice(), [Effect::Send { message: ToMember::Registered { .. }, .. }]), "{effects:?}");
}

#[test]
fn the_more_turn_to_a_leader_that_has_just_begun_the_longer_they_may_take() {
    let mut scene = Scene::of(200).crash();
    let mut within = |n: u8| match scene.give(Input::Connected { node: node(n), role: Role::Member }).as_slice() {
        [Effect::Send { message: ToMember::Leading { register_within_ms, .. }, .. }] => *register_within_ms,
        effects => panic!("{effects:?}"),
    };
    assert_eq!(within(1), 60);
    let mut scene = Scene::of(200).crash();
    for n in 1..=200 {
        scene.join(node(n), facts(n, &[]));
    }
    let again = scene.give(Input::Connected { node: node(1), role: Role::Member });
    assert_eq!(again, [send(node(1), leading(2))], "nobody else is on the way");
}

#[test]
fn while_members_come_back_nobody_is_dead_who_is_back_already() {
    let mut scene = Scene::of(3).crash();
    let gone = |scene: &Scene| scene.ledger.iter().filter(|r| matches!(r, Record::NodeGone { .. })).count();
    scene.join(node(1), facts(1, &[]));
    scene.pass(3_000, &[]);
    scene.join(node(2), facts(2, &[]));
    scene.pass(3_000, &[node(2)]);
    scene.join(node(3), facts(3, &[]));
    scene.pass(5_800, &[node(2), node(3)]);
    assert_eq!(gone(&scene), 0, "what the first one says may wait behind those that come");
    scene.pass(2_000, &[node(2), node(3)]);
    assert_eq!(gone(&scene), 1);
}

#[test]
fn those_who_end_while_others_are_told_are_told_together_in_the_next_round() {
    let mut scene = Scene::of(5);
    scene.flushes = false;
    let words = scene.say(node(1), ToLeader::Leave);
    assert_eq!(words.len(), 5, "one to each and the end of the round: {words:?}");
    assert_eq!(scene.say(node(2), ToLeader::Leave), []);
    assert_eq!(scene.say(node(3), ToLeader::Leave), []);
    let message = ToMember::MembersGone { nodes: vec![node(2), node(3)], reason: "it left".to_owned(), upto: 3 };
    let round = [send(node(4), message.clone()), send(node(5), message), Effect::Flush];
    assert_eq!(scene.give(Input::Flushed), round);
    assert_eq!(scene.give(Input::Flushed), []);
    let message = ToMember::MembersGone { nodes: vec![node(4)], reason: "it left".to_owned(), upto: 4 };
    assert_eq!(scene.say(node(4), ToLeader::Leave), [send(node(5), message), Effect::Flush]);
}

#[test]
fn a_member_is_told_the_ends_that_it_asks_for_in_pages() {
    let mut scene = Scene::of(2);
    let mut start = node(1);
    let mut starts = Vec::new();
    for _ in 0..limits::GONE_TOLD_TOGETHER_MAX + 9 {
        starts.push(start);
        start = crate::scene::next_start(start);
        scene.join(start, facts(1, &[]));
    }
    let all = starts.len() as u64;
    let effects = scene.join(node(2), facts(2, &[]));
    let [Effect::Send { message: ToMember::Registered { gone, gone_upto, .. }, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((gone.as_slice(), *gone_upto), (&starts[starts.len() - 8..], all));
    let page = |nodes: &[odeon::NodeRef], upto, last| {
        send(node(2), ToMember::GoneBefore { nodes: nodes.to_vec(), upto, last })
    };
    let first = 3 + limits::GONE_TOLD_TOGETHER_MAX;
    let pages = [page(&starts[3..first], first as u64, false), page(&starts[first..], all, true)];
    assert_eq!(scene.say(node(2), ToLeader::GoneSince { upto: 3 }), pages);
    assert_eq!(scene.say(node(2), ToLeader::GoneSince { upto: all + 1 }), []);
}

#[test]
fn who_leaves_is_shown_as_left() {
    let mut scene = Scene::of(2);
    assert_eq!(scene.say(node(1), ToLeader::Leave), [gone(2, 1, "it left")]);
    assert!(scene.ledger.contains(&Record::NodeGone { node: node(1), left: true }));
    assert_eq!(scene.leader.member_by_name_or_id("n1", scene.now).unwrap().state, MemberState::Left);
}
