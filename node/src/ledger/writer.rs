//! The one thread that writes: whatever is queued goes into one transaction in its order, then one fsync, then
//! everyone who waits is told.

use super::LedgerError;
use super::entry::{COMMITTED, FACTS, PURGED, SNAPSHOT, VOTE};
use super::error::panic_text;
use super::file::{LOG, STATE, set_next};
use super::types::Types;
use openraft::storage::IOFlushed;
use parking_lot::{Condvar, Mutex};
use redb::{Database, Durability, WriteTransaction};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Is told once why nothing will be durable any more. Runs on the writer's thread and must not block.
pub(crate) type OnFailure = Box<dyn Fn(LedgerError) + Send>;

/// Something to write.
pub(super) enum Op {
    /// Entries that follow those before.
    Append(Vec<(u64, Vec<u8>)>),
    /// Forget the entries from this index on.
    Truncate(u64),
    /// Forget the entries up to this index; `end` is the index of the next entry afterwards.
    Purge { upto: u64, end: u64, at: Vec<u8> },
    /// Whom this node voted for.
    Vote(Vec<u8>),
    /// What stands for the entries up to some place.
    Snapshot { meta: Vec<u8>, facts: Vec<u8> },
}

/// Who waits for it.
pub(super) enum Done {
    Flushed(IOFlushed<Types>),
    Waiter(oneshot::Sender<io::Result<()>>),
}

impl Done {
    fn say(self, result: io::Result<()>) {
        match self {
            Done::Flushed(flushed) => flushed.io_completed(result),
            // Who waited may have gone.
            Done::Waiter(waiter) => drop(waiter.send(result)),
        }
    }
}

#[derive(Default)]
struct Waiting {
    ops: Vec<(Op, Done)>,
    /// The last place that is known to be agreed on. It only saves time after a restart, so it goes along with the
    /// next write and causes none.
    committed: Option<Vec<u8>>,
    /// Why nothing more is taken.
    stopped: Option<String>,
}

/// What is written at once, and the last place that is known to be agreed on.
type Taken = (Vec<(Op, Done)>, Option<Vec<u8>>);

/// What waits for the disk. Bounded by whoever proposes records: see [`super::limits`].
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Transactions so far.
    #[cfg(test)]
    pub(super) commits: std::sync::atomic::AtomicU64,
}

impl Queue {
    /// Queues something to write. Where nothing is taken any more, who waits is told so.
    pub(super) fn push(&self, op: Op, done: Done) {
        let mut waiting = self.waiting.lock();
        match &waiting.stopped {
            Some(what) => {
                let stopped = LedgerError::Stopped { what: what.clone() };
                drop(waiting);
                done.say(Err(stopped.into()));
            }
            None => {
                waiting.ops.push((op, done));
                drop(waiting);
                self.changed.notify_one();
            }
        }
    }

    pub(super) fn committed(&self, at: Vec<u8>) {
        self.waiting.lock().committed = Some(at);
    }

    pub(super) fn close(&self) {
        self.waiting.lock().stopped.get_or_insert_with(|| "it was closed".into());
        self.changed.notify_one();
    }

    /// Takes nothing more, and gives who waits for what was queued.
    fn stop(&self, why: &LedgerError) -> impl Iterator<Item = Done> + use<> {
        let mut waiting = self.waiting.lock();
        waiting.stopped = Some(why.to_string());
        std::mem::take(&mut waiting.ops).into_iter().map(|(_, done)| done)
    }

    /// Everything that waits; none once the queue is closed and empty.
    fn take(&self) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        while waiting.ops.is_empty() {
            if waiting.stopped.is_some() {
                return waiting.committed.take().map(|at| (Vec::new(), Some(at)));
            }
            self.changed.wait(&mut waiting);
        }
        Some((std::mem::take(&mut waiting.ops), waiting.committed.take()))
    }
}

/// The writer's side.
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) queue: Arc<Queue>,
    pub(super) on_failure: OnFailure,
}

impl Writer {
    pub(super) fn run(self) {
        while let Some((ops, committed)) = self.queue.take() {
            let (ops, waiting): (Vec<Op>, Vec<Done>) = ops.into_iter().unzip();
            let failure = match catch_unwind(AssertUnwindSafe(|| self.commit(&ops, committed.as_deref()))) {
                Ok(Ok(())) => None,
                Ok(Err(e)) => Some(LedgerError::from_redb(e)),
                Err(panic) => Some(LedgerError::Io { what: panic_text(&*panic) }),
            };
            let Some(why) = failure else {
                for done in waiting {
                    done.say(Ok(()));
                }
                continue;
            };
            // A failed write may have left anything: nothing after it is tried, so nothing after it is acknowledged.
            let queued = self.queue.stop(&why);
            // First of all: those who wait will only say that they had to stop.
            (self.on_failure)(why.clone());
            for done in waiting.into_iter().chain(queued) {
                done.say(Err(why.clone().into()));
            }
            return;
        }
    }

    fn commit(&self, ops: &[Op], committed: Option<&[u8]>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        for op in ops {
            write(&transaction, op)?;
        }
        if let Some(at) = committed {
            transaction.open_table(STATE)?.insert(COMMITTED, at)?;
        }
        transaction.commit()?;
        #[cfg(test)]
        self.queue.commits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

fn write(transaction: &WriteTransaction, op: &Op) -> Result<(), redb::Error> {
    match op {
        Op::Append(entries) => {
            let mut table = transaction.open_table(LOG)?;
            for (index, bytes) in entries {
                table.insert(index, bytes.as_slice())?;
            }
            drop(table);
            match entries.last() {
                Some((last, _)) => set_next(transaction, last + 1),
                None => Ok(()),
            }
        }
        Op::Truncate(from) => {
            transaction.open_table(LOG)?.retain_in::<u64, _>(*from.., |_, _| false)?;
            set_next(transaction, *from)
        }
        Op::Purge { upto, end, at } => {
            transaction.open_table(LOG)?.retain_in::<u64, _>(..=*upto, |_, _| false)?;
            transaction.open_table(STATE)?.insert(PURGED, at.as_slice())?;
            set_next(transaction, *end)
        }
        Op::Vote(vote) => {
            transaction.open_table(STATE)?.insert(VOTE, vote.as_slice())?;
            Ok(())
        }
        Op::Snapshot { meta, facts } => {
            let mut table = transaction.open_table(STATE)?;
            table.insert(SNAPSHOT, meta.as_slice())?;
            table.insert(FACTS, facts.as_slice())?;
            Ok(())
        }
    }
}
