//! A leader with its members, and one creation after the other.

use super::Between;
use anyhow::{Context, Result, bail, ensure};
use odeon::{Address, CapabilityMap, Incarnation, NodeId, NodeRef};
use odeon_capabilities::{Delta, Reads, Requirements};
use odeon_convention::leader::{Effect, Input, Leader, LeaderConfig, Operation};
use odeon_convention::record::TokenFact;
use odeon_convention::types::{
    CheckOutcome, CheckVerdict, CreateOutcome, CreateSpec, Load, NativeActor, NodeFacts, Placement, RequestId, Role,
};
use odeon_convention::wire::{PlaceOutcome, ToLeader, ToMember};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Values of the capability that is asked for: what is asked holds from [`GPUS_WANTED`] on, at three members in five.
const GPUS: u64 = 5;
const GPUS_WANTED: u64 = 2;
const TYPES: u64 = 16;
const TOKEN: [u8; 32] = [1; 32];
const NOW: u64 = 10_000;

pub(super) struct Scene {
    leader: Leader,
    members: u64,
    zones: u64,
    /// The index of the last record: what is persisted is durable at once.
    last: u64,
    /// How often the capabilities of a member have changed.
    versions: BTreeMap<u64, u64>,
}

impl Scene {
    pub(super) fn with(members: u64, maps: u64) -> Result<Self> {
        let leader = Leader::new(LeaderConfig::default(), node(0), 0);
        let zones = (maps / GPUS).max(1);
        let mut scene = Self { leader, members, zones, last: 0, versions: BTreeMap::new() };
        scene.leader.start(NOW);
        let fact = TokenFact { id: TOKEN, role: Role::Member, expires_unix_s: 100, uses: None, claims: None };
        scene.give(Input::Operation { ticket: 1, operation: Operation::CreateToken(fact) });
        for n in 1..=members {
            let operation = Operation::Admit { token: TOKEN, node: node(n).id, now_unix_s: 1 };
            scene.give(Input::Operation { ticket: 1, operation });
            scene.give(Input::Connected { node: node(n), role: Role::Member });
            let facts = facts(n, zones)?;
            let welcome = scene.give(Input::Received { from: node(n), message: ToLeader::Register(facts.into()) });
            let registered = |e: &Effect| matches!(e, Effect::Send { message: ToMember::Registered { .. }, .. });
            ensure!(welcome.iter().any(registered), "member {n} was not registered: {welcome:?}");
        }
        Ok(scene)
    }

    /// What happens between decisions, then one creation.
    pub(super) fn one(&mut self, number: u64, between: Between, strategy: Placement) -> Result<(Duration, Duration)> {
        let change = if between == Between::Capabilities { self.change(number)? } else { Duration::ZERO };
        let (decided, whole) = self.create(number, between == Between::Requirements, strategy)?;
        Ok((change + decided, change + whole))
    }

    /// A member has what no other has, or what others have again, in another zone than before.
    fn change(&mut self, number: u64) -> Result<Duration> {
        let member = 1 + number / 2 * 104_729 % self.members;
        let mut delta = Delta::default();
        match number % 2 {
            0 => delta.0.insert("serial".to_owned(), Some(i64::try_from(number)?.into())),
            _ => {
                delta.0.insert("serial".to_owned(), None);
                delta.0.insert("zone".to_owned(), Some(zone(number % self.zones).into()))
            }
        };
        let version = self.versions.entry(member).or_default();
        *version += 1;
        let message = ToLeader::CapabilitiesChanged { version: *version, delta };
        let begun = Instant::now();
        let effects = self.give(Input::Received { from: node(member), message });
        let took = begun.elapsed();
        ensure!(effects.is_empty(), "the change was not taken: {effects:?}");
        Ok(took)
    }

