//! The choice beside the simple one, a walk over all members, after whatever can happen to a fleet.

use super::*;
use crate::leader::{Effect, Input, LeaderConfig, Operation};
use crate::placement::{self, Candidate};
use crate::record::TokenFact;
use crate::types::{
    CheckOutcome, CheckVerdict, CreateOutcome, CreateSpec, Explanation, Hosted, Load, NativeActor, NodeFacts,
    RequestId, Role, SourceHash,
};
use crate::types::{ImageApproval, ImageInfo, Millis};
use crate::wire::{PlaceOutcome, ToLeader, ToMember};
use odeon::{Address, Incarnation};
use odeon_capabilities::{Delta, Matcher, Reads, Requirements, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const MEMBERS: u8 = 7;
const IMAGE: SourceHash = SourceHash([9; 32]);

/// What can happen to a fleet.
#[derive(Debug, Clone)]
enum Step {
    /// A node registers, on a new link or again.
    Register {
        n: u8,
        map: Vec<(u8, u8)>,
        linked: usize,
        load: u32,
        draining: bool,
        group: bool,
        holds: bool,
    },
    /// It starts again.
    Restart(u8),
    Change {
        n: u8,
        key: u8,
        value: Option<u8>,
    },
    Renew {
        n: u8,
        load: u32,
    },
    Drain {
        n: u8,
        draining: bool,
    },
    Unlink(u8),
    Leave(u8),
    Pass(Millis),
    Create {
        by: u8,
        asked: usize,
    },
    /// The oldest placement ends.
    End {
        placed: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 1..=MEMBERS;
    let map = vec((0u8..3, 0u8..3), 0..3);
    let register =
        (n(), map, 0usize..4, 0u32..4, proptest::bool::weighted(0.1), proptest::bool::weighted(0.2), any::<bool>());
    prop_oneof![
        6 => register.prop_map(|(n, map, linked, load, draining, group, holds)| Step::Register {
            n, map, linked, load, draining, group, holds
        }),
        1 => n().prop_map(Step::Restart),
        4 => (n(), 0u8..3, proptest::option::of(0u8..3)).prop_map(|(n, key, value)| Step::Change { n, key, value }),
        4 => (n(), 0u32..4).prop_map(|(n, load)| Step::Renew { n, load }),
        1 => (n(), any::<bool>()).prop_map(|(n, draining)| Step::Drain { n, draining }),
        1 => n().prop_map(Step::Unlink),
        1 => n().prop_map(Step::Leave),
        1 => select(vec![100, 1_500, 5_000, 40_000]).prop_map(Step::Pass),
        4 => (n(), 0usize..4).prop_map(|(by, asked)| Step::Create { by, asked }),
        3 => any::<bool>().prop_map(|placed| Step::End { placed }),
    ]
}

fn spec() -> impl Strategy<Value = CreateSpec> {
    let requirements = select(vec![
        Requirements::none(),
        Requirements::none().require("k0"),
        Requirements::none().equal("k1", 1),
        Requirements::none().expression("k0 > 0"),
        Requirements::none().prefer("k0 == 1", 5),
        Requirements::none().prefer("k0 > 0", 3).prefer("has(cap.k1)", 2).prefer("k2 == 2", 3),
    ]);
    let strategies = vec![Placement::Local, Placement::Spread, Placement::Pack, Placement::LeastLoaded];
    let on = proptest::option::weighted(0.1, 1..=MEMBERS);
    (select(vec!["A", "B", "Image"]), requirements, select(strategies), on, proptest::bool::weighted(0.3)).prop_map(
        |(actor, requirements, placement, on, distinct)| CreateSpec {
            actor: actor.to_owned(),
            image: (actor == "Image").then_some(IMAGE),
            requirements,
            global_name: None,
            placement,
            on: on.map(|n| NodeId([n; 16])),
            parent: None,
            promised: None,
            distinct: distinct.then(|| "group".to_owned()),
        },
    )
}

/// The actors' own check: it looks at one capability and ends in every way.
fn check(map: &CapabilityMap) -> CheckOutcome {
    let verdict = match map.value("k2") {
        Some(Value::Integer(0)) => CheckVerdict::Refused,
        Some(Value::Integer(1)) => CheckVerdict::Failed("it looped".to_owned()),
        Some(_) => CheckVerdict::Unknown,
        None => CheckVerdict::Accepted,
    };
    CheckOutcome { verdict, read: Reads([("k2".to_owned(), map.value("k2").cloned())].into()) }
}

fn linked(kind: usize) -> Vec<NativeActor> {
    let native = |name: &str, required: &[&str]| NativeActor {
        name: name.to_owned(),
        required: required.iter().map(|key| (*key).to_owned()).collect(),
    };
    match kind {
        0 => vec![native("A", &[])],
        1 => vec![native("A", &[]), native("B", &["k0"])],
        2 => vec![native("A", &["k1"]), native("B", &[])],
        _ => vec![],
    }
}

struct Fleet {
    leader: Leader,
    now: Millis,
    starts: BTreeMap<u8, u32>,
    versions: BTreeMap<u8, u64>,
    placements: Vec<(NodeRef, RequestId)>,
    refused: Vec<Explanation>,
    asked: Vec<CreateSpec>,
    created: u64,
}

impl Fleet {
    fn new(asked: &[CreateSpec]) -> Self {
        let me = NodeRef { id: NodeId([0xff; 16]), incarnation: Incarnation(1) };
        let mut fleet = Self {
            leader: Leader::new(LeaderConfig::default(), me, 0),
            now: 10_000,
            starts: BTreeMap::new(),
            versions: BTreeMap::new(),
            placements: Vec::new(),
            refused: Vec::new(),
            asked: asked.to_vec(),
            created: 0,
        };
        fleet.leader.start(fleet.now);
        let fact = TokenFact { id: [1; 32], role: Role::Member, expires_unix_s: 100, uses: None, claims: None };
        fleet.give(Input::Operation { ticket: 1, operation: Operation::CreateToken(fact) });
        for n in 1..=MEMBERS {
            let operation = Operation::Admit { token: [1; 32], node: NodeId([n; 16]), now_unix_s: 1 };
            fleet.give(Input::Operation { ticket: 1, operation });
        }
        let actors = vec![NativeActor { name: "Image".to_owned(), required: vec!["k0".to_owned()] }];
        let (name, version) = ("image".to_owned(), "1".to_owned());
        let image = ImageInfo { hash: IMAGE, name, version, size_bytes: 1, actors, chunks: None };
        let operation = Operation::JudgeImage {
            image,
            approved: true,
            by: "a test".to_owned(),
            approval: ImageApproval::default(),
        };
        fleet.give(Input::Operation { ticket: 1, operation });
        fleet
    }

    fn node(&self, n: u8) -> NodeRef {
        NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(self.starts.get(&n).copied().unwrap_or(1)) }
    }

    /// Gives an input, commits its records, answers its checks, and notes who is asked to host.
    fn give(&mut self, input: Input) {
        self.leader.handle(self.now, input);
        while let Some(effect) = self.leader.next_effect() {
            match effect {
                Effect::Persist { index, .. } => self.leader.handle(self.now, Input::Committed { index }),
                Effect::Check { ticket, capabilities, .. } => {
                    let outcome = check(&capabilities);
                    self.leader.handle(self.now, Input::Checked { ticket, outcome });
                }
                Effect::Send { to, message: ToMember::Place { request, .. } } => self.placements.push((to, request)),
                Effect::Send { message: ToMember::Created { outcome, .. }, .. } => match *outcome {
                    CreateOutcome::NoCompatibleNode(explanation) => self.refused.push(explanation),
                    CreateOutcome::Created { .. } | CreateOutcome::Refused { .. } => {}
                },
                _ => {}
            }
        }
    }

    fn say(&mut self, n: u8, message: ToLeader) {
        self.give(Input::Received { from: self.node(n), message });
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Register { n, map, linked: kind, load, draining, group, holds } => {
                let mut capabilities = CapabilityMap::new();
                for (key, value) in map {
                    capabilities.set(format!("k{key}"), capability(value)).unwrap();
                }
                let address = Address::mint(self.node(n), 1, u64::from(n));
                let request = RequestId { node: self.node(n), number: 1 << 40 };
                let distinct = Some("group".to_owned());
                let hosted = Hosted { request, address, global_name: None, distinct };
                self.versions.insert(n, 0);
                self.give(Input::Connected { node: self.node(n), role: Role::Member });
                let facts = NodeFacts {
                    name: format!("n{n}"),
                    listen: String::new(),
                    capabilities,
                    capabilities_version: 0,
                    natives: linked(kind),
                    images: if holds { vec![IMAGE] } else { vec![] },
                    load: Load { actors: load },
                    hosted: if group { vec![hosted] } else { vec![] },
                    draining,
                };
                self.say(n, ToLeader::Register(Box::new(facts)));
            }
            Step::Restart(n) => *self.starts.entry(n).or_insert(1) += 1,
            Step::Change { n, key, value } => {
                let version = self.versions.entry(n).or_default();
                *version += 1;
                let (version, change) = (*version, (format!("k{key}"), value.map(capability)));
                self.say(n, ToLeader::CapabilitiesChanged { version, delta: Delta([change].into()) });
            }
            Step::Renew { n, load } => self.say(n, ToLeader::Renew { load: Load { actors: load } }),
            Step::Drain { n, draining } => self.say(n, ToLeader::Draining { draining }),
            Step::Unlink(n) => self.give(Input::Disconnected { node: self.node(n) }),
            Step::Leave(n) => {
                self.say(n, ToLeader::Leave);
                *self.starts.entry(n).or_insert(1) += 1;
            }
            Step::Pass(millis) => {
                self.now += millis;
                self.give(Input::Timer);
            }
            Step::Create { by, asked } => {
                self.created += 1;
                let request = RequestId { node: self.node(by), number: self.created };
                let spec = Box::new(self.asked[asked % self.asked.len()].clone());
                self.say(by, ToLeader::Create { request, again: false, spec });
            }
            Step::End { placed } => {
                if self.placements.is_empty() {
                    return;
                }
                let (host, request) = self.placements.remove(0);
                let address = Address::mint(host, 1, request.number);
                let refused = || PlaceOutcome::Refused { reason: "no disk".to_owned() };
                let outcome = if placed { PlaceOutcome::Placed { address } } else { refused() };
                self.give(Input::Received { from: host, message: ToLeader::Placed { request, outcome } });
            }
        }
    }

    /// The members that accept, found by asking each.
    fn walk(&self, spec: &CreateSpec, tried: &BTreeMap<NodeId, Tried>) -> Vec<Candidate> {
        let matcher = Matcher::new(&spec.requirements).unwrap();
        let mut candidates = Vec::new();
        for (id, peer) in self.leader.peers.live.iter() {
            let map = &self.leader.facts.registered[id].capabilities;
            let in_image = spec.image.map(|hash| &self.leader.facts.images[&hash].image.actors);
            let types = in_image.map_or(peer.linked().natives(), Vec::as_slice);
            let has_type = types.iter().find(|native| native.name == spec.actor);
            let fits = matcher.accepts(map)
                && has_type.is_some_and(|native| native.required.iter().all(|key| is_true(map, key)))
                && matches!(check(map).verdict, CheckVerdict::Accepted | CheckVerdict::Unknown)
                && spec.on.is_none_or(|on| on == *id)
                && !tried.contains_key(id)
                && !peer.draining
                && !spec.distinct.as_ref().is_some_and(|group| peer.groups.contains_key(group));
            if fits {
                let (actors, score) = (peer.load(), matcher.score(map));
                let holds = spec.image.is_some_and(|hash| peer.images().contains(&hash));
                candidates.push(Candidate { node: peer.node, actors, score, reachable: peer.reachable(), holds });
            }
        }
        candidates
    }

    /// The choice once all checks that it asks for are answered, each of which must be one that was not answered.
    fn chosen(
        &mut self,
        spec: &CreateSpec,
        tried: &BTreeMap<NodeId, Tried>,
        asker: NodeRef,
        mut draw: impl FnMut(usize) -> usize,
    ) -> Option<Option<NodeRef>> {
        let plan = self.leader.plan(spec.clone(), self.now).ok()?;
        for _ in 0..100 {
            match self.leader.choose_with(&plan, tried, asker, &mut draw) {
                Choice::Host(node) => return Some(Some(node)),
                Choice::Nobody => return Some(None),
                Choice::Ask(map) => {
                    assert_eq!(self.leader.verdicts.of(&plan.key, &map, plan.failures_since), None);
                    self.leader.verdicts.remember(plan.key.clone(), &map, check(&map), self.now);
                }
            }
        }
        panic!("it asks for one check after the other");
    }

    fn compare(&mut self, spec: &CreateSpec, tried: &BTreeMap<NodeId, Tried>, asker: NodeRef) {
        if spec.placement == Placement::LeastLoaded && spec.on.is_none() {
            return self.compare_draws(spec, tried, asker);
        }
        let Some(found) = self.chosen(spec, tried, asker, |_| 0) else { return };
        let candidates = self.walk(spec, tried);
        let expected = placement::decide(&candidates, spec.placement, asker, |_| 0);
        assert_eq!(found, expected, "{spec:?} asked by {asker} of {candidates:?}");
    }

    /// Every one of the best can be drawn, equally often, nobody else can, and of two the less loaded is taken.
    fn compare_draws(&mut self, spec: &CreateSpec, tried: &BTreeMap<NodeId, Tried>, asker: NodeRef) {
        // The most that a draw was asked of: fewer are left where some are passed over.
        let mut count = 0;
        let Some(first) = self.chosen(spec, tried, asker, |bound| {
            count = bound.max(count);
            0
        }) else {
            return;
        };
        let candidates = self.walk(spec, tried);
        let best = candidates.iter().map(|c| (c.reachable, c.score)).max();
        let best: Vec<&Candidate> = candidates.iter().filter(|c| Some((c.reachable, c.score)) == best).collect();
        let Some(_) = first else { return assert!(best.is_empty(), "nobody of {best:?}") };
        // Draws go round from each member that can be drawn, over those that are passed over.
        let from = |at: usize| {
            let mut next = at;
            move |bound: usize| {
                next += 1;
                (next - 1) % bound
            }
        };
        let mut drawn: Vec<Option<NodeRef>> = Vec::new();
        for at in 0..count {
            let twice = self.chosen(spec, tried, asker, |bound| at.min(bound - 1)).unwrap();
            assert!(best.iter().any(|c| Some(c.node) == twice), "{twice:?} is not of {best:?}");
            if best.len() == count {
                drawn.push(twice);
            }
            let found = self.chosen(spec, tried, asker, from(at)).unwrap();
            assert!(best.iter().any(|c| Some(c.node) == found), "{found:?} is not of {best:?}");
        }
        if best.len() == count {
            for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
                let mut draws = [a, b].into_iter();
                let found = self.chosen(spec, tried, asker, |_| draws.next().unwrap()).unwrap();
                let of =
                    |at: usize| best.iter().find(|c| Some(c.node) == drawn[at]).map(|c| (c.actors, !c.holds, c.node));
                assert_eq!(found, of(a).min(of(b)).map(|(_, _, node)| node));
            }
            drawn.sort();
            assert_eq!(drawn, best.iter().map(|c| Some(c.node)).collect::<Vec<_>>());
        }
    }
}

