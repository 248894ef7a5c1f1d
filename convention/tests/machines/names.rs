//! Global names: one actor in the whole convention.

use crate::scene::{Scene, address, asked_to_host, named, node, request, send};
use odeon_convention::leader::{Effect, Input};
use odeon_convention::types::CreateOutcome;
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};

fn told(to: u8, number: u64, on: u8, existing: bool) -> Effect {
    let outcome = CreateOutcome::Created { address: address(node(on), 1), node: node(on), existing };
    send(node(to), ToMember::Created { request: request(to, number), outcome: Box::new(outcome) })
}

#[test]
fn concurrent_creations_of_one_name_are_one_actor() {
    let mut scene = Scene::of(3);
    assert_eq!(asked_to_host(&scene.create(request(2, 1), named("clock"))), Some(node(1)));
    assert_eq!(scene.create(request(3, 1), named("clock")), []);
    let effects = scene.placed(node(1), request(2, 1), address(node(1), 1));
    assert_eq!(effects, [told(2, 1, 1, false), told(3, 1, 1, true)]);
    assert_eq!(scene.create(request(3, 2), named("clock")), [told(3, 2, 1, true)]);
}

#[test]
fn a_name_is_answered_only_once_it_is_durable() {
    let mut scene = Scene::of(2);
    scene.create(request(2, 1), named("clock"));
    let outcome = PlaceOutcome::Placed { address: address(node(1), 1) };
    let placed = ToLeader::Placed { request: request(2, 1), outcome };
    assert_eq!(scene.give_uncommitted(Input::Received { from: node(1), message: placed }), []);
    assert_eq!(scene.commit(), [told(2, 1, 1, false)]);
}

#[test]
fn the_first_failure_leaves_the_name_to_the_next_who_asks() {
    let mut scene = Scene::of(2);
    scene.create(request(1, 1), named("clock"));
    let mut local = named("clock");
    local.on = Some(node(2).id);
    scene.create(request(2, 1), local);
    let refuse = |request| ToLeader::Placed { request, outcome: PlaceOutcome::Refused { reason: "no".to_owned() } };
    assert_eq!(asked_to_host(&scene.say(node(1), refuse(request(1, 1)))), Some(node(2)));
    let effects = scene.say(node(2), refuse(request(1, 1)));
    assert_eq!(asked_to_host(&effects), Some(node(2)), "the second asker's own creation: {effects:?}");
}

#[test]
fn a_name_is_free_again_when_its_actor_exits_or_its_node_goes() {
    let mut scene = Scene::of(3);
    scene.create(request(3, 1), named("clock"));
    scene.placed(node(1), request(3, 1), address(node(1), 1));
    scene.say(node(1), ToLeader::NameFreed { name: "clock".to_owned(), address: address(node(1), 1) });
    assert_eq!(asked_to_host(&scene.create(request(3, 2), named("clock"))), Some(node(2)));
    scene.placed(node(2), request(3, 2), address(node(2), 1));
    scene.say(node(2), ToLeader::Leave);
    assert_eq!(asked_to_host(&scene.create(request(3, 3), named("clock"))), Some(node(3)));
}
