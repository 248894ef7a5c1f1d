//! One node: its start, its member machine, its actors.

use super::clock::Clock;
use super::truth;
use odeon::{Address, Incarnation, NodeId, NodeRef};
use odeon_capabilities::CapabilityMap;
use odeon_convention::member::{Member, MemberConfig};
use odeon_convention::types::{CreateSpec, Load, NodeFacts, RequestId, SourceHash};
use std::collections::{BTreeMap, BTreeSet};

/// A machine in the rack. What survives a crash is its number of starts.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: u32,
    pub(super) starts: u32,
    pub(super) running: Option<Process>,
}

/// Which of the world's nodes has this id.
pub(super) fn number_of(id: NodeId) -> usize {
    let [a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d]) as usize - 1
}

/// One start.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) me: NodeRef,
    pub(super) member: Member,
    /// As the driver was told; what its actors see.
    pub(super) capabilities: CapabilityMap,
    /// As the driver was told.
    pub(super) draining: bool,
    pub(super) actors: BTreeMap<Address, Actor>,
    pub(super) store: BTreeSet<SourceHash>,
    /// As the driver was told: of these nothing comes into the store any more.
    pub(super) revoked: BTreeSet<SourceHash>,
    /// Creations that were asked for here and not answered.
    pub(super) asked: BTreeMap<u64, CreateSpec>,
    pub(super) tickets: u64,
    pub(super) slots: u32,
    /// It began with this start.
    pub(super) clock: Clock,
    /// The time of the timer event that counts, as the world has it.
    pub(super) wakes_at: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) request: RequestId,
    pub(super) name: Option<String>,
    pub(super) image: Option<SourceHash>,
}

impl Node {
    pub(super) fn new(number: u32) -> Self {
        Self { number, starts: 0, running: None }
    }

    pub(super) fn id(&self) -> NodeId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&(self.number + 1).to_be_bytes());
        NodeId(id)
    }

    pub(super) fn start(&mut self, capabilities: CapabilityMap, seed: u64, clock: Clock) -> NodeRef {
        self.starts += 1;
        let me = NodeRef { id: self.id(), incarnation: Incarnation(self.starts) };
        let facts = NodeFacts {
            name: format!("n{}", self.number),
            listen: format!("10.0.0.{}:1", self.number),
            capabilities: capabilities.clone(),
            capabilities_version: 0,
            natives: truth::natives(self.number),
            images: Vec::new(),
            load: Load::default(),
            hosted: Vec::new(),
            draining: false,
        };
        let config = MemberConfig { leader_absent_ms: 10_000, ..MemberConfig::default() };
        self.running = Some(Process {
            me,
            member: Member::new(config, me, facts, seed),
            capabilities,
            draining: false,
            actors: BTreeMap::new(),
            store: BTreeSet::new(),
            revoked: BTreeSet::new(),
            asked: BTreeMap::new(),
            tickets: 0,
            slots: 0,
            clock,
            wakes_at: None,
        });
        me
    }
}

impl Process {
    /// A new actor's address.
    pub(super) fn mint(&mut self) -> Address {
        self.slots += 1;
        Address::mint(self.me, self.slots, u64::from(self.slots))
    }
}
