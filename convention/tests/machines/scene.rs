//! A small vocabulary: a leader with its ledger, and what members say to it.

use odeon::{Address, Incarnation, NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Reads, Requirements, Value};
use odeon_convention::leader::{Answer, Effect, Input, Leader, LeaderConfig, Operation};
use odeon_convention::record::{Record, TokenFact};
use odeon_convention::types::{
    CheckOutcome, CheckVerdict, CreateSpec, ImageInfo, Load, NativeActor, NodeFacts, Placement, RequestId, Role,
    SourceHash,
};
use odeon_convention::wire::{PlaceOutcome, Revoked, ToLeader, ToMember};

pub(crate) const LEADER: NodeRef = NodeRef { id: NodeId([0xff; 16]), incarnation: Incarnation(1) };

pub(crate) fn node(n: u8) -> NodeRef {
    NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) }
}

pub(crate) fn next_start(node: NodeRef) -> NodeRef {
    NodeRef { incarnation: Incarnation(node.incarnation.0 + 1), ..node }
}

pub(crate) fn capabilities(pairs: &[(&str, Value)]) -> CapabilityMap {
    let mut map = CapabilityMap::new();
    for (key, value) in pairs {
        map.set(*key, value.clone()).unwrap();
    }
    map
}

pub(crate) fn facts(n: u8, pairs: &[(&str, Value)]) -> NodeFacts {
    NodeFacts {
        name: format!("n{n}"),
        listen: format!("10.0.0.{n}:1"),
        capabilities: capabilities(pairs),
        capabilities_version: 0,
        natives: vec![NativeActor { name: "Actor".to_owned(), required: vec![] }],
        images: vec![],
        load: Load::default(),
        hosted: vec![],
        draining: false,
    }
}

pub(crate) fn spec() -> CreateSpec {
    CreateSpec {
        actor: "Actor".to_owned(),
        image: None,
        requirements: Requirements::none(),
        global_name: None,
        placement: Placement::Spread,
        on: None,
        parent: None,
        promised: None,
        distinct: None,
    }
}

pub(crate) fn named(name: &str) -> CreateSpec {
    CreateSpec { global_name: Some(name.to_owned()), ..spec() }
}

pub(crate) fn request(of: u8, number: u64) -> RequestId {
    RequestId { node: node(of), number }
}

pub(crate) fn address(at: NodeRef, slot: u32) -> Address {
    Address::mint(at, slot, 7)
}

pub(crate) fn image(n: u8, version: &str) -> ImageInfo {
    ImageInfo {
        hash: SourceHash([n; 32]),
        name: "hello".to_owned(),
        version: version.to_owned(),
        size_bytes: 10,
        actors: vec![NativeActor { name: "Hello".to_owned(), required: vec!["db".to_owned()] }],
        chunks: Some([n; 32]),
    }
}

pub(crate) fn token(n: u8, uses: Option<u32>, claims: Option<&[&str]>) -> TokenFact {
    let claims = claims.map(|keys| keys.iter().map(|k| (*k).to_owned()).collect());
    TokenFact { id: [n; 32], role: Role::Member, expires_unix_s: 100, uses, claims }
}

/// One start of a node is gone, the first ever.
pub(crate) fn is_gone(node: NodeRef, reason: &str) -> ToMember {
    ToMember::MembersGone { nodes: vec![node], reason: reason.to_owned(), upto: 1 }
}

/// A member is registered with a leader that has nothing to tell it.
pub(crate) fn registered(term: u64) -> ToMember {
    let (images, gone, leaders, revoked) = (vec![], vec![], vec![], Revoked::default());
    ToMember::Registered { term, lease_ms: 4_000, renew_every_ms: 1_000, images, gone, gone_upto: 0, leaders, revoked }
}

/// Whoever hears it registers at once.
pub(crate) fn leading(term: u64) -> ToMember {
    ToMember::Leading { term, register_within_ms: 0 }
}

pub(crate) fn outcome(verdict: CheckVerdict) -> CheckOutcome {
    CheckOutcome { verdict, read: Reads::default() }
}

/// A leader and its disk. Checks are answered at once with `verdict`, until it is none, and words leave at once while
/// it `flushes`.
pub(crate) struct Scene {
    pub(crate) leader: Leader,
    pub(crate) now: u64,
    pub(crate) ledger: Vec<Record>,
    pub(crate) verdict: Option<CheckVerdict>,
    pub(crate) checks: usize,
    pub(crate) flushes: bool,
    pending: Vec<Record>,
}

impl Scene {
    /// A leader that has begun its first term, with these nodes admitted and registered.
    pub(crate) fn with(members: &[NodeFacts]) -> Self {
        let mut scene = Self::starting(Vec::new());
        for (n, facts) in (1..).zip(members) {
            scene.admit(node(n), None);
            scene.join(node(n), facts.clone());
        }
        scene
    }

    /// `count` equal nodes.
    pub(crate) fn of(count: u8) -> Self {
        let members: Vec<NodeFacts> = (1..=count).map(|n| facts(n, &[])).collect();
        Self::with(&members)
    }

