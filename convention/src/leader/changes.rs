//! Changes of members' capabilities that an operator asked for: done once the member says so and it is durable.

use super::Answer;
use super::machine::Leader;
use crate::codes;
use crate::limits;
use crate::wire::ToMember;
use odeon::{NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Delta};

/// Those that wait, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

#[derive(Debug)]
struct Change {
    ticket: u64,
    node: NodeRef,
    delta: Delta,
}

impl Leader {
    /// Passes the change on, or gives the answer where it cannot be.
    pub(super) fn set_capabilities(&mut self, ticket: u64, id: NodeId, delta: Delta) -> Option<Answer> {
        let refused = |code, reason| Some(Answer::Refused { code, reason });
        let Some(registration) = self.facts.registered.get(&id) else {
            return refused(codes::NODE_UNKNOWN, format!("no live member is {id}"));
        };
        let node = registration.node;
        let mut next = registration.capabilities.clone();
        if let Err(error) = next.apply(&delta) {
            return refused(codes::BAD_CAPABILITY, error.to_string());
        }
        if let Some(key) = self.unclaimed(id, &next) {
            return refused(codes::CLAIM, format!("the node's token does not let it claim capability {key:?}"));
        }
        if self.changes.0.len() >= limits::CHANGES_WAITING_MAX {
            let reason = format!("more than {} changes wait", limits::CHANGES_WAITING_MAX);
            return refused(codes::BAD_REQUEST, reason);
        }
        if self.peers.of(node).is_some_and(|p| p.current) {
            self.send(node, ToMember::SetCapabilities { delta: delta.clone() });
        }
        self.changes.0.push(Change { ticket, node, delta });
        None
    }

    /// Answers what has come true on a member.
    pub(super) fn settle_changes(&mut self, node: NodeRef) {
        let Some(registration) = self.facts.registered.get(&node.id) else { return };
        let map = registration.capabilities.clone();
        let mut settled = Vec::new();
        self.changes.0.retain(|change| {
            let done = change.node == node && holds(&map, &change.delta);
            if done {
                settled.push(change.ticket);
            }
            !done
        });
        for ticket in settled {
            self.answer(ticket, Answer::Done);
        }
    }

    /// Passes on again what has not come true: the link before may have lost it.
    pub(super) fn resend_changes(&mut self, node: NodeRef) {
        let waiting = self.changes.0.iter().filter(|change| change.node == node);
        for delta in waiting.map(|change| change.delta.clone()).collect::<Vec<_>>() {
            self.send(node, ToMember::SetCapabilities { delta });
        }
    }

    pub(super) fn abandon_changes(&mut self, node: NodeRef) {
        let mut abandoned = Vec::new();
        self.changes.0.retain(|change| {
            if change.node == node {
                abandoned.push(change.ticket);
            }
            change.node != node
        });
        for ticket in abandoned {
            let reason = format!("{} went away before it answered", node.id);
            self.answer(ticket, Answer::Refused { code: codes::NODE_UNREACHABLE, reason });
        }
    }
}

fn holds(map: &CapabilityMap, delta: &Delta) -> bool {
    delta.0.iter().all(|(key, value)| map.value(key) == value.as_ref())
}
