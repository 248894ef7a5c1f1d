//! Whether this node leads: turns begin and end as the ledger says, and no turn goes on a step longer than its lease.

use super::{CreateFor, Driver, End, NOT_LEADING, refused};
use crate::ledger::{LedgerError, News, Place, Turn};
use odeon_convention::leader::{self, Facts, Leader, LeaderConfig};
use odeon_convention::types::{CreateOutcome, Role};
use odeon_convention::wire::LeaderAt;
use odeon_convention::{codes, member};

impl Driver {
    pub(super) fn learn(&mut self, news: News) {
        match news {
            News::Turn(Turn::Lead { turn, consensus_term, facts }) => self.begin_turn(turn, consensus_term, *facts),
            News::Turn(Turn::Follow { turn, why }) if turn == self.turn => self.end_turn(&why),
            News::Turn(Turn::Follow { .. }) => {}
            News::Turn(Turn::Failed(error)) => self.ledger_failed(&error),
            News::Group(places) => self.regroup(places),
            News::Durable { consensus_term, records } => {
                // What another leader wrote has the numbers of what this one wanted to write.
                if consensus_term == self.consensus_term {
                    self.lead(|l, now| l.handle(now, leader::Input::Committed { index: records }));
                }
                self.follow_tokens();
            }
        }
    }

    /// Ends a turn whose lease is over, before anything else is done in it.
    pub(super) fn check_lease(&mut self) {
        if self.leader.is_some() && !self.means.ledger.as_ref().is_some_and(|ledger| ledger.may_lead()) {
            self.end_turn("no majority of the leaders has answered in time");
        }
    }

    fn begin_turn(&mut self, turn: u64, consensus_term: u64, facts: Facts) {
        tracing::info!(term = facts.term() + 1, records = facts.count(), "this node leads");
        (self.turn, self.consensus_term) = (turn, consensus_term);
        let config = LeaderConfig { seed: self.seed.wrapping_add(turn), ..LeaderConfig::default() };
        self.leader = Some(Leader::with_facts(config, self.me, facts));
        let me = self.me;
        self.lead(|leader, now| {
            leader.start(now);
            leader.handle(now, leader::Input::Connected { node: me, role: Role::Leader });
        });
        self.tell_time();
        self.take_over_tokens();
        self.tell_group();
        for peer in self.means.links.peers() {
            self.lead(|l, now| l.handle(now, leader::Input::Connected { node: peer.node, role: peer.role }));
        }
    }

    fn regroup(&mut self, places: Vec<Place>) {
        self.means.leaders.meet(places.iter().map(leader_at));
        self.group = places;
        self.tell_group();
    }

    fn tell_group(&mut self) {
        let leaders = self.group.iter().map(leader_at).collect();
        self.lead(|l, now| l.handle(now, leader::Input::Group { leaders }));
    }

    /// What was asked for and is not answered yet may have been done or not: whoever leads next knows.
    pub(super) fn end_turn(&mut self, why: &str) {
        if self.leader.take().is_none() {
            return;
        }
        tracing::warn!(why, "this node does not lead any more");
        self.follow_tokens();
        self.to_leader.clear();
        self.to_member.clear();
        self.window.clear();
        self.joined = self.joined.filter(|leader| *leader != self.me);
        self.take_part(member::Input::Disconnected { leader: self.me });
        for (_, end) in self.operations.drain() {
            // Who asked may have gone.
            let _ = end.send(refused(codes::NO_MAJORITY, NOT_LEADING));
        }
    }

    /// A leader that cannot write can acknowledge nothing, and what its machine holds is ahead of what a restart would
    /// know: it ends, once it has said why to all who wait.
    pub(super) fn ledger_failed(&mut self, error: &LedgerError) {
        if self.end.is_some() {
            return;
        }
        let (code, reason) = (error.code(), error.to_string());
        tracing::error!(reason, "the ledger cannot be written; the leader ends");
        for (_, end) in self.operations.drain() {
            let _ = end.send(refused(code, &reason));
        }
        for (_, waiting) in self.creates.drain() {
            if let CreateFor::Person(end) = waiting {
                let _ = end.send(CreateOutcome::Refused { code, reason: reason.clone() });
            }
        }
        self.end = Some(End::Rejected { code, reason });
    }
}

fn leader_at(place: &Place) -> LeaderAt {
    LeaderAt { node: place.node, listen: place.seat.listen.clone() }
}