    /// A leader that starts from a ledger.
    pub(crate) fn starting(ledger: Vec<Record>) -> Self {
        let mut leader = Leader::new(LeaderConfig::default(), LEADER, 0);
        for record in &ledger {
            leader.replay(record.clone());
        }
        let verdict = Some(CheckVerdict::Accepted);
        let mut scene = Self { leader, now: 10_000, ledger, verdict, checks: 0, flushes: true, pending: Vec::new() };
        scene.leader.start(scene.now);
        scene.commit();
        scene
    }

    /// What the next leader would be after a crash: the same disk, nothing else.
    pub(crate) fn crash(self) -> Self {
        Self::starting(self.ledger)
    }

    pub(crate) fn admit(&mut self, node: NodeRef, claims: Option<&[&str]>) {
        self.admit_with(token(node.id.0[0], None, claims), node);
    }

    pub(crate) fn admit_with(&mut self, fact: TokenFact, node: NodeRef) {
        let id = fact.id;
        self.operate(Operation::CreateToken(fact));
        self.operate(Operation::Admit { token: id, node: node.id, now_unix_s: 1 });
    }

    pub(crate) fn join(&mut self, node: NodeRef, facts: NodeFacts) -> Vec<Effect> {
        let mut effects = self.link(node);
        effects.extend(self.say(node, ToLeader::Register(Box::new(facts))));
        effects
    }

    /// A link to a member, which hears who leads.
    pub(crate) fn link(&mut self, node: NodeRef) -> Vec<Effect> {
        let mut effects = self.give(Input::Connected { node, role: Role::Member });
        let leading =
            |effect: &Effect| matches!(effect, Effect::Send { to, message: ToMember::Leading { .. } } if *to == node);
        let at = effects.iter().position(leading).expect("whoever is linked hears who leads");
        effects.remove(at);
        effects
    }

    pub(crate) fn say(&mut self, from: NodeRef, message: ToLeader) -> Vec<Effect> {
        self.give(Input::Received { from, message })
    }

    pub(crate) fn operate(&mut self, operation: Operation) -> Vec<Effect> {
        self.give(Input::Operation { ticket: 1, operation })
    }

    pub(crate) fn create(&mut self, request: RequestId, spec: CreateSpec) -> Vec<Effect> {
        self.say(request.node, ToLeader::Create { request, again: false, spec: Box::new(spec) })
    }

    pub(crate) fn placed(&mut self, on: NodeRef, request: RequestId, at: Address) -> Vec<Effect> {
        self.say(on, ToLeader::Placed { request, outcome: PlaceOutcome::Placed { address: at } })
    }

    /// Gives an input, lets the disk finish, and returns what came of it, notices and records left out.
    pub(crate) fn give(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.give_uncommitted(input);
        effects.extend(self.commit());
        effects
    }

    /// The same with a slow disk.
    pub(crate) fn give_uncommitted(&mut self, input: Input) -> Vec<Effect> {
        self.leader.handle(self.now, input);
        self.drain()
    }

    pub(crate) fn commit(&mut self) -> Vec<Effect> {
        let mut effects = self.drain();
        while !self.pending.is_empty() {
            self.ledger.append(&mut self.pending);
            self.leader.handle(self.now, Input::Committed { index: self.ledger.len() as u64 });
            effects.extend(self.drain());
        }
        effects
    }

    fn drain(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = self.leader.next_effect() {
            match effect {
                Effect::Persist { index, record } => {
                    self.pending.push(record);
                    assert_eq!(index, (self.ledger.len() + self.pending.len()) as u64);
                }
                Effect::Check { ticket, .. } if self.verdict.is_some() => {
                    self.checks += 1;
                    let outcome = outcome(self.verdict.clone().unwrap());
                    self.leader.handle(self.now, Input::Checked { ticket, outcome });
                }
                Effect::Flush if self.flushes => self.leader.handle(self.now, Input::Flushed),
                Effect::Echo { at } => self.leader.handle(self.now, Input::Heard { until: at }),
                Effect::Notice(_) => {}
                other => effects.push(other),
            }
        }
        effects
    }

    /// Lets time pass, with the leader woken whenever it asks, and these nodes renewing.
    pub(crate) fn pass(&mut self, ms: u64, renewing: &[NodeRef]) -> Vec<Effect> {
        let end = self.now + ms;
        let mut effects = Vec::new();
        while self.now < end {
            let next = self.leader.next_deadline().map_or(end, |at| at.max(self.now + 1)).min(end);
            self.now = next;
            for node in renewing {
                effects.extend(self.say(*node, ToLeader::Renew { load: Load::default() }));
            }
            effects.extend(self.give(Input::Timer));
        }
        effects
    }
}

pub(crate) fn send(to: NodeRef, message: ToMember) -> Effect {
    Effect::Send { to, message }
}

pub(crate) fn answer(answer: Answer) -> Effect {
    Effect::Answer { ticket: 1, answer }
}

pub(crate) fn refused(effects: &[Effect]) -> Option<u16> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send { message: ToMember::RegistrationRefused { code, .. }, .. }
        | Effect::Answer { answer: Answer::Refused { code, .. }, .. } => Some(*code),
        _ => None,
    })
}

/// The node that was asked to host.
pub(crate) fn asked_to_host(effects: &[Effect]) -> Option<NodeRef> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send { to, message: ToMember::Place { .. } } => Some(*to),
        _ => None,
    })
}
