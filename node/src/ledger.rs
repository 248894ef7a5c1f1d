//! The ledger: the facts that outlive a leader, in the order in which they became true.
//!
//! [`Ledger`] is the seam that replication takes over; [`RedbLedger`] keeps it in one file for a single leader. It
//! decides nothing about what a record means, and it never skips what it cannot read: a ledger with a hole is an
//! error. The lock against a second process is the data folder's own; the file is locked as well.

mod entry;
mod error;
mod file;
#[cfg(test)]
mod tests;
mod writer;

pub use error::LedgerError;

use entry::encode;
use odeon_convention::record::Record;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use writer::{Queue, Writer};

/// The limits of a ledger.
pub mod limits {
    /// Bytes of one encoded record at most.
    pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
    /// Records that wait for the disk at most.
    pub const QUEUE_RECORDS_MAX: usize = 65_536;
    /// Bytes of records that wait for the disk at most.
    pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
    /// Bytes of the file that are cached in memory at most.
    pub const CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;
}

/// A durable log of records.
///
/// There is no compaction: every record is kept. A convention writes a record per change of a fact, never per
/// heartbeat, so a ledger grows by some hundred bytes per registration; snapshots come with replication.
pub trait Ledger: Send + Sync {
    /// Queues `record` as the one with number `index`. It is durable once the commit callback has named this index or
    /// a higher one, and not before.
    ///
    /// On [`LedgerError::QueueFull`] nothing was queued and the same record may be given again after the next commit.
    /// After any other error nothing is acknowledged any more.
    ///
    /// # Panics
    /// When `index` does not follow the one before it.
    fn append(&self, index: u64, record: &Record) -> Result<(), LedgerError>;
}

/// Is told the highest durable index, in order.
pub type OnCommit = Box<dyn Fn(u64) + Send>;
/// Is told once why nothing will be durable any more.
pub type OnFailure = Box<dyn Fn(LedgerError) + Send>;

/// A ledger in one file.
pub struct RedbLedger {
    queue: Arc<Queue>,
    next: Mutex<u64>,
    writer: Option<JoinHandle<()>>,
}

impl RedbLedger {
    /// Opens the ledger at `path`, or makes one, and gives what it holds: every record with its index, from 1.
    ///
    /// All of the file is read and checked. Both callbacks run on the writer's thread and must not block.
    pub fn open(
        path: &Path,
        on_commit: OnCommit,
        on_failure: OnFailure,
    ) -> Result<(Self, Vec<(u64, Record)>), LedgerError> {
        // The store underneath panics on some damage in builds with debug assertions.
        let (database, records) = catch_unwind(AssertUnwindSafe(|| file::open(path)))
            .unwrap_or_else(|panic| Err(LedgerError::Corrupt { what: error::panic_text(&*panic) }))?;
        let queue = Arc::new(Queue::default());
        let writer = Writer { database, queue: queue.clone(), on_commit, on_failure };
        let thread = std::thread::Builder::new()
            .name("odeon-ledger".into())
            .spawn(move || writer.run())
            .map_err(|e| LedgerError::from_io(&e))?;
        let next = records.last().map_or(1, |(index, _)| index + 1);
        Ok((Self { queue, next: Mutex::new(next), writer: Some(thread) }, records))
    }

    /// The index that the next record has to have.
    pub fn next_index(&self) -> u64 {
        *self.next.lock()
    }
}

impl Ledger for RedbLedger {
    fn append(&self, index: u64, record: &Record) -> Result<(), LedgerError> {
        let bytes = encode(index, record)?;
        let mut next = self.next.lock();
        assert_eq!(index, *next, "the records of a ledger are numbered without holes");
        self.queue.push(index, bytes)?;
        *next += 1;
        Ok(())
    }
}

impl Drop for RedbLedger {
    /// Waits until everything that was queued is durable.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != std::thread::current().id()
        {
            // A writer that panicked has said so through its own callback.
            let _ = writer.join();
        }
    }
}