    /// One creation: how long its decision took, and all of it until its asker was told.
    fn create(&mut self, number: u64, changing: bool, strategy: Placement) -> Result<(Duration, Duration)> {
        // Some stride, so that the askers are of all maps.
        let asker = node(1 + number * 7_919 % self.members);
        let request = RequestId { node: asker, number };
        let message = ToLeader::Create { request, again: false, spec: Box::new(spec(number, changing, strategy)) };

        let begun = Instant::now();
        let effects = self.give(Input::Received { from: asker, message });
        let decided = begun.elapsed();

        let host = effects.iter().find_map(|effect| match effect {
            Effect::Send { to, message: ToMember::Place { request: asked, .. } } if *asked == request => Some(*to),
            _ => None,
        });
        let host = host.with_context(|| format!("nobody was asked to host: {effects:?}"))?;
        let address = Address::mint(host, 1, number);
        let message = ToLeader::Placed { request, outcome: PlaceOutcome::Placed { address } };

        let begun = Instant::now();
        let effects = self.give(Input::Received { from: host, message });
        let ended = begun.elapsed();

        match effects.as_slice() {
            [Effect::Send { to, message: ToMember::Created { outcome, .. } }]
                if *to == asker && matches!(**outcome, CreateOutcome::Created { .. }) => {}
            _ => bail!("the asker was not told that its actor lives: {effects:?}"),
        }
        Ok((decided, decided + ended))
    }

    /// Gives an input and plays disk and checks until nothing is left to do; gives what others would do.
    fn give(&mut self, input: Input) -> Vec<Effect> {
        let mut others = Vec::new();
        self.leader.handle(NOW, input);
        loop {
            let durable = self.last;
            while let Some(effect) = self.leader.next_effect() {
                match effect {
                    Effect::Persist { index, .. } => self.last = index,
                    Effect::Check { ticket, capabilities, .. } => {
                        // It accepts, and what it read is the number of processors of graphics.
                        let read = Reads([("gpu".to_owned(), capabilities.value("gpu").cloned())].into());
                        let outcome = CheckOutcome { verdict: CheckVerdict::Accepted, read };
                        self.leader.handle(NOW, Input::Checked { ticket, outcome });
                    }
                    Effect::Flush => self.leader.handle(NOW, Input::Flushed),
                    Effect::Echo { .. } | Effect::Notice(_) | Effect::TokensChanged => {}
                    other => others.push(other),
                }
            }
            if self.last == durable {
                return others;
            }
            self.leader.handle(NOW, Input::Committed { index: self.last });
        }
    }
}

fn node(n: u64) -> NodeRef {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    NodeRef { id: NodeId(id), incarnation: Incarnation(1) }
}

fn zone(n: u64) -> String {
    format!("zone-{n}")
}

fn facts(n: u64, zones: u64) -> Result<NodeFacts> {
    let mut capabilities = CapabilityMap::new();
    capabilities.set("zone", zone(n / GPUS % zones))?;
    capabilities.set("gpu", i64::try_from(n % GPUS)?)?;
    let native = |n| NativeActor { name: format!("Actor{n}"), required: vec![] };
    Ok(NodeFacts {
        name: format!("n{n}"),
        listen: "10.0.0.1:1".to_owned(),
        capabilities,
        capabilities_version: 0,
        natives: (0..TYPES).map(native).collect(),
        images: vec![],
        load: Load::default(),
        hosted: vec![],
        draining: false,
    })
}

/// What is asked for. Another threshold each time is another question, though the same members fit.
fn spec(number: u64, changing: bool, placement: Placement) -> CreateSpec {
    const SCALE: u64 = 1_000_000;
    let (kind, less) = if changing { (number % TYPES, number % SCALE) } else { (0, 0) };
    let threshold = GPUS_WANTED * SCALE - less;
    CreateSpec {
        actor: format!("Actor{kind}"),
        image: None,
        requirements: Requirements::none().expression(format!("gpu * {SCALE} >= {threshold}")),
        global_name: None,
        placement,
        on: None,
        parent: None,
        promised: None,
        distinct: None,
    }
}
