//! The ledger: the facts that outlive a leader, in the order in which they became true, agreed on by the leaders.
//!
//! A lone leader is a group of one. The ledger decides nothing about what a record means, and it never skips what it
//! cannot read: a log with a hole is an error. The lock against a second process is the data folder's own; the file
//! is locked as well. Start with `Ledger`; `docs/ledger.md` has the format and what happens when it fails.

mod conduct;
mod entry;
mod error;
mod file;
mod group;
mod log;
mod machine;
mod network;
mod serve;
#[cfg(test)]
mod tests;
mod types;
mod wire;
mod writer;

pub use error::LedgerError;
pub(crate) use group::Place;
pub(crate) use network::Way;

use conduct::{Conductor, Lease, Proposal};
use log::Log;
use machine::{Machine, Progress};
use odeon::NodeId;
use odeon_convention::leader::Facts;
use odeon_convention::record::Record;
use openraft::{Config, SnapshotPolicy};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
pub(crate) use types::Seat;
use types::{Id, Raft};

/// The limits of a ledger.
pub mod limits {
    use std::time::Duration;

    /// Bytes of one encoded record at most.
    pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
    /// Records that wait to be durable at most.
    pub const QUEUE_RECORDS_MAX: usize = 65_536;
    /// Bytes of records that wait to be durable at most.
    pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
    /// Bytes of the file that are cached in memory at most.
    pub const CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// Bytes of entries that are given to another leader at once, but for one that is larger alone.
    pub const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// Bytes of a question or an answer between leaders at most: a snapshot and a little more.
    pub const QUESTION_BYTES_MAX: usize = 256 * 1024 * 1024;
    /// How long another leader may take for a snapshot.
    pub const SNAPSHOT_TIME_MAX: Duration = Duration::from_secs(60);
    /// Entries after which a snapshot is made that stands for them.
    pub const SNAPSHOT_EVERY_ENTRIES: u64 = 8_192;
    /// Entries before a snapshot that stay, for leaders that are only a little behind.
    pub const ENTRIES_BEHIND_SNAPSHOT_MAX: u64 = 1_024;

    /// How often the leader shows the others that it lives.
    pub const HEARTBEAT: Duration = Duration::from_millis(150);
    /// How long a leader is believed in after its last word, and the longest time that is drawn beyond it before
    /// somebody else asks for votes.
    pub const ELECTION_MAX: Duration = Duration::from_millis(550);
    /// The shortest time that is drawn.
    pub const ELECTION_MIN: Duration = Duration::from_millis(200);
    /// How long the leader itself believes in what a majority answered: less than the others do, as no two clocks run
    /// alike.
    pub const LEASE: Duration = Duration::from_millis(500);
}

/// What a ledger tells its node.
#[derive(Debug)]
pub(crate) enum News {
    Turn(Turn),
    /// Who leads together, when that is another group than before.
    Group(Vec<Place>),
    /// Records up to this number are durable, as far as they were proposed in this consensus term.
    Durable {
        consensus_term: u64,
        records: u64,
    },
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) enum Turn {
    /// This node leads from now on, and this is what everybody agreed on.
    Lead {
        /// Counts the turns of this start of the node.
        turn: u64,
        consensus_term: u64,
        facts: Box<Facts>,
    },
    /// The turn is over.
    Follow { turn: u64, why: String },
    /// Nothing will be durable here any more.
    Failed(LedgerError),
}

/// The ledger of this node. A clone is the same ledger.
#[derive(Clone)]
pub(crate) struct Ledger {
    raft: Raft,
    log: Log,
    lease: Lease,
    proposals: mpsc::Sender<Proposal>,
    in_flight: Arc<Mutex<InFlight>>,
    progress: watch::Receiver<Progress>,
    group: watch::Receiver<Vec<Place>>,
    machine: Machine,
    opened: Instant,
}

/// What was proposed and is not durable yet.
#[derive(Default)]
struct InFlight {
    sizes: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl InFlight {
    fn forget(&mut self, durable: u64) {
        while let Some((_, bytes)) = self.sizes.pop_front_if(|(index, _)| *index <= durable) {
            self.bytes -= bytes;
        }
    }
}

/// The node's end of a ledger.
pub(crate) struct Listener {
    turns: mpsc::Receiver<Turn>,
    progress: watch::Receiver<Progress>,
    group: watch::Receiver<Vec<Place>>,
}

impl Listener {
    /// The next news; none when the ledger has ended. Nothing is lost when it is not awaited to its end.
    pub(crate) async fn next(&mut self) -> Option<News> {
        tokio::select! {
            biased;
            turn = self.turns.recv() => turn.map(News::Turn),
            changed = self.group.changed() => {
                changed.ok()?;
                Some(News::Group(self.group.borrow_and_update().clone()))
            }
            changed = self.progress.changed() => {
                changed.ok()?;
                let Progress { term, records, .. } = *self.progress.borrow_and_update();
                Some(News::Durable { consensus_term: term, records })
            }
        }
    }
}

impl Ledger {
    /// Makes an empty ledger at `path`, unless there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn prepare(path: &Path) -> Result<(), LedgerError> {
        file::prepare(path)
    }

