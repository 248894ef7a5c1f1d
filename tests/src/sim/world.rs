//! The simulated world: one queue of events in time, the machines, and the driver that carries out their effects.

use super::broken::Broken;
use super::clock::Clock;
use super::ledger::Ledger;
use super::links::{Link, USUAL_DELAY_MS, Way};
use super::operators::Operators;
use super::process::{Actor, Node, Process};
use super::random::Random;
use super::truth;
use super::watch::{self, Checker, Ending, Seen};
use super::{Options, Report};
use odeon::{Address, Incarnation, NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Reads};
use odeon_convention::leader::{self, ImageState, Leader, LeaderConfig};
use odeon_convention::member;
use odeon_convention::record::Record;
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateOutcome, RequestId, Role, SourceHash};
use odeon_convention::watching::News;
use odeon_convention::wire::{self, ToLeader, ToMember};
use odeon_convention::{codes, limits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Nodes that may lead.
const LEADERS: u8 = 3;
/// How long a leader's echo is on its way, if the leader is not behind.
const ECHO_MS: u64 = 20;
/// Renewals are datagrams.
const RENEWALS_LOST_PERCENT: u64 = 5;

/// Why a run ends early: when, which checker, what.
pub(super) type Broke = (u64, &'static str, String);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Leader(leader::Input),
    LeaderTimer,
    LeaderWakes,
    LeaderRestarts,
    LeaderCrashes,
    LeaderMoves,
    LeaderStalls,
    /// Of this start: all that had arrived by then is handled.
    LeaderEcho {
        start: u32,
        at: u64,
    },
    Commit {
        term: u32,
    },
    Member {
        node: usize,
        me: NodeRef,
        input: Box<member::Input>,
    },
    MemberTimer {
        node: usize,
        me: NodeRef,
    },
    ToLeader {
        node: usize,
        epoch: u64,
        from: NodeRef,
        to: NodeRef,
        message: Box<ToLeader>,
    },
    ToMember {
        node: usize,
        epoch: u64,
        from: NodeRef,
        message: Box<ToMember>,
    },
    Dial {
        node: usize,
    },
    /// An end notices that its link is silent.
    LeaderEndDown {
        node: usize,
        epoch: u64,
    },
    MemberEndDown {
        node: usize,
        epoch: u64,
    },
    IdleOut {
        node: usize,
        epoch: u64,
    },
    Heal {
        node: usize,
    },
    Start {
        node: usize,
    },
    Fault,
    Work,
}

pub(super) struct World {
    pub(super) options: Options,
    pub(super) random: Random,
    pub(super) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    order: u64,
    pub(super) leader: Option<Leader>,
    /// Which of the nodes that may lead has the turn or had it last; turns are counted as its starts.
    leader_node: u8,
    leader_starts: u32,
    leader_clock: Clock,
    pub(super) stalled: Option<VecDeque<leader::Input>>,
    leader_wakes_at: Option<u64>,
    ledger: Ledger,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    by_id: BTreeMap<NodeId, usize>,
    pub(super) admitted: BTreeSet<NodeId>,
    pub(super) operators: Operators,
    /// How sound the link of a node was when it was declared gone, until that is durable.
    judged: BTreeMap<NodeRef, Option<u64>>,
    checkers: Vec<Box<dyn Checker>>,
    digest: DefaultHasher,
    pub(super) report: Report,
    broke: Option<Broke>,
}

impl World {
    pub(super) fn new(random: Random, options: Options) -> Self {
        let mut random = random;
        let leader_clock = Clock::new(&mut random);
        let nodes: Vec<Node> = (0..options.members).map(Node::new).collect();
        Self {
            by_id: nodes.iter().enumerate().map(|(at, node)| (node.id(), at)).collect(),
            links: nodes.iter().map(|_| Link::default()).collect(),
            nodes,
            options,
            random,
            now: 1_000,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            order: 0,
            leader: None,
            leader_node: 0,
            leader_starts: 0,
            leader_clock,
            stalled: None,
            leader_wakes_at: None,
            ledger: Ledger::default(),
            admitted: BTreeSet::new(),
            operators: Operators::default(),
            judged: BTreeMap::new(),
            checkers: watch::checkers(limits::LEASE_MS),
            digest: DefaultHasher::new(),
            report: Report::default(),
            broke: None,
        }
    }

    pub(super) fn run(mut self) -> Result<Report, Broke> {
        self.start_leader();
        self.admit_missing();
        self.after(50, Event::Work);
        self.after(2_000, Event::Fault);
        let end = self.now + self.options.faults_ms + self.options.settle_ms;
        while let Some(Reverse((at, _, slot))) = self.queue.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.free.push(slot);
            let Some(event) = self.events[slot].take() else { continue };
            self.report.events += 1;
            self.happen(event);
            if let Some(broke) = self.broke {
                return Err(broke);
            }
        }
        self.settle();
        if let Some(broke) = self.broke {
            return Err(broke);
        }
        self.report.alive_at_end = self.settled().map_err(|(checker, what)| (self.now, checker, what))?;
        self.report.digest = self.digest.finish();
        Ok(self.report)
    }

    /// The checkers see what is left when all is quiet.
    fn settle(&mut self) {
        let Some(leader) = &self.leader else { return };
        let mut members = leader.members(self.leader_now());
        members.retain(|m| matches!(m.state, leader::MemberState::Alive | leader::MemberState::Suspect));
        let members = members.into_iter().map(|m| (m.node, m.capabilities)).collect();
        let approved = leader.images().into_iter().filter(|v| v.state == ImageState::Approved);
        let images = approved.map(|v| v.image.hash).collect();
        self.saw(&Seen::Settled { members, images });
    }

    /// How many nodes are alive, once it is sure that all is well with all of them.
    fn settled(&self) -> Result<u64, (&'static str, String)> {
        let living: Vec<Ending> = self.nodes.iter().filter_map(|n| n.running.as_ref()).map(ending).collect();
        let shown = self.leader.as_ref().map(|l| l.members(self.leader_now())).unwrap_or_default();
        watch::settled(&living, &shown, self.operators.waiting())?;
        Ok(shown.iter().filter(|m| m.state == leader::MemberState::Alive).count() as u64)
    }

    pub(super) fn faulty(&self) -> bool {
        self.now < 1_000 + self.options.faults_ms
    }

    pub(super) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.queue.push(Reverse((at.max(self.now), self.order, slot)));
    }

    pub(super) fn saw(&mut self, seen: &Seen) {
        format!("{} {seen:?}", self.now).hash(&mut self.digest);
        for checker in &mut self.checkers {
            if let Err(what) = checker.observe(seen) {
                let name = checker.name();
                self.broke.get_or_insert((self.now, name, what));
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Leader(input) => self.tell_leader(input),
            Event::LeaderTimer => self.leader_timer(),
            Event::LeaderEcho { start, at } if start == self.leader_starts => {
                self.tell_leader(leader::Input::Heard { until: at });
            }
            Event::LeaderEcho { .. } => {}
            Event::LeaderWakes => self.wake_leader(),
            Event::LeaderRestarts => self.start_leader(),
            Event::LeaderCrashes => self.crash_leader(),
            Event::LeaderMoves => self.move_leader(),
            Event::LeaderStalls => self.stall_leader(),
            Event::Commit { term } => self.commit(term),
            Event::Member { node, me, input } => self.tell_member(node, me, *input),
            Event::MemberTimer { node, me } => self.member_timer(node, me),
            Event::ToLeader { node, epoch, from, to, message } => {
                let leads = self.leader.is_some() && self.leader_ref() == to;
                if leads && self.links[node].at_leader == Some((epoch, from)) {
                    self.tell_leader(leader::Input::Received { from, message: *message });
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
            Event::Fault => self.fault(),
            Event::Work => self.work(),
        }
    }

    // The leader.

    fn leader_ref(&self) -> NodeRef {
        NodeRef { id: NodeId([0xff - self.leader_node; 16]), incarnation: Incarnation(self.leader_starts) }
    }

    /// What the leader's clock shows.
    fn leader_now(&self) -> u64 {
        self.leader_clock.shows(self.now)
    }

    fn start_leader(&mut self) {
        if self.leader.is_some() {
            return;
        }
        self.leader_starts += 1;
        self.leader_clock = Clock::new(&mut self.random);
        let config = LeaderConfig { seed: self.random.next(), ..LeaderConfig::default() };
        let mut leader = Leader::new(config, self.leader_ref(), self.leader_now());
        for record in &self.ledger.durable {
            leader.replay(record.clone());
        }
        let images = leader.images();
        let images = images.iter().map(|v| (v.image.hash.0, v.state == ImageState::Approved)).collect();
        let tokens = leader.tokens().map(|(fact, used)| (fact.id, used)).collect();
        self.saw(&Seen::LeaderStarted { images, tokens });
        leader.start(self.leader_now());
        self.leader = Some(leader);
        self.drain_leader();
        // Where the turn moved, the links stand.
        let linked: Vec<NodeRef> = self.links.iter().filter_map(|l| l.at_leader.map(|(_, node)| node)).collect();
        for node in linked {
            self.tell_leader(leader::Input::Connected { node, role: Role::Member });
        }
        self.admit_missing();
    }

    /// The turn is over. Of what was not durable some may become so all the same: nobody was told of it.
    fn end_turn(&mut self) -> bool {
        if self.leader.take().is_none() {
            return false;
        }
        if self.random.chance(50) {
            for _ in 0..self.random.below(self.ledger.pending() + 1) {
                self.agree();
            }
        }
        self.ledger.crash();
        self.stalled = None;
        self.leader_wakes_at = None;
        self.operators.crash();
        true
    }

    /// Another node leads after a while, and no link is touched: what is under way from and to the first one arrives,
    /// and must not count.
    fn move_leader(&mut self) {
        if self.end_turn() {
            self.report.leader_moves += 1;
            self.leader_node = (self.leader_node + 1) % LEADERS;
            let chosen = self.random.within(1, 2_500);
            self.after(chosen, Event::LeaderRestarts);
        }
    }

    fn crash_leader(&mut self) {
        if !self.end_turn() {
            return;
        }
        self.report.leader_crashes += 1;
        for node in 0..self.links.len() {
            self.links[node].at_leader = None;
            self.links[node].disturbed_ms = self.now;
            if let Some(epoch) = self.links[node].at_member {
                let notice = if self.random.chance(50) { 5 } else { self.random.within(5, 1_500) };
                self.after(notice, Event::MemberEndDown { node, epoch });
            }
        }
        let down = self.random.within(100, 3_000);
        self.after(down, Event::LeaderRestarts);
    }

    fn stall_leader(&mut self) {
        if self.leader.is_some() && self.stalled.is_none() {
            self.stalled = Some(VecDeque::new());
            self.report.leader_stalls += 1;
            let for_ms = self.random.within(300, 7_000);
            self.after(for_ms, Event::LeaderWakes);
        }
    }

    /// What happened during the stall is taken in only now: the timer first, as the worst case.
    fn wake_leader(&mut self) {
        let Some(waiting) = self.stalled.take() else { return };
        self.tell_leader(leader::Input::Timer);
        for input in waiting {
            self.tell_leader(input);
        }
    }

    pub(super) fn tell_leader(&mut self, input: leader::Input) {
        if let Some(waiting) = &mut self.stalled {
            if input != leader::Input::Timer {
                waiting.push_back(input);
            }
            return;
        }
        let now = self.leader_now();
        if let Some(leader) = &mut self.leader {
            leader.handle(now, input);
            self.drain_leader();
        }
    }

    fn leader_timer(&mut self) {
        if self.leader_wakes_at != Some(self.now) {
            return;
        }
        self.leader_wakes_at = None;
        if self.stalled.is_none() {
            self.tell_leader(leader::Input::Timer);
        }
    }

    fn commit(&mut self, term: u32) {
        if term != self.leader_starts || self.leader.is_none() {
            return;
        }
        if let Some(index) = self.agree() {
            self.tell_leader(leader::Input::Committed { index });
        }
    }

    /// The next record is durable.
    fn agree(&mut self) -> Option<u64> {
        let (index, record) = self.ledger.commit()?;
        if let Record::NodeGone { node, .. } = &record {
            let sound_for_ms = self.judged.remove(node).flatten();
            self.report.declared_gone += 1;
            self.saw(&Seen::DeclaredGone { node: *node, sound_for_ms });
        }
        self.saw(&Seen::Durable { record });
        Some(index)
    }

    fn drain_leader(&mut self) {
        while let Some(effect) = self.leader.as_mut().and_then(Leader::next_effect) {
            self.do_for_leader(effect);
        }
        let deadline = self.leader.as_ref().and_then(Leader::next_deadline).map(|at| self.leader_clock.reaches(at));
        if let Some(at) = deadline
            && self.leader_wakes_at.is_none_or(|wakes| at < wakes || wakes < self.now)
        {
            self.leader_wakes_at = Some(at.max(self.now));
            self.at(at, Event::LeaderTimer);
        }
    }

    fn do_for_leader(&mut self, effect: leader::Effect) {
        match effect {
            leader::Effect::Send { to, message } => self.send_to_member(to, message),
            leader::Effect::Persist { index, record } => self.persist(index, record),
            leader::Effect::Check { ticket, actor, capabilities, .. } => {
                let mut outcome = truth::check(&actor, &capabilities, true);
                self.spoil(&mut outcome);
                let delay = self.random.within(0, 10);
                self.after(delay, Event::Leader(leader::Input::Checked { ticket, outcome }));
            }
            leader::Effect::Answer { ticket, answer } => self.operator_answered(ticket, answer),
            leader::Effect::Close { node, .. } => {
                let at = self.by_id[&node.id];
                if self.links[at].at_leader.is_some_and(|(_, linked)| linked == node) {
                    self.tear(at);
                }
            }
            leader::Effect::Echo { at } => {
                self.after(ECHO_MS, Event::LeaderEcho { start: self.leader_starts, at });
            }
            leader::Effect::DropImage { .. } | leader::Effect::TokensChanged | leader::Effect::Notice(_) => {}
        }
    }

    fn persist(&mut self, index: u64, record: Record) {
        if let Record::NodeGone { node, left } = &record {
            let at = self.by_id[&node.id];
            let lives = self.nodes[at].running.as_ref().is_some_and(|p| p.me == *node);
            let sound = lives && !left && self.links[at].sound();
            self.judged.insert(*node, sound.then(|| self.now - self.links[at].disturbed_ms));
        }
        let at = self.ledger.append(index, record, self.now, &mut self.random);
        self.at(at, Event::Commit { term: self.leader_starts });
        let now = self.leader_now();
        if self.options.broken == Broken::AnswerBeforeCommit
            && let Some(leader) = &mut self.leader
        {
            leader.handle(now, leader::Input::Committed { index });
        }
    }

    fn send_to_member(&mut self, to: NodeRef, message: ToMember) {
        if let ToMember::Registered { .. } = message {
            self.saw(&Seen::Welcomed { node: to });
        }
        if self.options.broken == Broken::LoseAnswers
            && matches!(message, ToMember::Created { .. })
            && self.random.chance(10)
        {
            return;
        }
        let node = self.by_id[&to.id];
        let Some((epoch, linked)) = self.links[node].at_leader else { return };
        if linked != to {
            return;
        }
        self.round_trip(&message);
        match self.carry(node, Way::ToMember) {
            Some(at) => {
                let from = self.leader_ref();
                self.at(at, Event::ToMember { node, epoch, from, message: Box::new(message) });
            }
            None => self.silent(node, epoch),
        }
    }

    /// Now and then a message is taken through its wire form.
    fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq>(&mut self, message: &T) {
        if self.report.events.is_multiple_of(64) {
            let back = wire::encode(message).and_then(|bytes| wire::decode::<T>(&bytes));
            if back.as_ref() != Ok(message) {
                self.broke.get_or_insert((self.now, "messages survive the wire", "one does not".to_owned()));
            }
        }
    }

    fn spoil(&self, outcome: &mut CheckOutcome) {
        if self.options.broken == Broken::AcceptEverything {
            *outcome = CheckOutcome { verdict: CheckVerdict::Accepted, read: Reads::default() };
        }
    }

    // Links.

    fn dial(&mut self, node: usize) {
        let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me) else { return };
        if self.links[node].at_member.is_some() {
            return;
        }
        if self.leader.is_none() || !self.links[node].passable() {
            let again = self.random.within(200, 900);
            return self.after(again, Event::Dial { node });
        }
        if let Some((_, earlier)) = self.links[node].at_leader.take() {
            self.tell_leader(leader::Input::Disconnected { node: earlier });
        }
        let epoch = self.links[node].connect(me, self.now);
        self.links[node].at_member = Some(epoch);
        self.tell_leader(leader::Input::Connected { node: me, role: Role::Member });
        let leader = self.leader_ref();
        self.tell_member(node, me, member::Input::Connected { leader });
    }

    /// When what is sent now arrives, or that it is lost; counted when it is late or lost.
    fn carry(&mut self, node: usize, way: Way) -> Option<u64> {
        let arrives = self.links[node].carry(way, self.now, &mut self.random);
        match arrives {
            Some(at) => self.report.delayed += u64::from(at - self.now > USUAL_DELAY_MS),
            None => self.report.lost += 1,
        }
        arrives
    }

    /// Something was lost: both ends notice, each in its own time.
    pub(super) fn silent(&mut self, node: usize, epoch: u64) {
        let (one, other) = (self.random.within(100, 1_500), self.random.within(100, 1_500));
        self.after(one, Event::LeaderEndDown { node, epoch });
        self.after(other, Event::MemberEndDown { node, epoch });
    }

    fn idle_out(&mut self, node: usize, epoch: u64) {
        if !self.links[node].passable() {
            self.silent(node, epoch);
        }
    }

    /// The connection is closed at the leader's end; the other end hears of it soon.
    fn tear(&mut self, node: usize) {
        self.links[node].disturbed_ms = self.now;
        if let Some((epoch, _)) = self.links[node].at_leader.take() {
            let delay = self.random.within(1, 50);
            self.after(delay, Event::MemberEndDown { node, epoch });
        }
    }

    fn leader_end_down(&mut self, node: usize, epoch: u64) {
        if let Some((at, linked)) = self.links[node].at_leader
            && at == epoch
        {
            self.links[node].at_leader = None;
            self.links[node].disturbed_ms = self.now;
            self.tell_leader(leader::Input::Disconnected { node: linked });
        }
    }

    pub(super) fn member_end_down(&mut self, node: usize, epoch: u64) {
        if self.links[node].at_member != Some(epoch) {
            return;
        }
        self.links[node].at_member = None;
        self.links[node].disturbed_ms = self.now;
        let delay = self.random.within(1, 1_000);
        self.after(delay, Event::LeaderEndDown { node, epoch });
        if let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me) {
            let leader = self.nodes[node].running.as_ref().and_then(|p| p.member.leader());
            if let Some(leader) = leader {
                self.tell_member(node, me, member::Input::Disconnected { leader });
            }
            let again = self.random.within(20, 400);
            self.after(again, Event::Dial { node });
        }
    }

    fn deliver(&mut self, node: usize, epoch: u64, from: NodeRef, message: ToMember) {
        if self.links[node].at_member == Some(epoch)
            && let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me)
        {
            self.tell_member(node, me, member::Input::Received { from, message });
        } else {
            self.report.lost += 1;
        }
    }

    // Members.

    pub(super) fn start_node(&mut self, node: usize) {
        if self.nodes[node].running.is_some() {
            return;
        }
        let capabilities = self.first_capabilities(node);
        let seed = self.random.next();
        let clock = Clock::new(&mut self.random);
        let me = self.nodes[node].start(capabilities, seed, clock);
        self.report.member_restarts += u64::from(me.incarnation.0 > 1);
        self.saw(&Seen::NodeStarted { node: me });
        let delay = self.random.within(1, 300);
        self.after(delay, Event::Dial { node });
    }

    /// The process ends at once; whoever has a link to it notices later.
    pub(super) fn end_node(&mut self, node: usize, back_in_ms: u64) {
        let Some(process) = self.nodes[node].running.take() else { return };
        self.saw(&Seen::NodeEnded { node: process.me });
        self.links[node].disturbed_ms = self.now;
        if let Some(epoch) = self.links[node].at_member.take() {
            let notice = if self.random.chance(50) { 5 } else { self.random.within(5, 5_000) };
            self.after(notice, Event::LeaderEndDown { node, epoch });
        }
        self.after(back_in_ms, Event::Start { node });
    }

    pub(super) fn tell_member(&mut self, node: usize, me: NodeRef, input: member::Input) {
        let now = self.now;
        let Some(process) = self.running(node, me) else { return };
        process.member.handle(process.clock.shows(now), input);
        while let Some(effect) = self.running(node, me).and_then(|p| p.member.next_effect()) {
            self.do_for_member(node, me, effect);
        }
        let Some(process) = self.running(node, me) else { return };
        if let Some(at) = process.member.next_deadline().map(|at| process.clock.reaches(at))
            && process.wakes_at.is_none_or(|wakes| at < wakes || wakes < now)
        {
            process.wakes_at = Some(at.max(now));
            self.at(at, Event::MemberTimer { node, me });
        }
    }

    pub(super) fn running(&mut self, node: usize, me: NodeRef) -> Option<&mut Process> {
        self.nodes[node].running.as_mut().filter(|p| p.me == me)
    }

    fn member_timer(&mut self, node: usize, me: NodeRef) {
        let now = self.now;
        if self.running(node, me).is_some_and(|p| p.wakes_at == Some(now)) {
            if let Some(process) = self.running(node, me) {
                process.wakes_at = None;
            }
            self.tell_member(node, me, member::Input::Timer);
        }
    }

    fn do_for_member(&mut self, node: usize, me: NodeRef, effect: member::Effect) {
        match effect {
            member::Effect::Send { to, message } => self.send_to_leader(node, me, to, message),
            // A link leads to whichever leader has the turn.
            member::Effect::LeadersKnown(_) => {}
            member::Effect::Check { ticket, spec } => {
                let Some(process) = self.running(node, me) else { return };
                let mut outcome = truth::check(&spec.actor, &process.capabilities, false);
                self.spoil(&mut outcome);
                let delay = self.random.within(0, 30);
                self.later_at_member(delay, node, me, member::Input::Checked { ticket, outcome });
            }
            member::Effect::Fetch { image, .. } => {
                let failure = self.random.chance(4).then(|| "the source went away".to_owned());
                let (hash, delay) = (image.hash, self.random.within(5, 400));
                self.later_at_member(delay, node, me, member::Input::Fetched { hash, failure });
            }
            member::Effect::Launch { request, spec } => self.launch(node, me, request, &spec),
            member::Effect::Created { ticket, spec, outcome } => self.created(node, me, ticket, spec, *outcome),
            member::Effect::CapabilitiesChanged(map) => {
                if let Some(process) = self.running(node, me) {
                    process.capabilities = map;
                }
            }
            member::Effect::Draining { draining } => {
                if let Some(process) = self.running(node, me) {
                    process.draining = draining;
                }
            }
            member::Effect::MemberGone { node: gone, .. } => {
                self.saw(&Seen::ToldGone { to: me, node: gone });
                if self.options.broken == Broken::GoneTwice {
                    self.saw(&Seen::ToldGone { to: me, node: gone });
                }
            }
            member::Effect::ImageUnloaded { hash } => {
                if let Some(process) = self.running(node, me) {
                    process.store.remove(&hash);
                }
            }
            member::Effect::Rejected { code, reason } => self.rejected(node, code, &reason),
            member::Effect::Left => {
                let back = self.random.within(500, 3_000);
                self.end_node(node, back);
            }
            member::Effect::News { to, news } => self.tell_news(&to, news),
            member::Effect::WatchRefused { by, reason } => {
                self.broke.get_or_insert((self.now, "nobody is refused to watch", format!("{by}: {reason}")));
            }
            member::Effect::Explained { .. }
            | member::Effect::Located { .. }
            | member::Effect::Reach { .. }
            | member::Effect::Joined { .. } => {}
        }
    }

    fn tell_news(&mut self, to: &[Address], news: Vec<News>) {
        for news in news {
            for to in to.iter().copied() {
                if self.options.broken == Broken::LoseNews && self.random.chance(2) {
                    continue;
                }
                self.report.news += 1;
                let told = Seen::ToldNews { to, news: news.clone() };
                self.saw(&told);
                if self.options.broken == Broken::TellNewsTwice {
                    self.saw(&told);
                }
            }
        }
    }

    /// A start that the leader does not know any more ends, and the node starts again.
    fn rejected(&mut self, node: usize, code: u16, reason: &str) {
        match code {
            codes::SUPERSEDED | codes::DECLARED_GONE => {
                let back = self.random.within(50, 300);
                self.end_node(node, back);
            }
            other => {
                let what = format!("node {node} was rejected with {}: {reason}", codes::name(other));
                self.broke.get_or_insert((self.now, "no node is rejected without cause", what));
            }
        }
    }

    fn later_at_member(&mut self, delay: u64, node: usize, me: NodeRef, input: member::Input) {
        if let member::Input::Fetched { hash, failure: None } = &input {
            let hash: SourceHash = *hash;
            if let Some(process) = self.running(node, me) {
                process.store.insert(hash);
            }
        }
        self.after(delay, Event::Member { node, me, input: Box::new(input) });
    }

    fn send_to_leader(&mut self, node: usize, from: NodeRef, to: NodeRef, mut message: ToLeader) {
        match (&mut message, self.options.broken) {
            (ToLeader::Register(facts), Broken::ForgetHosted) => facts.hosted.clear(),
            (ToLeader::Renew { .. } | ToLeader::Pong { .. }, Broken::LoseRenewals) if node < 10 => return,
            // A datagram: it may be lost where the link is sound.
            (ToLeader::Renew { .. }, _) if self.random.chance(RENEWALS_LOST_PERCENT) => return,
            _ => {}
        }
        let Some(epoch) = self.links[node].at_member else { return };
        self.round_trip(&message);
        match self.carry(node, Way::ToLeader) {
            Some(at) => self.at(at, Event::ToLeader { node, epoch, from, to, message: Box::new(message) }),
            None => self.silent(node, epoch),
        }
    }

    fn launch(&mut self, node: usize, me: NodeRef, request: RequestId, spec: &odeon_convention::types::CreateSpec) {
        let delay = if self.random.chance(2) { self.random.within(100, 1_500) } else { self.random.within(1, 40) };
        let fails = self.random.chance(2);
        let number = self.nodes[node].number;
        let Some(process) = self.running(node, me) else { return };
        let accepts = !process.draining && truth::accepts(spec, number, &process.capabilities);
        let result = if fails { Err("out of memory".to_owned()) } else { Ok(process.mint()) };
        if let Ok(address) = result {
            process.actors.insert(address, Actor { request, name: spec.global_name.clone() });
        }
        self.saw(&Seen::Launching { host: me, request, accepts });
        if let Ok(address) = result {
            let (name, group) = (spec.global_name.clone(), spec.distinct.clone());
            self.saw(&Seen::ActorBorn { host: me, address, request, name, group });
        }
        self.later_at_member(delay, node, me, member::Input::Launched { request, result });
    }

    fn created(
        &mut self,
        node: usize,
        me: NodeRef,
        ticket: u64,
        spec: Box<odeon_convention::types::CreateSpec>,
        outcome: CreateOutcome,
    ) {
        match &outcome {
            CreateOutcome::Created { .. } => self.report.created += 1,
            CreateOutcome::NoCompatibleNode(_) => self.report.incompatible += 1,
            CreateOutcome::Refused { .. } => self.report.refused += 1,
        }
        if let Some(process) = self.running(node, me)
            && process.asked.remove(&ticket).is_none()
        {
            self.broke.get_or_insert((self.now, "answered once", format!("{me} got ticket {ticket} again")));
        }
        self.saw(&Seen::Answered { asker: me, spec, outcome });
    }
}

fn ending(process: &Process) -> Ending {
    let capabilities: CapabilityMap = process.capabilities.clone();
    Ending { node: process.me, capabilities, unanswered: process.asked.len() }
}
