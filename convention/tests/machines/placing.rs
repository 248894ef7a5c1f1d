//! Placement: who is asked, who is asked next, and what is answered.

use crate::scene::{Scene, address, asked_to_host, facts, node, request, send, spec};
use odeon_capabilities::Requirements;
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Effect, Input, Operation};
use odeon_convention::types::{CheckVerdict, CreateOutcome, CreateSpec, Explanation, NearMiss, Placement, Rejection};
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};

fn created(on: u8, slot: u32) -> CreateOutcome {
    CreateOutcome::Created { address: address(node(on), slot), node: node(on), existing: false }
}

fn told(to: u8, number: u64, outcome: CreateOutcome) -> Effect {
    send(node(to), ToMember::Created { request: request(to, number), outcome: Box::new(outcome) })
}

fn refuse(scene: &mut Scene, on: u8, number: u64, reason: &str) -> Vec<Effect> {
    let outcome = PlaceOutcome::Refused { reason: reason.to_owned() };
    scene.say(node(on), ToLeader::Placed { request: request(1, number), outcome })
}

#[test]
fn a_creation_is_placed_and_answered_and_answered_again_alike() {
    let mut scene = Scene::of(2);
    let local = CreateSpec { placement: Placement::Local, ..spec() };
    assert_eq!(asked_to_host(&scene.create(request(2, 1), local.clone())), Some(node(2)));
    assert_eq!(scene.create(request(2, 1), local.clone()), [], "it is under way");
    assert_eq!(scene.placed(node(2), request(2, 1), address(node(2), 1)), [told(2, 1, created(2, 1))]);
    assert_eq!(scene.create(request(2, 1), local), [told(2, 1, created(2, 1))]);
}

#[test]
fn many_creations_on_equal_nodes_spread_within_one() {
    let mut scene = Scene::of(5);
    let mut hosts = [0u32; 6];
    for number in 0..23 {
        let host = asked_to_host(&scene.create(request(1, number), spec())).unwrap();
        hosts[usize::from(host.id.0[0])] += 1;
        if number % 2 == 0 {
            scene.placed(host, request(1, number), address(host, 1));
        }
    }
    let hosts = &hosts[1..];
    assert!(hosts.iter().max().unwrap() - hosts.iter().min().unwrap() <= 1, "{hosts:?}");
}

#[test]
fn a_refusal_tries_the_next_and_when_none_is_left_the_reasons_are_counted() {
    let mut scene = Scene::of(3);
    assert_eq!(asked_to_host(&scene.create(request(1, 1), spec())), Some(node(1)));
    assert_eq!(asked_to_host(&refuse(&mut scene, 1, 1, "no disk")), Some(node(2)));
    assert_eq!(asked_to_host(&refuse(&mut scene, 2, 1, "no disk")), Some(node(3)));
    let effects = refuse(&mut scene, 3, 1, "no memory");
    let rejection = |reason: &str, nodes, example: &str| Rejection {
        reason: reason.to_owned(),
        nodes,
        example: example.to_owned(),
    };
    let miss = |node: &str, lack: &str| NearMiss { node: node.to_owned(), lacks: vec![lack.to_owned()] };
    let explanation = Explanation {
        nodes: 3,
        accepted: 0,
        chosen: None,
        rejected: vec![rejection("no disk", 2, "n1"), rejection("no memory", 1, "n3")],
        nearest: vec![miss("n1", "no disk"), miss("n2", "no disk"), miss("n3", "no memory")],
    };
    assert_eq!(effects, [told(1, 1, CreateOutcome::NoCompatibleNode(explanation))]);
}

#[test]
fn the_death_of_the_chosen_node_tries_the_next() {
    let mut scene = Scene::of(3);
    scene.create(request(3, 1), spec());
    let effects = scene.pass(5_000, &[node(2), node(3)]);
    assert_eq!(asked_to_host(&effects), Some(node(2)));
}

#[test]
fn what_a_link_lost_is_asked_again_and_what_it_hosts_is_not_asked_twice() {
    let mut scene = Scene::of(2);
    scene.create(request(2, 1), spec());
    scene.give(Input::Disconnected { node: node(1) });
    assert_eq!(asked_to_host(&scene.join(node(1), facts(1, &[]))), Some(node(1)));
    scene.give(Input::Disconnected { node: node(1) });
    let mut hosting = facts(1, &[]);
    hosting.hosted.push(odeon_convention::types::Hosted {
        request: request(2, 1),
        address: address(node(1), 4),
        global_name: None,
        distinct: None,
    });
    let effects = scene.join(node(1), hosting);
    assert_eq!(asked_to_host(&effects), None);
    assert!(effects.contains(&told(2, 1, created(1, 4))), "{effects:?}");
}

