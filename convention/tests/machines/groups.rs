//! At most one actor of a group on a node, whoever leads.

use crate::scene::{
    LEADER, Scene, address, asked_to_host, facts, node, outcome, refused as refused_with, registered, request, send,
    spec,
};
use odeon_convention::leader::{Effect as LeaderEffect, Operation};
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::types::{CheckVerdict, CreateOutcome, CreateSpec, Explanation, Hosted, NearMiss, Rejection};
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};
use odeon_convention::{codes, limits};

const REASON: &str = "has an actor of group \"red\" already";

fn of_group(group: &str) -> CreateSpec {
    CreateSpec { distinct: Some(group.to_owned()), ..spec() }
}

fn red() -> CreateSpec {
    of_group("red")
}

fn hosts(number: u64, slot: u32, group: Option<&str>) -> Hosted {
    let (address, distinct) = (address(node(1), slot), group.map(str::to_owned));
    Hosted { request: request(1, number), address, global_name: None, distinct }
}

fn freed(scene: &mut Scene, on: u8, number: u64) -> Vec<LeaderEffect> {
    scene.say(node(on), ToLeader::GroupFreed { group: "red".to_owned(), request: request(1, number) })
}

/// How many nodes refuse for their group.
fn full(effects: &[LeaderEffect]) -> Option<u32> {
    let [LeaderEffect::Send { message: ToMember::Created { outcome, .. }, .. }] = effects else { return None };
    let CreateOutcome::NoCompatibleNode(explanation) = &**outcome else { return None };
    explanation.rejected.iter().find(|r| r.reason == REASON).map(|r| r.nodes)
}

#[test]
fn each_node_gets_one_and_the_reason_is_counted_when_all_have_one() {
    let mut scene = Scene::of(2);
    assert_eq!(asked_to_host(&scene.create(request(1, 1), red())), Some(node(1)));
    assert_eq!(asked_to_host(&scene.create(request(1, 2), red())), Some(node(2)), "what is on its way counts");
    scene.placed(node(1), request(1, 1), address(node(1), 1));
    let miss = |n: &str| NearMiss { node: n.to_owned(), lacks: vec![REASON.to_owned()] };
    let explanation = Explanation {
        nodes: 2,
        rejected: vec![Rejection { reason: REASON.to_owned(), nodes: 2, example: "n1".to_owned() }],
        nearest: vec![miss("n1"), miss("n2")],
        ..Explanation::default()
    };
    let outcome = Box::new(CreateOutcome::NoCompatibleNode(explanation));
    let told = send(node(1), ToMember::Created { request: request(1, 3), outcome });
    assert_eq!(scene.create(request(1, 3), red()), [told]);
    assert!(asked_to_host(&scene.create(request(1, 4), of_group("blue"))).is_some(), "another group");
    assert!(asked_to_host(&scene.create(request(1, 5), spec())).is_some(), "no group");
}

#[test]
fn a_group_is_free_again_when_its_actor_exits_or_never_came_to_be() {
    let mut scene = Scene::of(1);
    scene.create(request(1, 1), red());
    scene.placed(node(1), request(1, 1), address(node(1), 1));
    assert_eq!(freed(&mut scene, 1, 7), [], "of another creation");
    assert_eq!(full(&scene.create(request(1, 2), red())), Some(1));
    assert_eq!(freed(&mut scene, 1, 1), []);
    assert_eq!(asked_to_host(&scene.create(request(1, 3), red())), Some(node(1)));
    let outcome = PlaceOutcome::Refused { reason: "no disk".to_owned() };
    scene.say(node(1), ToLeader::Placed { request: request(1, 3), outcome });
    assert_eq!(asked_to_host(&scene.create(request(1, 4), red())), Some(node(1)));
}

#[test]
fn the_next_leader_hears_of_the_groups_from_their_hosts() {
    let mut scene = Scene::of(1).crash();
    let mut hosting = facts(1, &[]);
    hosting.hosted = vec![hosts(1, 1, Some("red")), hosts(2, 2, None)];
    scene.join(node(1), hosting);
    assert_eq!(full(&scene.create(request(1, 3), red())), Some(1));
    freed(&mut scene, 1, 1);
    assert_eq!(asked_to_host(&scene.create(request(1, 4), red())), Some(node(1)));
}

#[test]
fn a_new_link_takes_back_no_group_that_is_on_its_way() {
    let mut scene = Scene::of(1);
    scene.create(request(1, 1), red());
    scene.give(odeon_convention::leader::Input::Disconnected { node: node(1) });
    assert_eq!(asked_to_host(&scene.join(node(1), facts(1, &[]))), Some(node(1)));
    assert_eq!(full(&scene.create(request(1, 2), red())), Some(1));
}

#[test]
fn a_group_has_a_name_of_bounded_length() {
    let mut scene = Scene::of(1);
    let long = "g".repeat(limits::GROUP_BYTES_MAX);
    assert!(asked_to_host(&scene.create(request(1, 1), of_group(&long))).is_some());
    for wrong in [String::new(), format!("{long}g")] {
        let effects = scene.operate(Operation::Create(Box::new(of_group(&wrong))));
        let expected = format!("a group has {} bytes, expected 1 to 256", wrong.len());
        assert!(format!("{effects:?}").contains(&expected), "{effects:?}");
        let mut hosting = facts(1, &[]);
        hosting.hosted = vec![hosts(1, 1, Some(&wrong))];
        let effects = scene.say(node(1), ToLeader::Register(Box::new(hosting)));
        assert_eq!(refused_with(&effects), Some(codes::BAD_REQUEST));
    }
}

