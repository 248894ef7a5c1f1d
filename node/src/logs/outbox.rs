//! The outbox: a node's lines from the moment they are taken until the leader has them.
//!
//! Every line is numbered and written to the spool at once, without an fsync: it survives the end of the process,
//! not a power cut. Memory holds the outline of the spool, not the lines. What the bounds throw away is counted, and
//! a gap is shipped in its place. The outbox never connects to anything; a driver asks it for batches.

mod rate;
mod segment;
mod spool;
#[cfg(test)]
pub(super) mod tests;

use super::batch::Batch;
use super::limits::{BATCH_BYTES_MAX, BATCH_ITEMS_MAX};
use super::{Origin, line};
use crate::admin::protocol::{LogGap, LogLine};
use parking_lot::Mutex;
use rate::Rate;
use spool::{Entry, Spool};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A storm wakes the driver this often at most.
const REFUSAL_TOLD_EVERY: Duration = Duration::from_secs(1);

/// How much an outbox keeps.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    /// Bytes of the spool on disk at most; the oldest lines go first.
    pub spool_bytes_max: u64,
    /// Bytes that are kept in memory instead while the disk takes no more.
    pub memory_bytes_max: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { spool_bytes_max: 16 * 1024 * 1024, memory_bytes_max: 1024 * 1024 }
    }
}

struct State {
    spool: Spool,
    rate: Rate,
    next_seq: u64,
    /// The last line that a leader has, and its start.
    acknowledged: (u32, u64),
    /// Lines that were refused and for which no gap is written yet.
    refused: Option<LogGap>,
    /// When a driver was last woken for refused lines.
    refusal_told: Option<Instant>,
}

/// What a node has to ship.
#[derive(Clone)]
pub struct Outbox {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    origin: Origin,
}

impl Outbox {
    /// Opens the outbox whose spool is `folder`, with what earlier starts of the node could not ship.
    pub fn open(folder: &Path, origin: Origin, limits: OutboxLimits) -> io::Result<Self> {
        let spool = Spool::open(folder, &origin, limits)?;
        let next_seq = spool.last_seq(origin.incarnation.0) + 1;
        let acknowledged = (0, 0);
        let state = State { spool, rate: Rate::default(), next_seq, acknowledged, refused: None, refusal_told: None };
        Ok(Self { state: Arc::new(Mutex::new(state)), changed: Arc::new(Notify::new()), origin })
    }

    /// Whose outbox it is.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether a line of `source` (an actor or a module) may come in now. One that may not is counted and becomes
    /// part of a gap. Asked before a line is put together, so that a storm costs little.
    pub fn admit(&self, source: &str) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock();
        let admitted = state.rate.admit(source, now);
        if !admitted && state.refuse(&self.origin, now) {
            self.changed.notify_one();
        }
        admitted
    }

    /// Takes a line, bounds it, and gives it its number, node and incarnation.
    pub fn push(&self, mut line: LogLine) {
        line.node.clone_from(&self.origin.name);
        line.incarnation = self.origin.incarnation.0;
        line::bound(&mut line);
        let mut state = self.state.lock();
        state.write_refused(&self.origin);
        line.seq = state.next_seq;
        state.next_seq += 1;
        state.spool.write(self.origin.incarnation.0, &Entry::Line(line));
        drop(state);
        self.changed.notify_one();
    }

    /// The oldest lines that are not acknowledged, in `bytes_max` bytes (but one line at least); the same again until
    /// they are. All of one incarnation; none when there is nothing to ship. Reads the disk for a millisecond or so at
    /// 64 KiB, during which lines that come in wait.
    pub fn batch(&self, bytes_max: usize) -> Option<Batch> {
        let mut state = self.state.lock();
        state.write_refused(&self.origin);
        let mut batch = state.spool.batch(bytes_max.min(BATCH_BYTES_MAX / 2), BATCH_ITEMS_MAX)?;
        if state.acknowledged.0 == batch.incarnation {
            batch.acknowledged = state.acknowledged.1;
        }
        Some(batch)
    }

    /// The leader has everything of `incarnation` up to and with `seq`.
    pub fn acknowledge(&self, incarnation: u32, seq: u64) {
        let mut state = self.state.lock();
        state.acknowledged = state.acknowledged.max((incarnation, seq));
        state.spool.acknowledge(incarnation, seq);
    }

    /// Is notified when there is something new to ship; for one driver, that asks for batches until there is none
    /// and then waits. The end of a storm is told with the next line or by asking again: wait some seconds at most.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Bytes that wait to be shipped.
    pub fn waiting_bytes(&self) -> u64 {
        self.state.lock().spool.waiting_bytes()
    }
}

impl State {
    /// Counts a refused line; says whether to wake the driver for it, which is so once a second.
    fn refuse(&mut self, origin: &Origin, now: Instant) -> bool {
        let seq = self.next_seq;
        self.next_seq += 1;
        match &mut self.refused {
            Some(gap) => gap.to = seq,
            None => {
                self.refused = Some(LogGap { node: origin.name.clone(), from: seq, to: seq, reason: "rate".into() });
            }
        }
        let due = self.refusal_told.is_none_or(|told| now.saturating_duration_since(told) >= REFUSAL_TOLD_EVERY);
        if due {
            self.refusal_told = Some(now);
        }
        due
    }

    fn write_refused(&mut self, origin: &Origin) {
        if let Some(gap) = self.refused.take() {
            self.spool.write(origin.incarnation.0, &Entry::Gap(gap));
        }
    }
}