#[test]
fn requirements_are_explained_by_node() {
    let mut scene = Scene::with(&[facts(1, &[]), facts(2, &[("Has DB access", false.into())]), facts(3, &[])]);
    let wanted = CreateSpec { requirements: Requirements::none().require("Has DB access"), ..spec() };
    let effects = scene.operate(Operation::Explain(Box::new(wanted)));
    let [Effect::Answer { answer: Answer::Explained(explanation), .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let reason = "lacks capability \"Has DB access\"".to_owned();
    assert_eq!((explanation.nodes, explanation.accepted), (3, 0));
    assert_eq!(explanation.rejected, [Rejection { reason, nodes: 3, example: "n1".to_owned() }]);
}

#[test]
fn a_check_is_asked_once_for_nodes_that_agree_on_what_it_read() {
    let mut scene = Scene::with(&[facts(1, &[("a", 1.into())]), facts(2, &[("a", 2.into())]), facts(3, &[])]);
    for number in 0..5 {
        scene.create(request(1, number), spec());
    }
    assert_eq!(scene.checks, 1, "it read nothing, so that its answer holds everywhere");
}

#[test]
fn a_check_that_refuses_everywhere_is_no_compatible_node() {
    let mut scene = Scene::of(2);
    scene.verdict = Some(CheckVerdict::Failed("it looped".to_owned()));
    let effects = scene.create(request(1, 1), spec());
    let [Effect::Send { message: ToMember::Created { outcome, .. }, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let CreateOutcome::NoCompatibleNode(explanation) = &**outcome else { panic!("{outcome:?}") };
    assert_eq!(explanation.rejected[0].reason, "the actor's own check failed: it looped");
    assert_eq!(explanation.rejected[0].nodes, 2);
}

#[test]
fn a_check_that_failed_is_not_asked_again_at_once_but_after_a_while() {
    let mut scene = Scene::of(2);
    scene.verdict = Some(CheckVerdict::Failed("it took longer than it may".to_owned()));
    scene.create(request(1, 1), spec());
    scene.verdict = Some(CheckVerdict::Accepted);
    let members = [node(1), node(2)];
    scene.pass(29_000, &members);
    assert_eq!(asked_to_host(&scene.create(request(1, 2), spec())), None);
    scene.pass(2_000, &members);
    assert_eq!(asked_to_host(&scene.create(request(1, 3), spec())), Some(node(1)));
    assert_eq!(scene.checks, 2);
}

#[test]
fn what_cannot_be_tried_is_refused_with_its_code() {
    let mut scene = Scene::of(1);
    let mut number = 0;
    let mut code = |spec: CreateSpec| {
        number += 1;
        let effects = scene.create(request(1, number), spec);
        let [Effect::Send { message: ToMember::Created { outcome, .. }, .. }] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        let CreateOutcome::Refused { code, .. } = **outcome else { panic!("{outcome:?}") };
        code
    };
    let broken = Requirements::none().expression("gpu >");
    assert_eq!(code(CreateSpec { requirements: broken, ..spec() }), codes::BAD_REQUIREMENT);
    assert_eq!(code(CreateSpec { actor: "Nobody".to_owned(), ..spec() }), codes::ACTOR_TYPE_UNKNOWN);
    assert_eq!(code(CreateSpec { on: Some(node(9).id), ..spec() }), codes::NODE_UNKNOWN);
    let image = Some(odeon_convention::types::SourceHash([1; 32]));
    assert_eq!(code(CreateSpec { image, ..spec() }), codes::IMAGE_UNKNOWN);
    assert_eq!(code(CreateSpec { actor: String::new(), ..spec() }), codes::BAD_REQUEST);
}

#[test]
fn a_word_that_makes_no_sense_is_counted_and_harms_nobody() {
    let mut scene = Scene::of(2);
    assert_eq!(scene.placed(node(1), request(1, 77), address(node(1), 1)), []);
    assert_eq!(
        scene.say(node(1), ToLeader::Create { request: request(2, 1), again: false, spec: Box::new(spec()) }),
        []
    );
    let freed = ToLeader::NameFreed { name: "clock".to_owned(), address: address(node(2), 1) };
    assert_eq!(scene.say(node(1), freed), []);
    assert_eq!(scene.leader.dropped(), 3);
    scene.create(request(2, 2), spec());
    let stolen = scene.placed(node(1), request(2, 2), address(node(2), 1));
    assert_eq!(asked_to_host(&stolen), Some(node(2)), "an address of another node is a refusal");
}
