//! Registration: incarnations, names, claims, deltas.

use crate::scene::{Scene, answer, facts, is_gone, next_start, node, refused, send};
use odeon_capabilities::Delta;
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Effect, Input, MemberState, Operation};
use odeon_convention::types::Load;
use odeon_convention::wire::{Revoked, ToLeader, ToMember};

fn welcome(gone: Vec<odeon::NodeRef>) -> ToMember {
    let gone_upto = gone.len() as u64;
    let (images, leaders, revoked) = (vec![], vec![], Revoked::default());
    ToMember::Registered { term: 1, lease_ms: 4_200, renew_every_ms: 3_000, images, gone, gone_upto, leaders, revoked }
}

fn delta(key: &str, value: Option<bool>) -> Delta {
    Delta([(key.to_owned(), value.map(Into::into))].into())
}

#[test]
fn a_registration_is_answered_only_once_it_is_durable() {
    let mut scene = Scene::of(0);
    scene.admit(node(1), None);
    let register = ToLeader::Register(Box::new(facts(1, &[])));
    let early = scene.give_uncommitted(Input::Received { from: node(1), message: register.clone() });
    assert_eq!(early, []);
    assert_eq!(scene.leader.members(scene.now), [], "nor is it shown");
    assert_eq!(scene.commit(), [send(node(1), welcome(vec![]))]);
    let records = scene.ledger.len();
    assert_eq!(scene.say(node(1), register), [send(node(1), welcome(vec![]))], "again is the same");
    assert_eq!(scene.ledger.len(), records, "and costs no record");
}

#[test]
fn a_node_that_was_never_admitted_is_refused() {
    let mut scene = Scene::of(0);
    assert_eq!(refused(&scene.join(node(1), facts(1, &[]))), Some(codes::IDENTITY));
    assert_eq!(refused(&scene.say(node(1), ToLeader::Leave)), Some(codes::IDENTITY));
}

#[test]
fn a_later_start_supersedes_and_an_earlier_one_is_refused() {
    let mut scene = Scene::of(2);
    let later = next_start(node(1));
    let effects = scene.join(later, facts(1, &[]));
    let reason = "a later start supersedes it".to_owned();
    let expected = [
        Effect::Close { node: node(1), reason: reason.clone() },
        send(later, welcome(vec![node(1)])),
        send(later, is_gone(node(1), &reason)),
        send(node(2), is_gone(node(1), &reason)),
    ];
    assert_eq!(effects, expected);
    assert_eq!(refused(&scene.join(node(1), facts(1, &[]))), Some(codes::SUPERSEDED));
}

#[test]
fn a_name_belongs_to_one_live_node() {
    let mut scene = Scene::of(1);
    scene.admit(node(2), None);
    assert_eq!(refused(&scene.join(node(2), facts(1, &[]))), Some(codes::NODE_NAME_TAKEN));
    scene.say(node(1), ToLeader::Leave);
    assert_eq!(refused(&scene.join(node(2), facts(1, &[]))), None);
}

#[test]
fn a_capability_outside_the_claims_is_refused_at_registration_and_on_change() {
    let mut scene = Scene::of(0);
    scene.admit(node(1), Some(&["db"]));
    assert_eq!(refused(&scene.join(node(1), facts(1, &[("gpu", true.into())]))), Some(codes::CLAIM));
    assert_eq!(refused(&scene.join(node(1), facts(1, &[("db", true.into())]))), None);
    let change = ToLeader::CapabilitiesChanged { version: 1, delta: delta("gpu", Some(true)) };
    assert_eq!(refused(&scene.say(node(1), change)), Some(codes::CLAIM));
    let set = Operation::SetCapabilities { node: node(1).id, delta: delta("gpu", Some(true)) };
    assert_eq!(refused(&scene.operate(set)), Some(codes::CLAIM));
}

#[test]
fn a_gap_between_changes_asks_for_a_new_registration() {
    let mut scene = Scene::of(1);
    let change = |version| ToLeader::CapabilitiesChanged { version, delta: delta("db", Some(true)) };
    assert_eq!(scene.say(node(1), change(1)), []);
    assert_eq!(scene.say(node(1), change(3)), [send(node(1), ToMember::RegisterAgain)]);
    let renew = ToLeader::Renew { load: Load::default() };
    assert_eq!(scene.say(node(1), renew), [send(node(1), ToMember::RegisterAgain)]);
}

#[test]
fn a_reconnection_has_to_register_before_anything_counts() {
    let mut scene = Scene::of(1);
    scene.give(Input::Disconnected { node: node(1) });
    assert_eq!(scene.leader.members(scene.now)[0].state, MemberState::Suspect);
    scene.link(node(1));
    assert_eq!(scene.leader.members(scene.now)[0].state, MemberState::Alive);
    let locate = ToLeader::Locate { node: node(1).id };
    assert_eq!(scene.say(node(1), locate), [send(node(1), ToMember::RegisterAgain)]);
}

#[test]
fn an_operators_change_is_answered_when_it_comes_back_and_is_durable() {
    let mut scene = Scene::of(1);
    let wanted = delta("db", Some(true));
    let sent = scene.operate(Operation::SetCapabilities { node: node(1).id, delta: wanted.clone() });
    assert_eq!(sent, [send(node(1), ToMember::SetCapabilities { delta: wanted.clone() })]);
    let changed = ToLeader::CapabilitiesChanged { version: 1, delta: wanted };
    let early = scene.give_uncommitted(Input::Received { from: node(1), message: changed });
    assert_eq!(early, []);
    assert_eq!(scene.commit(), [answer(Answer::Done)]);
}

#[test]
fn sizes_out_of_all_reason_are_refused() {
    let mut scene = Scene::of(0);
    scene.admit(node(1), None);
    let mut large = facts(1, &[]);
    large.name = "n".repeat(10_000);
    assert_eq!(refused(&scene.join(node(1), large)), Some(codes::BAD_REQUEST));
}
