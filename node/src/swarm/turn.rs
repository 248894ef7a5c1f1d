//! How a term comes round: which members have heard of the last one, which are registered in it, and since when.

use odeon::NodeRef;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// The last term that a member has heard of.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    pub(super) term: u64,
    pub(super) heard: BTreeMap<NodeRef, Instant>,
    pub(super) registered: BTreeMap<NodeRef, Instant>,
}

impl Turn {
    /// A leader said to this member that it leads.
    pub(super) fn is_heard(&mut self, by: NodeRef, term: u64) {
        if self.is_last(term) {
            self.heard.entry(by).or_insert_with(Instant::now);
        }
    }

    /// The leader has this member in its list.
    pub(super) fn is_registered(&mut self, node: NodeRef, term: u64) {
        if self.is_last(term) {
            self.registered.entry(node).or_insert_with(Instant::now);
        }
    }

    fn is_last(&mut self, term: u64) -> bool {
        if term > self.term {
            *self = Self { term, ..Self::default() };
        }
        term == self.term
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    #[test]
    fn only_the_last_term_counts_and_each_member_once() {
        let node = |n| NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) };
        let mut turn = Turn::default();
        turn.is_heard(node(1), 3);
        turn.is_registered(node(1), 3);
        let first = turn.heard[&node(1)];
        turn.is_heard(node(1), 3);
        assert_eq!(turn.heard[&node(1)], first);
        turn.is_heard(node(2), 4);
        turn.is_registered(node(1), 3);
        assert_eq!((turn.term, turn.heard.len(), turn.registered.len()), (4, 1, 0));
    }
}