    /// Opens the ledger at `path`, or makes one, and takes part in its group from then on. A ledger that is empty
    /// founds a group of one when `founds` says so. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the file is damaged, in use, of another format, or cannot be read or written.
    pub(crate) async fn open(
        path: &Path,
        me: NodeId,
        seat: Seat,
        founds: bool,
        way: Arc<dyn Way>,
    ) -> Result<(Self, Listener), LedgerError> {
        let (turns, listener) = mpsc::channel(TURNS_MAX);
        let failed = turns.clone();
        // The node has ended when nobody receives.
        let on_failure = Box::new(move |error| drop(failed.blocking_send(Turn::Failed(error))));
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Log::open(&path, on_failure)).await;
        let log = opened.map_err(|e| LedgerError::Io { what: e.to_string() })??;
        let machine = Machine::new(log.clone());
        let (progress, group) = (machine.progress(), machine.group());
        let id = Id(me);
        let founds = founds && log.is_empty();
        let raft = Raft::new(id, Arc::new(config()?), network::Network(way), log.clone(), machine.clone())
            .await
            .map_err(|e| LedgerError::Io { what: e.to_string() })?;
        let io = |e: &dyn std::fmt::Display| LedgerError::Io { what: e.to_string() };
        if founds {
            raft.initialize(BTreeMap::from([(id, seat)])).await.map_err(|e| io(&e))?;
        } else {
            let alone = raft.with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([id]));
            if alone.await.map_err(|e| io(&e))? {
                // Nobody else can lead: there is nothing to wait for.
                raft.trigger().elect(false).await.map_err(|e| io(&e))?;
            } else {
                elect_later(&raft);
            }
        }
        let (proposals, received) = mpsc::channel(limits::QUEUE_RECORDS_MAX);
        let lease = Lease::default();
        tokio::spawn(Conductor::new(raft.clone(), id, machine.clone(), received, turns, lease.clone()).run());
        let in_flight = Arc::default();
        let listener = Listener { turns: listener, progress: progress.clone(), group: group.clone() };
        let opened = Instant::now();
        Ok((Self { raft, log, lease, proposals, in_flight, progress, group, machine, opened }, listener))
    }

    /// Looks at what the leaders agreed on, as far as this node has heard. Nothing is applied meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        self.machine.look(look)
    }

    /// Whether the present turn may still go on: to be asked before every step of it.
    pub(crate) fn may_lead(&self) -> bool {
        self.lease.runs()
    }

    /// Proposes `record` as the one with number `index`. It is durable once [`News::Durable`] of the turn's consensus
    /// term has named this number or a higher one, and not before.
    ///
    /// # Errors
    /// When the record is too large, or too many wait. Nothing of this turn is acknowledged then any more.
    pub(crate) fn append(&self, turn: u64, index: u64, record: Record) -> Result<(), LedgerError> {
        let size = entry::check_size(index, &record)?;
        let mut in_flight = self.in_flight.lock();
        in_flight.forget(self.progress.borrow().records);
        if in_flight.sizes.back().is_some_and(|(last, _)| *last >= index) {
            // Of an earlier turn: they became nothing.
            *in_flight = InFlight::default();
        }
        let full = LedgerError::QueueFull { records: in_flight.sizes.len(), bytes: in_flight.bytes };
        if in_flight.sizes.len() >= limits::QUEUE_RECORDS_MAX || in_flight.bytes + size > limits::QUEUE_BYTES_MAX {
            return Err(full);
        }
        self.proposals.try_send(Proposal { turn, record }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => full,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Stopped { what: "it has ended".into() },
        })?;
        in_flight.sizes.push_back((index, size));
        in_flight.bytes += size;
        Ok(())
    }

    /// Ends this node's part in the group. What was queued is durable when this returns.
    pub(crate) async fn shut_down(self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "the ledger did not end in good order");
        }
        // Waits for the writer.
        let _ = tokio::task::spawn_blocking(move || self.log.close()).await;
    }
}

/// A node that has just started may have answered a leader just before, who counts on its answer for a while: until
/// then it elects nobody, itself least of all.
fn elect_later(raft: &Raft) {
    raft.runtime_config().elect(false);
    let raft = raft.clone();
    tokio::spawn(async move {
        tokio::time::sleep(limits::ELECTION_MAX).await;
        raft.runtime_config().elect(true);
    });
}

/// Turns that the node has not taken notice of.
const TURNS_MAX: usize = 16;

fn config() -> Result<Config, LedgerError> {
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: "odeon".into(),
        heartbeat_interval: ms(limits::HEARTBEAT),
        election_timeout_min: ms(limits::ELECTION_MIN),
        election_timeout_max: ms(limits::ELECTION_MAX),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(limits::SNAPSHOT_EVERY_ENTRIES),
        max_in_snapshot_log_to_keep: limits::ENTRIES_BEHIND_SNAPSHOT_MAX,
        // A node that cannot win disturbs nobody.
        enable_pre_vote: Some(true),
        // A leader that starts again asks for votes again: its turn is another one.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    config.validate().map_err(|e| LedgerError::Io { what: format!("its configuration: {e}") })
}
