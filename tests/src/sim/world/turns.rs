//! Turns: a leader begins, crashes, stalls, or makes room for another one.

use super::World;
use crate::sim::clock::Clock;
use crate::sim::queue::Event;
use crate::sim::watch::Seen;
use odeon::NodeRef;
use odeon_convention::leader::{self, ImageState, Leader, LeaderConfig};
use odeon_convention::types::Role;
use std::collections::VecDeque;

/// Nodes that may lead.
const LEADERS: u8 = 3;

impl World {
    pub(in crate::sim) fn start_leader(&mut self) {
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
    pub(super) fn move_leader(&mut self) {
        if self.end_turn() {
            self.report.leader_moves += 1;
            self.leader_node = (self.leader_node + 1) % LEADERS;
            let chosen = self.random.within(1, 2_500);
            self.after(chosen, Event::LeaderRestarts);
        }
    }

    pub(super) fn crash_leader(&mut self) {
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

    pub(super) fn stall_leader(&mut self) {
        if self.leader.is_some() && self.stalled.is_none() {
            self.stalled = Some(VecDeque::new());
            self.report.leader_stalls += 1;
            let for_ms = self.random.within(300, 7_000);
            self.after(for_ms, Event::LeaderWakes);
        }
    }

    /// What happened during the stall is taken in only now: the timer first, as the worst case.
    pub(super) fn wake_leader(&mut self) {
        let Some(waiting) = self.stalled.take() else { return };
        self.tell_leader(leader::Input::Timer);
        for input in waiting {
            self.tell_leader(input);
        }
    }
}