struct Host(Member);

impl Host {
    fn new() -> Self {
        let mut host = Self(Member::new(MemberConfig::default(), node(1), facts(1, &[]), 1));
        host.give(Input::Connected { leader: LEADER });
        host.hear(registered(1));
        host
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.0.handle(1_000, input);
        std::iter::from_fn(|| self.0.next_effect()).collect()
    }

    fn hear(&mut self, message: ToMember) -> Vec<Effect> {
        self.give(Input::Received { from: LEADER, message })
    }

    fn place(&mut self, number: u64, spec: CreateSpec) -> Vec<Effect> {
        let (image, sources) = (None, vec![]);
        self.hear(ToMember::Place { request: request(2, number), spec: Box::new(spec), image, sources })
    }

    /// Checks a placement and has it launched.
    fn begin(&mut self, number: u64, spec: CreateSpec) {
        let effects = self.place(number, spec);
        let [Effect::Check { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        self.give(Input::Checked { ticket: *ticket, outcome: outcome(CheckVerdict::Accepted) });
    }

    fn launched(&mut self, number: u64) -> Vec<Effect> {
        self.give(Input::Launched { request: request(2, number), result: Ok(at(number)) })
    }

    fn exited(&mut self, number: u64) -> Vec<Effect> {
        self.give(Input::Exited { address: at(number), global_name: None })
    }

    fn hosted_group(&mut self, number: u64) -> Option<String> {
        self.give(Input::Disconnected { leader: LEADER });
        let effects = self.give(Input::Connected { leader: LEADER });
        let [Effect::Send { message: ToLeader::Register(facts), .. }] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        let hosted = facts.hosted.iter().find(|h| h.request == request(2, number)).expect("it is remembered");
        hosted.distinct.clone()
    }
}

fn at(number: u64) -> odeon::Address {
    address(node(1), u32::try_from(number).unwrap())
}

fn say(message: ToLeader) -> Effect {
    Effect::Send { to: LEADER, message }
}

fn placed(number: u64) -> Effect {
    let outcome = PlaceOutcome::Placed { address: at(number) };
    say(ToLeader::Placed { request: request(2, number), outcome })
}

fn refused(number: u64) -> Effect {
    let outcome = PlaceOutcome::Refused { reason: REASON.to_owned() };
    say(ToLeader::Placed { request: request(2, number), outcome })
}

fn free(number: u64) -> Effect {
    say(ToLeader::GroupFreed { group: "red".to_owned(), request: request(2, number) })
}

#[test]
fn a_host_refuses_a_second_one_until_the_first_has_exited() {
    let mut host = Host::new();
    host.begin(1, red());
    assert_eq!(host.place(2, red()), [refused(2)], "the first is about to live");
    assert_eq!(host.launched(1), [placed(1)]);
    assert_eq!(host.place(1, red()), [placed(1)], "asked again it is the same");
    assert_eq!(host.place(3, red()), [refused(3)]);
    assert_eq!(host.exited(1), [free(1)]);
    host.begin(4, red());
    assert_eq!(host.launched(4), [placed(4)]);
}

#[test]
fn a_launch_that_fails_leaves_the_group_free() {
    let mut host = Host::new();
    host.begin(1, red());
    host.give(Input::Launched { request: request(2, 1), result: Err("no".to_owned()) });
    host.begin(2, red());
}

#[test]
fn a_registration_tells_of_the_groups_of_what_lives() {
    let mut host = Host::new();
    host.begin(1, red());
    host.launched(1);
    assert_eq!(host.hosted_group(1), Some("red".to_owned()));
    host.exited(1);
    assert_eq!(host.hosted_group(1), None);
}

#[test]
fn an_actor_that_exits_before_its_launch_is_known_leaves_nothing_behind() {
    let mut host = Host::new();
    let named = CreateSpec { global_name: Some("clock".to_owned()), ..red() };
    host.begin(1, named);
    let gone = Input::Exited { address: at(1), global_name: Some("clock".to_owned()) };
    assert_eq!(host.give(gone), [], "the leader would not know of what");
    let name_freed = say(ToLeader::NameFreed { name: "clock".to_owned(), address: at(1) });
    assert_eq!(host.launched(1), [placed(1), free(1), name_freed]);
    host.begin(2, red());
    assert_eq!(host.launched(2), [placed(2)], "another actor than the one that exited");
}

#[test]
fn a_group_is_remembered_however_much_is_hosted_afterwards() {
    let mut host = Host::new();
    host.begin(1, red());
    host.launched(1);
    let many = limits::PLACEMENTS_REMEMBERED_MAX as u64;
    for number in 2..many + 10 {
        host.begin(number, spec());
        host.launched(number);
    }
    assert_eq!(host.place(many + 10, red()), [refused(many + 10)]);
    assert_eq!(host.exited(1), [free(1)]);
}
