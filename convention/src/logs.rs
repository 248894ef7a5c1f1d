//! Which log lines travel when: the numbers only, the lines themselves stay with the drivers.
//!
//! Lines of one start of a node are numbered from zero. A [`Shipper`] on the node says which to send; a [`Collector`]
//! at the leader says which are new, and what can never come any more.

use crate::limits;
use odeon::NodeRef;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// The node's side: what to send next, what is on its way, what has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipper {
    /// The oldest line that is still kept.
    oldest: u64,
    /// One past the newest line.
    end: u64,
    /// The next line to send.
    next: u64,
    linked: bool,
    in_flight: VecDeque<Range<u64>>,
}

impl Shipper {
    /// A shipper of the lines `kept`, none of which is known to have arrived.
    pub fn new(kept: Range<u64>) -> Self {
        Self { oldest: kept.start, end: kept.end.max(kept.start), next: kept.start, ..Self::default() }
    }

    /// More lines were written.
    pub fn written(&mut self, lines: u64) {
        self.end = self.end.saturating_add(lines);
    }

    /// The spool was full: lines before `oldest` are lost. The collector notices the gap.
    pub fn dropped_before(&mut self, oldest: u64) {
        self.oldest = self.oldest.max(oldest.min(self.end));
        self.next = self.next.max(self.oldest);
    }

    /// The link is up. What was on its way may be lost with the link before: it is sent again.
    pub fn linked(&mut self) {
        self.linked = true;
        self.rewind();
    }

    /// The link is down.
    pub fn unlinked(&mut self) {
        self.linked = false;
        self.rewind();
    }

    fn rewind(&mut self) {
        self.in_flight.clear();
        self.next = self.oldest;
    }

    /// The collector has every line before `through`, and none of them need be kept.
    pub fn acked(&mut self, through: u64) {
        let through = through.min(self.next);
        self.oldest = self.oldest.max(through);
        while self.in_flight.front().is_some_and(|batch| batch.end <= through) {
            self.in_flight.pop_front();
        }
    }

    /// The next lines to send, now.
    pub fn next_batch(&mut self) -> Option<Range<u64>> {
        let free = self.linked && self.in_flight.len() < limits::LOG_BATCHES_IN_FLIGHT_MAX;
        if !free || self.next >= self.end {
            return None;
        }
        let batch = self.next..self.end.min(self.next.saturating_add(limits::LOG_BATCH_LINES_MAX));
        self.next = batch.end;
        self.in_flight.push_back(batch.clone());
        Some(batch)
    }

    /// The lines that have to be kept.
    pub fn kept(&self) -> Range<u64> {
        self.oldest..self.end
    }
}

/// The leader's side: the next line expected of every start of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collector {
    expected: BTreeMap<NodeRef, u64>,
}

/// What to do with a batch that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The lines to store; empty when all were stored before.
    pub store: Range<u64>,
    /// Lines that are lost for ever; said once.
    pub lost: Range<u64>,
    /// What to acknowledge: every line before this.
    pub through: u64,
}

impl Collector {
    /// A collector that remembers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is stored already, from before a restart of the leader: every line before `through`.
    pub fn stored(&mut self, node: NodeRef, through: u64) {
        let expected = self.expected.entry(node).or_default();
        *expected = (*expected).max(through);
    }

    /// A batch came. Lines of one link come in order, so that what is skipped will never come.
    pub fn arrived(&mut self, node: NodeRef, batch: Range<u64>) -> Arrival {
        if self.expected.len() >= limits::LOG_SOURCES_MAX && !self.expected.contains_key(&node) {
            self.expected.retain(|known, _| known.id == node.id);
        }
        let expected = self.expected.entry(node).or_default();
        let end = batch.end.max(batch.start);
        let lost = *expected..batch.start.max(*expected);
        let store = batch.start.max(*expected)..end.max(*expected);
        let store = if batch.is_empty() { *expected..*expected } else { store };
        let lost = if batch.is_empty() { *expected..*expected } else { lost };
        *expected = store.end;
        Arrival { store, lost, through: *expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    const NODE: NodeRef = NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) };

    #[test]
    fn a_shipper_keeps_a_window_and_sends_again_what_a_link_lost() {
        let mut shipper = Shipper::new(0..0);
        shipper.written(limits::LOG_BATCH_LINES_MAX * 10);
        assert_eq!(shipper.next_batch(), None, "without a link nothing is sent");
        shipper.linked();
        let sent: Vec<_> = std::iter::from_fn(|| shipper.next_batch()).collect();
        assert_eq!(sent.len(), limits::LOG_BATCHES_IN_FLIGHT_MAX);
        shipper.acked(sent[0].end);
        assert_eq!(shipper.next_batch().map(|b| b.start), sent.last().map(|b| b.end));
        shipper.unlinked();
        shipper.linked();
        assert_eq!(shipper.next_batch(), Some(sent[1].clone()));
        assert_eq!(shipper.kept().start, sent[0].end);
    }

    #[test]
    fn a_shipper_never_believes_an_acknowledgement_of_what_it_did_not_send() {
        let mut shipper = Shipper::new(5..9);
        shipper.acked(9);
        assert_eq!(shipper.kept(), 5..9);
    }

    #[test]
    fn a_full_spool_skips_ahead_and_the_collector_says_so_once() {
        let mut shipper = Shipper::new(0..10);
        shipper.linked();
        shipper.dropped_before(4);
        let batch = shipper.next_batch().unwrap();
        let mut collector = Collector::new();
        assert_eq!(collector.arrived(NODE, batch.clone()), Arrival { store: 4..10, lost: 0..4, through: 10 });
        assert_eq!(collector.arrived(NODE, batch), Arrival { store: 10..10, lost: 10..10, through: 10 });
    }

    #[test]
    fn a_collector_drops_what_it_has_and_counts_every_start_for_itself() {
        let mut collector = Collector::new();
        collector.stored(NODE, 3);
        assert_eq!(collector.arrived(NODE, 1..5), Arrival { store: 3..5, lost: 3..3, through: 5 });
        let next = NodeRef { incarnation: Incarnation(2), ..NODE };
        assert_eq!(collector.arrived(next, 0..1), Arrival { store: 0..1, lost: 0..0, through: 1 });
        let (from, to) = (9, 2);
        assert_eq!(collector.arrived(NODE, from..to), Arrival { store: 5..5, lost: 5..5, through: 5 });
    }
}
