//! A node that is to become empty: it takes nothing new, and everybody knows why.

use crate::scene::{LEADER, Scene, address, asked_to_host, facts, node, outcome, registered, request, send, spec};
use odeon_capabilities::Requirements;
use odeon_convention::leader::{Answer, Effect as LeaderEffect, Operation};
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::types::{
    CheckVerdict, CreateOutcome, CreateSpec, Explanation, NearMiss, NodeFacts, Placement, Rejection,
};
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};

const REASON: &str = "is draining";

fn draining(scene: &mut Scene, n: u8, draining: bool) -> Vec<LeaderEffect> {
    scene.say(node(n), ToLeader::Draining { draining })
}

fn explained(scene: &mut Scene, spec: CreateSpec) -> Explanation {
    let effects = scene.operate(Operation::Explain(Box::new(spec)));
    match effects.as_slice() {
        [LeaderEffect::Answer { answer: Answer::Explained(explanation), .. }] => explanation.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_placed_on_a_draining_node_and_everything_again_afterwards() {
    let mut scene = Scene::of(2);
    assert_eq!(draining(&mut scene, 1, true), []);
    for number in 0..3 {
        assert_eq!(asked_to_host(&scene.create(request(1, number), spec())), Some(node(2)));
    }
    assert!(scene.leader.member_by_name_or_id("n1", scene.now).unwrap().draining);
    assert_eq!(draining(&mut scene, 1, false), []);
    assert_eq!(asked_to_host(&scene.create(request(1, 3), spec())), Some(node(1)), "it has the fewest");
    assert!(!scene.leader.member_by_name_or_id("n1", scene.now).unwrap().draining);
}

#[test]
fn draining_is_a_reason_like_any_other() {
    let mut scene = Scene::with(&[facts(1, &[]), facts(2, &[("db", true.into())]), facts(3, &[])]);
    draining(&mut scene, 2, true);
    draining(&mut scene, 3, true);
    let wanted = CreateSpec { requirements: Requirements::none().require("db"), ..spec() };
    let lacks = "lacks capability \"db\"";
    let rejection =
        |reason: &str, example: &str| Rejection { reason: reason.to_owned(), nodes: 2, example: example.to_owned() };
    let miss =
        |n: &str, lacks: &[&str]| NearMiss { node: n.to_owned(), lacks: lacks.iter().map(|l| (*l).into()).collect() };
    let expected = Explanation {
        nodes: 3,
        accepted: 0,
        chosen: None,
        rejected: vec![rejection(REASON, "n2"), rejection(lacks, "n1")],
        nearest: vec![miss("n1", &[lacks]), miss("n2", &[REASON]), miss("n3", &[lacks, REASON])],
    };
    assert_eq!(explained(&mut scene, wanted.clone()), expected);
    let outcome = Box::new(CreateOutcome::NoCompatibleNode(expected));
    let told = send(node(1), ToMember::Created { request: request(1, 1), outcome });
    assert_eq!(scene.create(request(1, 1), wanted), [told]);
    let only = explained(&mut scene, CreateSpec { on: Some(node(2).id), ..spec() });
    let alone = Rejection { reason: REASON.to_owned(), nodes: 1, example: "n2".to_owned() };
    assert_eq!((only.nodes, only.accepted, only.rejected), (1, 0, vec![alone]));
}

#[test]
fn the_next_leader_hears_of_it_from_the_node() {
    let mut scene = Scene::of(2);
    draining(&mut scene, 1, true);
    let mut scene = scene.crash();
    scene.join(node(2), facts(2, &[]));
    scene.join(node(1), NodeFacts { draining: true, ..facts(1, &[]) });
    assert_eq!(asked_to_host(&scene.create(request(1, 1), spec())), Some(node(2)));
    scene.join(node(1), facts(1, &[]));
    assert_eq!(asked_to_host(&scene.create(request(1, 2), spec())), Some(node(1)));
}

#[test]
fn a_check_that_could_only_help_a_draining_node_is_not_asked() {
    let mut scene = Scene::of(1);
    draining(&mut scene, 1, true);
    scene.create(request(1, 1), spec());
    assert_eq!(scene.checks, 0);
}

struct Node {
    member: Member,
    now: u64,
}

impl Node {
    fn joined() -> Self {
        let mut node = Self { member: Member::new(MemberConfig::default(), node(1), facts(1, &[]), 1), now: 1_000 };
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

    fn place(&mut self, number: u64) -> Vec<Effect> {
        let (image, sources) = (None, vec![]);
        self.hear(ToMember::Place { request: request(2, number), spec: Box::new(spec()), image, sources })
    }

    fn accept(&mut self, ticket: u64) -> Vec<Effect> {
        self.give(Input::Checked { ticket, outcome: outcome(CheckVerdict::Accepted) })
    }

    fn drain(&mut self, draining: bool) -> Vec<Effect> {
        self.give(Input::Drain { draining })
    }
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn told(draining: bool) -> [Effect; 2] {
    [Effect::Draining { draining }, say(ToLeader::Draining { draining })]
}

fn refused(number: u64) -> Effect {
    let outcome = PlaceOutcome::Refused { reason: REASON.to_owned() };
    say(ToLeader::Placed { request: request(2, number), outcome })
}

#[test]
fn a_draining_node_says_so_once_and_refuses_what_it_is_asked_to_host() {
    let mut node = Node::joined();
    assert_eq!(node.member.draining(), None);
    assert_eq!(node.drain(true), told(true));
    assert_eq!(node.drain(true), []);
    assert_eq!(node.member.draining(), Some(0));
    assert_eq!(node.place(1), [refused(1)]);
    assert_eq!(node.drain(false), told(false));
    assert_eq!(node.place(1), [refused(1)], "another node may have it by now");
    assert!(matches!(node.place(2).as_slice(), [Effect::Check { .. }]));
}

#[test]
fn what_is_asked_for_on_a_draining_node_goes_to_the_leader() {
    let mut node = Node::joined();
    node.drain(true);
    let here = [
        CreateSpec { placement: Placement::Local, ..spec() },
        CreateSpec { on: Some(crate::scene::node(1).id), ..spec() },
    ];
    for (number, spec) in (1..).zip(here) {
        let spec = Box::new(spec);
        let asked = say(ToLeader::Create { request: request(1, number), again: false, spec: spec.clone() });
        assert_eq!(node.give(Input::Create { ticket: 9, spec }), [asked]);
    }
}

#[test]
fn what_has_begun_is_given_up_but_for_what_is_being_launched() {
    let mut node = Node::joined();
    let local = Box::new(CreateSpec { placement: Placement::Local, ..spec() });
    node.place(1);
    node.accept(1);
    node.place(2);
    node.give(Input::Create { ticket: 9, spec: local.clone() });
    let [first, second] = told(true);
    let elsewhere = say(ToLeader::Create { request: request(1, 1), again: false, spec: local });
    assert_eq!(node.drain(true), [first, second, elsewhere, refused(2)]);
    assert_eq!(node.member.draining(), Some(1));
    assert_eq!(node.accept(2), [], "its answer is of no use any more");
    let at = address(crate::scene::node(1), 1);
    let placed = say(ToLeader::Placed { request: request(2, 1), outcome: PlaceOutcome::Placed { address: at } });
    assert_eq!(node.give(Input::Launched { request: request(2, 1), result: Ok(at) }), [placed]);
    assert_eq!(node.member.draining(), Some(0));
}

#[test]
fn a_registration_tells_of_draining() {
    let mut node = Node::joined();
    node.drain(true);
    node.give(Input::Disconnected { leader: LEADER });
    let effects = node.give(Input::Connected { leader: LEADER });
    let [Effect::Send { message: ToLeader::Register(facts), .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(facts.draining);
}