fn capability(value: u8) -> Value {
    if value == 2 { Value::Bool(true) } else { i64::from(value).into() }
}

fn is_true(map: &CapabilityMap, key: &str) -> bool {
    map.value(key).is_some_and(Value::is_true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_choice_is_that_of_a_walk_over_all_members(
        steps in vec(step(), 1..40),
        asked in vec(spec(), 4),
        tried in proptest::collection::btree_set(1..=MEMBERS, 0..3),
    ) {
        let mut fleet = Fleet::new(&asked);
        let in_vain = || Tried { name: String::new(), reason: String::new() };
        let tried: BTreeMap<NodeId, Tried> = tried.into_iter().map(|n| (NodeId([n; 16]), in_vain())).collect();
        for (number, step) in steps.into_iter().enumerate() {
            fleet.take(step);
            let asker = fleet.node(1 + number as u8 % MEMBERS);
            for spec in &asked {
                fleet.compare(spec, &BTreeMap::new(), asker);
                fleet.compare(spec, &tried, asker);
            }
        }
    }
}

fn create(spec: &CreateSpec) -> Fleet {
    Fleet::new(std::slice::from_ref(spec))
}

fn register(n: u8, map: &[(u8, u8)], linked: usize, load: u32) -> Step {
    Step::Register { n, map: map.to_vec(), linked, load, draining: false, group: false, holds: false }
}

fn native(placement: Placement, requirements: Requirements) -> CreateSpec {
    CreateSpec {
        actor: "A".to_owned(),
        image: None,
        requirements,
        global_name: None,
        placement,
        on: None,
        parent: None,
        promised: None,
        distinct: None,
    }
}

#[test]
fn a_refusal_is_explained_although_the_answer_of_the_check_was_forgotten() {
    let spec = native(Placement::Spread, Requirements::none());
    let mut fleet = create(&spec);
    fleet.take(register(1, &[(2, 0)], 0, 0));
    fleet.take(Step::Create { by: 1, asked: 0 });
    fleet.leader.verdicts = Verdicts::default();
    fleet.take(Step::Create { by: 1, asked: 0 });
    let [first, second] = fleet.refused.as_slice() else { panic!("{:?}", fleet.refused) };
    assert_eq!((first.accepted, first), (0, second));
}

#[test]
fn what_is_preferred_less_is_not_checked_and_neither_is_what_is_not_the_askers() {
    let prefers = native(Placement::Spread, Requirements::none().prefer("k0 == 1", 1));
    let local = native(Placement::Local, Requirements::none());
    let mut fleet = create(&prefers);
    for (n, map) in [(1, vec![(1, 0)]), (2, vec![(0, 1)]), (3, vec![(0, 0)])] {
        fleet.take(register(n, &map, 0, 0));
    }
    for (spec, asker, expected) in [(prefers, 3, 2), (local, 3, 3)] {
        let plan = fleet.leader.plan(spec, fleet.now).unwrap();
        let asker = fleet.node(asker);
        let Choice::Ask(map) = fleet.leader.choose(&plan, &BTreeMap::new(), asker) else { panic!("asks nothing") };
        let all = map.iter().map(|(key, value)| (key.to_owned(), Some(value.clone())));
        let outcome = CheckOutcome { verdict: CheckVerdict::Accepted, read: Reads(all.collect()) };
        fleet.leader.verdicts.remember(plan.key.clone(), &map, outcome, fleet.now);
        let choice = fleet.leader.choose(&plan, &BTreeMap::new(), asker);
        assert_eq!(choice, Choice::Host(fleet.node(expected)));
    }
}
