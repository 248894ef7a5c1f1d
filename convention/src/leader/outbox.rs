//! What a leader wants done, in order: no word leaves before every record that was made earlier is durable.
//!
//! One rule instead of a list of dependencies: a word can only follow from facts that are older than it, so it
//! waits for all of them. Persisting and running checks wait for nothing.

use super::{Effect, Notice};
use crate::record::Record;
use odeon::NodeRef;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Effect>,
    held: VecDeque<(u64, Effect)>,
    last: u64,
    committed: u64,
}

impl Outbox {
    /// The ledger has this many records already.
    pub(crate) fn replayed(&mut self, count: u64) {
        self.last = count;
        self.committed = count;
    }

    /// Makes a fact durable and gives its index.
    pub(crate) fn persist(&mut self, record: Record) -> u64 {
        self.last += 1;
        self.ready.push_back(Effect::Persist { index: self.last, record });
        self.last
    }

    /// Says or does something that may follow from any fact so far.
    pub(crate) fn after_facts(&mut self, effect: Effect) {
        if self.held.is_empty() && self.last <= self.committed {
            self.ready.push_back(effect);
        } else {
            self.held.push_back((self.last, effect));
        }
    }

    /// Does something that nobody outside can see.
    pub(crate) fn at_once(&mut self, effect: Effect) {
        self.ready.push_back(effect);
    }

    pub(crate) fn notice(&mut self, warn: bool, node: NodeRef, text: String) {
        self.at_once(Effect::Notice(Notice { warn, node: Some(node), text }));
    }

    /// Every record up to `index` is durable; an index that was never given out changes nothing.
    pub(crate) fn commit(&mut self, index: u64) {
        self.committed = self.committed.max(index.min(self.last));
        while self.held.front().is_some_and(|(index, _)| *index <= self.committed) {
            self.ready.extend(self.held.pop_front().map(|(_, effect)| effect));
        }
    }

    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    pub(crate) fn next(&mut self) -> Option<Effect> {
        self.ready.pop_front()
    }
}
