//! Leases: who is taken for dead, when, and who hears of it.

use crate::scene::{Scene, facts, node, refused, send};
use odeon_convention::codes;
use odeon_convention::leader::{Effect, Input, MemberState};
use odeon_convention::record::Record;
use odeon_convention::types::Load;
use odeon_convention::wire::{ToLeader, ToMember};

fn gone(to: u8, of: u8, reason: &str) -> Effect {
    send(node(to), ToMember::MemberGone { node: node(of), reason: reason.to_owned() })
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
    let told = |to: u8| send(node(to), ToMember::MembersGone { nodes: vec![node(1), node(2)], reason: reason.clone() });
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
fn while_members_come_back_to_a_leader_that_started_again_the_others_are_waited_for() {
    let mut scene = Scene::of(3).crash();
    let gone = |scene: &Scene| scene.ledger.iter().filter(|r| matches!(r, Record::NodeGone { .. })).count();
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
fn who_leaves_is_shown_as_left() {
    let mut scene = Scene::of(2);
    assert_eq!(scene.say(node(1), ToLeader::Leave), [gone(2, 1, "it left")]);
    assert!(scene.ledger.contains(&Record::NodeGone { node: node(1), left: true }));
    assert_eq!(scene.leader.member_by_name_or_id("n1", scene.now).unwrap().state, MemberState::Left);
}
