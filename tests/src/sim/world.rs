//! The simulated world: what there is in it, and the run from its first event to its last.
//!
//! Where to look: `queue` has what can happen and its order. `world/leader` is the driver of the leader machine, and
//! `world/turns` has the beginnings and ends of leaders; `world/members` is both for members. `world/links` is what is
//! between them. What goes wrong is in `faults`, what everybody does in `workload` and `operators`.

mod leader;
mod links;
mod members;
mod revoked;
mod turns;

use super::clock::Clock;
use super::digest::Digest;
use super::ledger::Ledger;
use super::link::Link;
use super::meter::Meter;
use super::operators::Operators;
use super::process::{Node, Process};
use super::queue::{Event, Queue};
use super::random::Random;
use super::shelf::Shelf;
use super::watch::{self, Checker, Ending, Left, Seen};
use super::{Options, Report};
use odeon::{NodeId, NodeRef};
use odeon_convention::leader::{ImageState, Input, Leader, MemberState};
use odeon_convention::limits;
use odeon_convention::types::SourceHash;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a run ends early: when, which checker, what.
pub(super) type Broke = (u64, &'static str, String);

pub(super) struct World {
    pub(super) options: Options,
    pub(super) random: Random,
    pub(super) now: u64,
    queue: Queue,
    pub(super) leader: Option<Leader>,
    /// Which of the nodes that may lead has the turn or had it last; turns are counted as its starts.
    leader_node: u8,
    leader_starts: u32,
    leader_clock: Clock,
    stalled: Option<VecDeque<Input>>,
    leader_wakes_at: Option<u64>,
    ledger: Ledger,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) admitted: BTreeSet<NodeId>,
    pub(super) operators: Operators,
    pub(super) shelf: Shelf,
    /// How sound the link of a node was when it was declared gone, until that is durable.
    judged: BTreeMap<NodeRef, Option<u64>>,
    checkers: Vec<Box<dyn Checker>>,
    digest: Option<Digest>,
    pub(super) report: Report,
    broke: Option<Broke>,
    pub(super) meter: Meter,
}

