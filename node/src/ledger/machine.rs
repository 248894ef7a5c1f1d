//! What the log says: the facts, as of the last entry that was agreed on.

use super::group::{self, Place};
use super::log::Log;
use super::types::{LogId, SnapshotMeta, StoredMembership, Types};
use futures_util::{Stream, StreamExt};
use odeon_convention::leader::Facts;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

/// Everything that was applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Applied {
    pub(crate) facts: Facts,
    pub(crate) last: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

/// How far it has come, for those who wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The consensus term of the last entry.
    pub(crate) term: u64,
    /// The index of the last entry.
    pub(crate) index: Option<u64>,
    /// The number of the last record.
    pub(crate) records: u64,
}

/// The machine that applies entries. A clone is the same machine.
#[derive(Clone)]
pub(crate) struct Machine {
    applied: Arc<Mutex<Applied>>,
    log: Log,
    progress: watch::Sender<Progress>,
    group: watch::Sender<Vec<Place>>,
}

impl Machine {
    pub(super) fn new(log: Log) -> Self {
        Self { applied: Arc::default(), log, progress: watch::Sender::default(), group: watch::Sender::default() }
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn group(&self) -> watch::Receiver<Vec<Place>> {
        self.group.subscribe()
    }

    /// What is agreed on as of now.
    pub(super) fn facts(&self) -> Facts {
        self.applied.lock().facts.clone()
    }

    /// Looks at what is agreed on as of now. Nothing is applied meanwhile.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        look(&self.applied.lock().facts)
    }

    fn tell(&self, applied: &Applied) {
        let places = group::places(&applied.membership);
        self.group.send_if_modified(|known| {
            let news = *known != places;
            *known = places;
            news
        });
        self.progress.send_replace(Progress {
            term: applied.last.map_or(0, |id| id.committed_leader_id().term),
            index: applied.last.map(|id| id.index()),
            records: applied.facts.count(),
        });
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let applied = self.applied.lock();
        Ok((applied.last, applied.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut told = Vec::new();
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let mut applied = self.applied.lock();
            applied.last = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(record) => applied.facts.apply(record),
                EntryPayload::Membership(membership) => {
                    applied.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
            }
            told.extend(responder);
        }
        self.tell(&self.applied.lock());
        for responder in told {
            responder.send(());
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { applied: self.applied.lock().clone(), log: self.log.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, facts: Vec<u8>) -> Result<(), io::Error> {
        let decoded = Facts::decode(&facts).map_err(io::Error::other)?;
        self.log.keep_snapshot(meta, &facts).await?;
        let mut applied = self.applied.lock();
        *applied = Applied { facts: decoded, last: meta.last_log_id, membership: meta.last_membership.clone() };
        self.tell(&applied);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<openraft::type_config::alias::SnapshotOf<Types, Vec<u8>>>, io::Error> {
        Ok(self.log.snapshot().await?.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Makes a snapshot of what was applied when it was made.
pub(crate) struct Builder {
    applied: Applied,
    log: Log,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<openraft::type_config::alias::SnapshotOf<Types, Vec<u8>>, io::Error> {
        let Applied { facts, last, membership } = std::mem::take(&mut self.applied);
        let meta = SnapshotMeta { last_log_id: last, last_membership: membership };
        // Encoding a big fleet takes a while, and so would dropping it.
        let encoded = tokio::task::spawn_blocking(move || facts.encode());
        let snapshot = encoded.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        self.log.keep_snapshot(&meta, &snapshot).await?;
        Ok(Snapshot { meta, snapshot })
    }
}
