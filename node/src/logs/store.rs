//! The leader's store of log lines: every line of every node once, in the order of arrival, in rotated files.
//!
//! A file begins with a header that says how far each node had come, so that what was stored is known again after a
//! restart even when older files are gone. Lines that are acknowledged are in the operating system's hands: they
//! survive the end of the process. They are made to survive a power cut once a second at most, with the append that
//! finds it due, and at every rotation and [`Store::sync`].
//!
//! All methods block on the disk; none waits for a reader.

mod cursors;
mod files;
mod follow;
mod row;
#[cfg(test)]
mod tests;

pub use follow::Follower;

use super::batch::{Batch, BatchError, Piece};
use super::query::{Filter, Query};
use super::time;
use crate::admin::protocol::{Item, LogGap, LogQuery};
use cursors::Cursors;
use files::Files;
pub(super) use files::{Part, lines_of};
use follow::Followers;
use odeon::NodeId;
use parking_lot::Mutex;
pub(super) use row::Row;
use std::io;
use std::path::Path;

/// How much a store keeps.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// Bytes of one file; the batch that passes it is the file's last.
    pub file_bytes_max: u64,
    /// Bytes of all files; the oldest file goes first.
    pub total_bytes_max: u64,
    /// Items that wait for one follower.
    pub follower_items_max: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { file_bytes_max: 16 * 1024 * 1024, total_bytes_max: 256 * 1024 * 1024, follower_items_max: 1_024 }
    }
}

/// Why a batch is not stored or a query not answered. Nothing was acknowledged; a batch may be sent again.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error("the logs cannot be read or written")]
    Io(#[from] io::Error),
    #[error("the batch of {node} is refused")]
    Batch { node: String, source: BatchError },
    #[error("{found} commands follow the logs already, {} are allowed", follow::FOLLOWERS_MAX)]
    Followers { found: usize },
}

struct State {
    files: Files,
    cursors: Cursors,
    followers: Followers,
}

/// The log lines of all nodes.
pub struct Store {
    state: Mutex<State>,
    limits: StoreLimits,
}

impl Store {
    /// Opens the store in `folder`, or makes one. A last line that a crash cut off is cut.
    pub fn open(folder: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        let mut cursors = Cursors::default();
        let files = Files::open(folder, limits, &mut cursors)?;
        let state = State { files, cursors, followers: Followers::default() };
        Ok(Self { state: Mutex::new(state), limits })
    }

    /// Stores what is new in a batch of the node `id` that is called `name` now, and gives the number up to which
    /// everything of the batch's incarnation is accounted for: what the node may forget. A batch that comes twice is
    /// stored once; numbers that are missing before or within it become a gap.
    pub fn append(&self, id: NodeId, name: &str, batch: &Batch) -> Result<u64, StoreError> {
        batch.check().map_err(|source| StoreError::Batch { node: name.to_owned(), source })?;
        let mut state = self.state.lock();
        let State { files, cursors, followers } = &mut *state;
        let stored = cursors.seen(id, batch.incarnation);
        let rows = new_rows(id, name, batch, stored);
        if rows.is_empty() {
            return Ok(stored.max(batch.last_seq()));
        }
        files.append(&rows, cursors)?;
        let last = batch.last_seq();
        cursors.advance(id, batch.incarnation, last);
        for row in rows {
            followers.offer(row);
        }
        Ok(last)
    }

    /// The number up to which everything of this start of a node is stored; 0 when nothing is.
    pub fn acknowledged(&self, id: NodeId, incarnation: u32) -> u64 {
        self.state.lock().cursors.seen(id, incarnation)
    }

    /// What is stored now and fits `query`, in the order of arrival, read from the disk as it is asked for.
    ///
    /// The node may be given by name or id. Gaps are given whatever the level, actor or image: what is missing could
    /// have fitted.
    pub fn query(&self, query: &LogQuery) -> Result<Query, StoreError> {
        Ok(Query::new(self.state.lock().files.snapshot()?, Filter::new(query, time::now_ms())))
    }

    /// The same, and whatever comes in from then on. The second part never holds up the store: a reader that is slow
    /// gets a gap for what it missed.
    pub fn follow(&self, query: &LogQuery) -> Result<(Query, Follower), StoreError> {
        let filter = Filter::new(query, time::now_ms());
        let mut state = self.state.lock();
        let files = state.files.snapshot()?;
        let follower = state.followers.add(filter.clone(), self.limits.follower_items_max)?;
        Ok((Query::new(files, filter), follower))
    }

    /// Makes everything that is stored survive a power cut; for the end of the process.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(self.state.lock().files.sync()?)
    }
}

/// The rows of a batch that come after `stored`, with gaps where numbers are missing.
fn new_rows(id: NodeId, name: &str, batch: &Batch, stored: u64) -> Vec<Row> {
    let now = time::now();
    let row = |item| Row::new(id, batch.incarnation, &now, item);
    let gap = |from, to, reason: &str| Item::Gap(LogGap { node: name.to_owned(), from, to, reason: reason.to_owned() });
    let mut rows = Vec::new();
    // What another leader has taken is not lost; whatever a node says of that, its own lines are not skipped.
    let elsewhere = batch.acknowledged.min(batch.first_seq.saturating_sub(1));
    let mut next = stored.max(elsewhere) + 1;
    for piece in batch.items() {
        let (from, to) = piece.range();
        if to < next {
            continue;
        }
        if from > next {
            rows.push(row(gap(next, from - 1, "lost")));
        }
        rows.push(row(match piece {
            // Who sent it is known from its link, whatever the line says.
            Piece::Line(line) => {
                let mut line = line.clone();
                super::line::bound(&mut line);
                name.clone_into(&mut line.node);
                line.incarnation = batch.incarnation;
                Item::Log(line)
            }
            Piece::Gap(lost) => {
                let mut lost = lost.clone();
                super::line::bound_gap(&mut lost);
                gap(from.max(next), to, &lost.reason)
            }
        }));
        next = to + 1;
    }
    rows
}
