//! The log of the group as the consensus library wants it: in memory to be read, in the file to be durable.
//!
//! All of the log is in memory. It is short: a snapshot stands for everything but its last part.

use super::LedgerError;
use super::entry::{self, COMMITTED, PURGED};
use super::file::{self, Content};
use super::types::{Entry, LogId, SnapshotMeta, Types, Vote};
use super::writer::{Done, OnFailure, Op, Queue, Writer};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::type_config::alias::VoteOf;
use openraft::{OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use redb::Database;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The log. A clone is the same log.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    queue: Arc<Queue>,
    /// None once it is closed.
    database: Mutex<Option<Arc<Database>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the file holds or will hold soon.
#[derive(Default)]
struct Kept {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// What the last snapshot stands for.
    snapshot: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
}

impl Kept {
    /// The index of the next entry.
    fn end(&self) -> u64 {
        let after_purged = self.purged.map_or(0, |id| id.index() + 1);
        self.entries.last_key_value().map_or(after_purged, |(last, _)| last + 1)
    }
}

impl Log {
    /// Opens the file, or makes one. All of it is read and checked.
    pub(super) fn open(path: &Path, on_failure: OnFailure) -> Result<Self, LedgerError> {
        // The store underneath panics on some damage in builds with debug assertions.
        let (database, content) = catch_unwind(AssertUnwindSafe(|| file::open(path)))
            .unwrap_or_else(|panic| Err(LedgerError::Corrupt { what: super::error::panic_text(&*panic) }))?;
        let (database, queue) = (Arc::new(database), Arc::new(Queue::default()));
        let writer = Writer { database: database.clone(), queue: queue.clone(), on_failure };
        let thread = std::thread::Builder::new()
            .name("odeon-ledger".into())
            .spawn(move || writer.run())
            .map_err(|e| LedgerError::from_io(&e))?;
        let Content { vote, committed, purged, snapshot, entries } = content;
        let snapshot = snapshot.and_then(|meta| meta.last_log_id);
        let kept = Mutex::new(Kept { vote, committed, purged, snapshot, entries });
        let (database, writer) = (Mutex::new(Some(database)), Mutex::new(Some(thread)));
        Ok(Self(Arc::new(Shared { kept, queue, database, writer })))
    }

    /// Whether anything was ever agreed on or voted for here.
    pub(super) fn is_empty(&self) -> bool {
        let kept = self.0.kept.lock();
        kept.vote.is_none() && kept.purged.is_none() && kept.entries.is_empty()
    }

    /// Writes something and waits until it is durable.
    async fn write(&self, op: Op) -> io::Result<()> {
        wait(self.queue(op)).await
    }

    fn queue(&self, op: Op) -> oneshot::Receiver<io::Result<()>> {
        let (done, wait) = oneshot::channel();
        self.0.queue.push(op, Done::Waiter(done));
        wait
    }

    /// Makes a snapshot durable, unless there is a later one: entries that only that one stands for may be gone.
    pub(super) async fn keep_snapshot(&self, meta: &SnapshotMeta, facts: &[u8]) -> io::Result<()> {
        let op = Op::Snapshot { meta: entry::encode_meta(meta)?, facts: entry::seal_facts(facts) };
        let queued = {
            let mut kept = self.0.kept.lock();
            if kept.snapshot.is_some() && kept.snapshot >= meta.last_log_id {
                return Ok(());
            }
            kept.snapshot = meta.last_log_id;
            self.queue(op)
        };
        wait(queued).await
    }

    /// The last durable snapshot.
    pub(super) async fn snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        let closed = || LedgerError::Stopped { what: "it was closed".into() };
        let database = self.0.database.lock().clone().ok_or_else(closed)?;
        let read = tokio::task::spawn_blocking(move || file::read_snapshot(&database));
        Ok(read.await.map_err(io::Error::other)??)
    }

    /// Waits until everything that was queued is durable, and takes nothing more.
    pub(super) fn close(&self) {
        self.0.queue.close();
        if let Some(writer) = self.0.writer.lock().take() {
            // A writer that panicked has said so to everyone who waited.
            let _ = writer.join();
        }
        self.0.database.lock().take();
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.0.kept.lock().entries.values().cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn records(&self) -> Vec<odeon_convention::record::Record> {
        let record = |entry: Entry| match entry.payload {
            openraft::EntryPayload::Normal(record) => Some(record),
            _ => None,
        };
        self.entries().into_iter().filter_map(record).collect()
    }

    /// Transactions so far.
    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.0.queue.commits.load(std::sync::atomic::Ordering::Relaxed)
    }
}

async fn wait(queued: oneshot::Receiver<io::Result<()>>) -> io::Result<()> {
    queued.await.unwrap_or_else(|_| Err(LedgerError::Stopped { what: "the writer is gone".into() }.into()))
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.get_mut().take()
            && writer.thread().id() != std::thread::current().id()
        {
            // As above.
            let _ = writer.join();
        }
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        if is_empty(bounds) {
            return Ok(Vec::new());
        }
        Ok(self.0.kept.lock().entries.range(bounds).map(|(_, entry)| entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf<Types>>, io::Error> {
        Ok(self.0.kept.lock().vote)
    }
}

/// A range that a map would panic on.
fn is_empty(bounds: (Bound<u64>, Bound<u64>)) -> bool {
    match bounds {
        (Bound::Included(from), Bound::Excluded(to)) => from >= to,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Excluded(from), Bound::Excluded(to) | Bound::Included(to)) => from >= to,
        _ => false,
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let kept = self.0.kept.lock();
        let last = kept.entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: kept.purged, last_log_id: last.or(kept.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.write(Op::Vote(entry::encode_vote(vote)?)).await?;
        self.0.kept.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.0.kept.lock().committed = committed;
        if let Some(id) = committed {
            self.0.queue.committed(entry::encode_log_id(COMMITTED, id)?);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.0.kept.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let encoded = entries
            .iter()
            .map(|e| Ok((e.log_id.index(), entry::encode(e)?)))
            .collect::<Result<Vec<_>, LedgerError>>()?;
        // Readable before it is durable, as the library asks; nothing is counted as agreed on before it is durable.
        self.0.kept.lock().entries.extend(entries.into_iter().map(|e| (e.log_id.index(), e)));
        self.0.queue.push(Op::Append(encoded), Done::Flushed(flushed));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index() + 1);
        self.0.kept.lock().entries.split_off(&from);
        self.write(Op::Truncate(from)).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let end = {
            let mut kept = self.0.kept.lock();
            kept.entries = kept.entries.split_off(&(upto.index() + 1));
            kept.purged = Some(upto);
            kept.end()
        };
        self.write(Op::Purge { upto: upto.index(), end, at: entry::encode_log_id(PURGED, upto)? }).await
    }
}
