//! Readers that go on with what comes in. Each has a bounded queue; what does not fit is counted for it as a gap.

use super::StoreError;
use super::row::Row;
use crate::admin::protocol::{Item, LogGap};
use crate::logs::query::Filter;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{self, Receiver, Sender, error::TryRecvError};

/// Followers at once.
pub(super) const FOLLOWERS_MAX: usize = 64;
/// Nodes whose missed lines are told apart, per follower.
const MISSED_NODES_MAX: usize = 1_024;
/// The name under which the rest is told.
const OTHERS: &str = "*";

/// What a follower missed, by node and incarnation.
type Missed = Arc<Mutex<BTreeMap<(String, u32), (u64, u64)>>>;

/// What comes in, as far as it fits the query.
pub struct Follower {
    items: Receiver<Item>,
    missed: Missed,
    gaps: Vec<LogGap>,
}

impl Follower {
    /// The next item; none when the store is gone. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(gap) = self.gaps.pop() {
                return Some(Item::Gap(gap));
            }
            {
                // Under the lock nothing is queued, so that gaps come after all that was queued before them.
                let mut missed = self.missed.lock();
                match self.items.try_recv() {
                    Ok(item) => return Some(item),
                    Err(TryRecvError::Disconnected) if missed.is_empty() => return None,
                    Err(_) => self.gaps = gaps(std::mem::take(&mut *missed)),
                }
            }
            if self.gaps.is_empty() {
                return self.items.recv().await;
            }
        }
    }
}

fn gaps(missed: BTreeMap<(String, u32), (u64, u64)>) -> Vec<LogGap> {
    // Taken from the end, so that they come out by name.
    let gap = |((node, _), (from, to))| LogGap { node, from, to, reason: "slow reader".into() };
    missed.into_iter().rev().map(gap).collect()
}

struct Reader {
    filter: Filter,
    items: Sender<Item>,
    missed: Missed,
}

#[derive(Default)]
pub(super) struct Followers(Vec<Reader>);

impl Followers {
    pub(super) fn add(&mut self, filter: Filter, items_max: usize) -> Result<Follower, StoreError> {
        self.0.retain(|reader| !reader.items.is_closed());
        if self.0.len() >= FOLLOWERS_MAX {
            return Err(StoreError::Followers { found: self.0.len() });
        }
        let (sender, items) = mpsc::channel(items_max.max(1));
        let missed = Missed::default();
        self.0.push(Reader { filter, items: sender, missed: missed.clone() });
        Ok(Follower { items, missed, gaps: Vec::new() })
    }

    pub(super) fn offer(&mut self, row: Row) {
        self.0.retain(|reader| !reader.items.is_closed());
        for reader in &self.0 {
            if reader.filter.takes(&row) {
                reader.offer(row.clone());
            }
        }
    }
}

impl Reader {
    fn offer(&self, row: Row) {
        let (node, incarnation, (from, to)) = (row.node().to_owned(), row.incarnation, row.range());
        let mut missed = self.missed.lock();
        let Some(item) = row.item() else { return };
        if missed.is_empty() && self.items.try_send(item).is_ok() {
            return;
        }
        let known = missed.contains_key(&(node.clone(), incarnation));
        // Beyond the nodes that are told apart there is no range of numbers, only a count.
        if !known && missed.len() >= MISSED_NODES_MAX {
            missed.entry((OTHERS.into(), 0)).or_insert((1, 0)).1 += to - from + 1;
            return;
        }
        let range = missed.entry((node, incarnation)).or_insert((from, to));
        range.1 = to;
    }
}
