//! The leader's disk: records become durable in order and some time later; a crash loses the rest.

use super::random::Random;
use odeon_convention::record::Record;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) durable: Vec<Record>,
    pending: VecDeque<Record>,
    last_commit_ms: u64,
}

impl Ledger {
    /// Takes a record and says when it will be durable.
    pub(super) fn append(&mut self, index: u64, record: Record, now: u64, random: &mut Random) -> u64 {
        let expected = (self.durable.len() + self.pending.len()) as u64 + 1;
        assert_eq!(index, expected, "indexes count up by one");
        self.pending.push_back(record);
        let delay = if random.mishap(3) { random.within(100, 900) } else { random.within(0, 8) };
        self.last_commit_ms = self.last_commit_ms.max(now + delay);
        self.last_commit_ms
    }

    /// The oldest pending record is durable: its index and itself.
    pub(super) fn commit(&mut self) -> Option<(u64, Record)> {
        let record = self.pending.pop_front()?;
        self.durable.push(record.clone());
        Some((self.durable.len() as u64, record))
    }

    /// Records that are not durable yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn crash(&mut self) {
        self.pending.clear();
    }
}
