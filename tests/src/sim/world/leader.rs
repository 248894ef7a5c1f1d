//! The driver of the leader: what it is told, and what it wants done.

use super::World;
use crate::sim::broken::Broken;
use crate::sim::link::Way;
use crate::sim::process::number_of;
use crate::sim::queue::Event;
use crate::sim::truth;
use crate::sim::watch::Seen;
use odeon::{Incarnation, NodeId, NodeRef};
use odeon_convention::leader::{self, Leader};
use odeon_convention::record::Record;
use odeon_convention::wire::ToMember;

/// How long a leader's echo is on its way, if the leader is not behind.
const ECHO_MS: u64 = 20;
/// How long the words of a round may take to leave.
const FLUSH_MS_MAX: u64 = 400;

impl World {
    pub(super) fn leader_ref(&self) -> NodeRef {
        NodeRef { id: NodeId([0xff - self.leader_node; 16]), incarnation: Incarnation(self.leader_starts) }
    }

    /// What the leader's clock shows.
    pub(super) fn leader_now(&self) -> u64 {
        self.leader_clock.shows(self.now)
    }

    pub(in crate::sim) fn tell_leader(&mut self, input: leader::Input) {
        if let Some(waiting) = &mut self.stalled {
            if input != leader::Input::Timer {
                waiting.push_back(input);
            }
            return;
        }
        let now = self.leader_now();
        if let Some(leader) = &mut self.leader {
            let began = self.meter.begin(&input);
            leader.handle(now, input);
            self.meter.end(began);
            self.drain_leader();
        }
    }

    pub(super) fn leader_timer(&mut self) {
        if self.leader_wakes_at != Some(self.now) {
            return;
        }
        self.leader_wakes_at = None;
        if self.stalled.is_none() {
            self.tell_leader(leader::Input::Timer);
        }
    }

    pub(super) fn commit(&mut self, term: u32) {
        if term != self.leader_starts || self.leader.is_none() {
            return;
        }
        if let Some(index) = self.agree() {
            self.tell_leader(leader::Input::Committed { index });
        }
    }

    /// The next record is durable.
    pub(super) fn agree(&mut self) -> Option<u64> {
        let (index, record) = self.ledger.commit()?;
        if let Record::NodeGone { node, .. } = &record {
            let sound_for_ms = self.judged.remove(node).flatten();
            self.report.declared_gone += 1;
            self.saw(&Seen::DeclaredGone { node: *node, sound_for_ms });
        }
        self.report.revoked += u64::from(matches!(record, Record::ImageRevoked { .. }));
        self.report.authorities += u64::from(matches!(record, Record::AuthorityRegistered { .. }));
        self.report.authorities_gone += u64::from(matches!(record, Record::AuthorityGone { .. }));
        self.saw(&Seen::Durable { record });
        Some(index)
    }

    pub(super) fn drain_leader(&mut self) {
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
                let outcome = self.options.broken.spoil(truth::check(&actor, &capabilities, true));
                let delay = self.random.within(0, 10);
                let checked = leader::Input::Checked { ticket, outcome };
                self.after(delay, Event::Leader(Box::new(checked)));
            }
            leader::Effect::Answer { ticket, answer } => self.operator_answered(ticket, answer),
            leader::Effect::Close { node, .. } => {
                let at = number_of(node.id);
                if self.links[at].at_leader.is_some_and(|(_, linked)| linked == node) {
                    self.tear(at);
                }
            }
            leader::Effect::Echo { at } => {
                self.after(ECHO_MS, Event::LeaderEcho { start: self.leader_starts, at });
            }
            leader::Effect::Flush => {
                let delay = self.random.within(0, FLUSH_MS_MAX);
                self.after(delay, Event::LeaderFlushed { start: self.leader_starts });
            }
            leader::Effect::DropImage { .. }
            | leader::Effect::Carry { .. }
            | leader::Effect::TokensChanged
            | leader::Effect::Notice(_) => {}
        }
    }

    fn persist(&mut self, index: u64, record: Record) {
        if let Record::NodeGone { node, left } = &record {
            let at = number_of(node.id);
            let lives = self.nodes[at].running.as_ref().is_some_and(|p| p.me == *node);
            let sound = lives && !left && self.links[at].sound();
            self.judged.insert(*node, sound.then(|| self.now - self.links[at].disturbed_ms));
        }
        self.meter.words.records += 1;
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
        let node = number_of(to.id);
        let Some((epoch, linked)) = self.links[node].at_leader else { return };
        if linked != to {
            return;
        }
        self.round_trip(&message);
        self.meter.words.from_leader += 1;
        match self.carry(node, Way::ToMember) {
            Some(at) => {
                let from = self.leader_ref();
                self.at(at, Event::ToMember { node, epoch, from, message: Box::new(message) });
            }
            None => self.silent(node, epoch),
        }
    }
}
