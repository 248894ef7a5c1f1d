//! The one thread that writes: whatever is queued goes into one transaction, then one fsync, then one callback.

use super::error::panic_text;
use super::file::{RECORDS, set_last};
use super::limits::{QUEUE_BYTES_MAX, QUEUE_RECORDS_MAX};
use super::{LedgerError, OnCommit, OnFailure};
use parking_lot::{Condvar, Mutex};
use redb::{Database, Durability};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Entry = (u64, Vec<u8>);

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    bytes: usize,
    /// Why nothing more is taken.
    stopped: Option<String>,
}

/// What waits for the disk.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn push(&self, index: u64, bytes: Vec<u8>) -> Result<(), LedgerError> {
        let mut waiting = self.waiting.lock();
        if let Some(what) = &waiting.stopped {
            return Err(LedgerError::Stopped { what: what.clone() });
        }
        if waiting.entries.len() >= QUEUE_RECORDS_MAX || waiting.bytes + bytes.len() > QUEUE_BYTES_MAX {
            return Err(LedgerError::QueueFull { records: waiting.entries.len(), bytes: waiting.bytes });
        }
        waiting.bytes += bytes.len();
        waiting.entries.push((index, bytes));
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.waiting.lock().stopped.get_or_insert_with(|| "it was closed".into());
        self.changed.notify_one();
    }

    fn fail(&self, why: &LedgerError) {
        let mut waiting = self.waiting.lock();
        waiting.stopped = Some(why.to_string());
        *waiting = Waiting { stopped: waiting.stopped.take(), ..Waiting::default() };
    }

    /// Everything that waits; none once the queue is closed and empty.
    fn take(&self) -> Option<Vec<Entry>> {
        let mut waiting = self.waiting.lock();
        while waiting.entries.is_empty() {
            if waiting.stopped.is_some() {
                return None;
            }
            self.changed.wait(&mut waiting);
        }
        waiting.bytes = 0;
        Some(std::mem::take(&mut waiting.entries))
    }
}

/// The writer's side.
pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) queue: Arc<Queue>,
    pub(super) on_commit: OnCommit,
    pub(super) on_failure: OnFailure,
}

impl Writer {
    pub(super) fn run(self) {
        while let Some(entries) = self.queue.take() {
            match catch_unwind(AssertUnwindSafe(|| self.commit(&entries))) {
                Ok(Ok(last)) => (self.on_commit)(last),
                Ok(Err(e)) => return self.fail(LedgerError::from_redb(e)),
                Err(panic) => return self.fail(LedgerError::Io { what: panic_text(&*panic) }),
            }
        }
    }

    fn commit(&self, entries: &[Entry]) -> Result<u64, redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let mut last = 0;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (index, bytes) in entries {
                table.insert(index, bytes.as_slice())?;
                last = *index;
            }
        }
        set_last(&transaction, last)?;
        transaction.commit()?;
        Ok(last)
    }

    /// A failed write may have left anything: nothing after it is tried, so nothing after it is acknowledged.
    fn fail(&self, why: LedgerError) {
        self.queue.fail(&why);
        (self.on_failure)(why);
    }
}