impl World {
    pub(super) fn new(random: Random, options: Options) -> Self {
        let mut random = random;
        let leader_clock = Clock::new(&mut random);
        let nodes: Vec<Node> = (0..options.members).map(Node::new).collect();
        Self {
            links: nodes.iter().map(|_| Link::default()).collect(),
            nodes,
            digest: options.digest.then(Digest::default),
            options,
            random,
            now: 1_000,
            queue: Queue::default(),
            leader: None,
            leader_node: 0,
            leader_starts: 0,
            leader_clock,
            stalled: None,
            leader_wakes_at: None,
            ledger: Ledger::default(),
            admitted: BTreeSet::new(),
            operators: Operators::default(),
            shelf: Shelf::default(),
            judged: BTreeMap::new(),
            checkers: watch::checkers(limits::LEASE_MS),
            report: Report::default(),
            broke: None,
            meter: Meter::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Report, Broke> {
        self.start_leader();
        self.admit_missing();
        self.after(50, Event::Work);
        self.after(2_000, Event::Fault);
        self.pass(self.options.faults_ms + self.options.settle_ms)?;
        self.settle();
        if let Some(broke) = self.broke {
            return Err(broke);
        }
        self.report.alive_at_end = self.settled().map_err(|(checker, what)| (self.now, checker, what))?;
        self.report.digest = self.digest.as_ref().map(Digest::sum);
        Ok(self.report)
    }

    /// Everything happens that happens within so many milliseconds.
    pub(super) fn pass(&mut self, ms: u64) -> Result<(), Broke> {
        let end = self.now + ms;
        while let Some((at, event)) = self.queue.pop_until(end) {
            self.now = at;
            self.report.events += 1;
            self.happen(event);
            if let Some(broke) = self.broke.take() {
                return Err(broke);
            }
        }
        Ok(())
    }

    /// The checkers see what is left when all is quiet.
    fn settle(&mut self) {
        let Some(leader) = &self.leader else { return };
        let mut members = leader.members(self.leader_now());
        members.retain(|m| matches!(m.state, MemberState::Alive | MemberState::Suspect));
        let members = members.into_iter().map(|m| (m.node, m.capabilities)).collect();
        let approved = leader.images().into_iter().filter(|v| v.state == ImageState::Approved);
        let images = approved.map(|v| v.image.hash).collect();
        let revoked = leader.images().into_iter().filter(|v| v.state == ImageState::Revoked);
        let revoked = revoked.map(|v| self.left_of(leader, v.image.hash)).collect();
        let authority = leader.authority_actor().cloned();
        self.saw(&Seen::Settled { members, images, revoked, authority });
    }

    /// What there still is of a revoked image.
    fn left_of(&self, leader: &Leader, hash: SourceHash) -> Left {
        let running = || self.nodes.iter().filter_map(|node| node.running.as_ref());
        let actors = running().flat_map(|process| process.actors.values());
        Left {
            hash,
            unconfirmed: leader.confirmations(hash).map_or(0, |confirmations| confirmations.unconfirmed.len()),
            stores: running().filter(|process| process.store.contains(&hash)).count(),
            actors: actors.filter(|actor| actor.image == Some(hash)).count(),
        }
    }

    /// How many nodes are alive, once it is sure that all is well with all of them.
    fn settled(&self) -> Result<u64, (&'static str, String)> {
        let living: Vec<Ending> = self.nodes.iter().filter_map(|n| n.running.as_ref()).map(ending).collect();
        let shown = self.leader.as_ref().map(|l| l.members(self.leader_now())).unwrap_or_default();
        watch::settled(&living, &shown, self.operators.waiting())?;
        Ok(shown.iter().filter(|m| m.state == MemberState::Alive).count() as u64)
    }

    pub(super) fn faulty(&self) -> bool {
        self.now < 1_000 + self.options.faults_ms
    }

    pub(super) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.queue.push(at.max(self.now), event);
    }

    pub(super) fn saw(&mut self, seen: &Seen) {
        if let Some(digest) = &mut self.digest {
            digest.add(self.now, seen);
        }
        for checker in &mut self.checkers {
            if let Err(what) = checker.observe(seen) {
                let name = checker.name();
                self.broke.get_or_insert((self.now, name, what));
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Leader(input) => self.tell_leader(*input),
            Event::LeaderTimer => self.leader_timer(),
            Event::LeaderEcho { start, at } if start == self.leader_starts => {
                self.tell_leader(Input::Heard { until: at });
            }
            Event::LeaderFlushed { start } if start == self.leader_starts => self.tell_leader(Input::Flushed),
            Event::LeaderEcho { .. } | Event::LeaderFlushed { .. } => {}
            Event::LeaderWakes => self.wake_leader(),
            Event::LeaderRestarts => self.start_leader(),
            Event::LeaderCrashes => self.crash_leader(),
            Event::LeaderMoves => self.move_leader(),
            Event::LeaderStalls => self.stall_leader(),
            Event::Commit { term } => self.commit(term),
            Event::Member { node, me, input } => self.happen_at_member(node, me, *input),
            Event::MemberTimer { node, me } => self.member_timer(node, me),
            Event::ToLeader { node, epoch, from, to, message } => {
                let leads = self.leader.is_some() && self.leader_ref() == to;
                if leads && self.links[node].at_leader == Some((epoch, from)) {
                    self.tell_leader(Input::Received { from, message: *message });
                } else {
                    self.report.lost += 1;
                }
            }
            Event::ToMember { node, epoch, from, message } => self.deliver(node, epoch, from, *message),
            Event::Dial { node } => self.dial(node),
            Event::LeaderEndDown { node, epoch } => self.leader_end_down(node, epoch),
            Event::MemberEndDown { node, epoch } => self.member_end_down(node, epoch),
            Event::IdleOut { node, epoch } => self.idle_out(node, epoch),
            Event::Heal { node } => self.links[node].heal(self.now),
            Event::Start { node } => self.start_node(node),
            Event::Revoked { node, me, hash, end } => self.revocation_done(node, me, hash, end),
            Event::Exits { node, me, actor } => self.exit(node, me, actor),
            Event::Fault => self.fault(),
            Event::Work => self.work(),
            Event::Audit => self.audit(),
            Event::Temptation => self.tempt(),
        }
    }
}

fn ending(process: &Process) -> Ending {
    Ending { node: process.me, capabilities: process.capabilities.clone(), unanswered: process.asked.len() }
}
