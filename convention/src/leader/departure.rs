//! Members go.
//!
//! A start of a node ends once and for ever: its lease runs out, it leaves, or a later start supersedes it. What comes
//! back is another start.

use super::machine::Leader;
use super::{Effect, MemberState};
use crate::limits;
use crate::liveness::Silent;
use crate::record::Record;
use crate::types::Millis;
use crate::wire::ToMember;
use odeon::{NodeId, NodeRef};

/// How a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    LeaseRanOut,
    Left,
    Superseded,
}

impl Ending {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Ending::LeaseRanOut => "its lease ran out",
            Ending::Left => "it left",
            Ending::Superseded => "a later start supersedes it",
        }
    }
}

impl Leader {
    pub(super) fn left(&mut self, from: NodeRef, now: Millis) {
        self.gone(&[from], Ending::Left, now);
        self.resume_held(now);
    }

    pub(super) fn expire(&mut self, silent: Silent, now: Millis) {
        self.echo();
        for id in silent.late {
            // A renewal may be lost, this is not. Where there is no link, nothing would come of it.
            if let Some(peer) = self.peers.live.get(&id).filter(|peer| peer.connected) {
                let message = if peer.current { ToMember::Ping } else { ToMember::RegisterAgain };
                // It follows from no fact, and a disk that is slow is no silence.
                self.outbox.at_once(Effect::Send { to: peer.node, message });
            }
        }
        let mut expired = silent.expired;
        expired.retain(|id| {
            let until = self.waits_until(*id);
            if now < until {
                self.leases.renew(*id, until.saturating_sub(self.config.lease_ms));
            }
            now >= until
        });
        let expired: Vec<NodeRef> =
            expired.iter().filter_map(|id| self.peers.live.get(id)).map(|peer| peer.node).collect();
        if !expired.is_empty() {
            self.gone(&expired, Ending::LeaseRanOut, now);
            self.resume_held(now);
        }
    }

    /// Until when a silent member lives all the same: all members turn to a leader that has just begun.
    fn waits_until(&self, id: NodeId) -> Millis {
        let dials = self.awaited.contains(&id) && self.peers.live.get(&id).is_some_and(|peer| !peer.connected);
        let until = if dials {
            // What it sends first may be lost, and again, as long as others arrive at the same time.
            self.returned.max(self.started) + limits::RETURN_PAUSE_MS
        } else {
            // As long as some register others are about to: those that remain may take as long again as the others
            // have taken. What those say that are back waits behind the others.
            let taken = self.returned.saturating_sub(self.started);
            self.returned + self.config.lease_ms.max(taken.min(limits::RETURN_PAUSE_MS))
        };
        until.min(self.started + limits::RETURN_MS)
    }

    /// Ends starts of nodes: the facts first, of which everyone is told, and what waited for them goes on.
    pub(super) fn gone(&mut self, nodes: &[NodeRef], ending: Ending, now: Millis) {
        for node in nodes {
            self.end(*node, ending, now);
            self.telling.note_gone(*node, ending);
        }
        for node in nodes {
            self.abandon_changes(*node);
            self.abandon_placements(*node, now);
        }
    }

    fn end(&mut self, node: NodeRef, ending: Ending, now: Millis) {
        let reason = ending.reason();
        let state = if ending == Ending::Left { MemberState::Left } else { MemberState::Dead };
        self.enter(node, state, reason, now);
        if let Some(view) = self.view_of(node, now) {
            self.peers.depart(now, view);
        }
        self.persist(Record::NodeGone { node, left: ending == Ending::Left });
        let linked = self.peers.end(node.id).is_some_and(|p| p.connected);
        self.leases.forget(node.id);
        self.watchers.forget(node.id);
        self.awaited.remove(&node.id);
        if linked && ending != Ending::Left {
            self.outbox.after_facts(Effect::Close { node, reason: reason.to_owned() });
        }
    }
}
