//! Whose turn it is to lead: watches the consensus library and tells the node when it leads and when it no longer does.
//!
//! A turn begins when this node is the library's leader, a majority has answered lately, and everything that the log
//! had by then is applied. It ends when any of that is no longer so. No two turns overlap anywhere: a turn ends by
//! this node's own clock before another node can be elected (see [`Lease`]). A turn that ended does not come back:
//! what it proposed and nobody agreed on yet may still be agreed on, so the next turn waits for that first.

use super::limits::LEASE;
use super::machine::Machine;
use super::types::{Id, LogId, Raft};
use super::{LedgerError, Turn};
use odeon_convention::record::Record;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::vote::leader_id_std::CommittedLeaderId;
use openraft::{Instant as _, ServerState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Records that are handed to the library at once.
const BATCH_RECORDS: usize = 256;
const NOT_ANSWERED: &str = "no majority of the leaders has answered in time";
/// Longer than anything lasts.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Until when this node may act as the leader. A clone is the same lease.
///
/// A majority that answered a word of this leader elects nobody else for [`LEASE`] and more after it heard that word;
/// the lease counts from when the word was sent. Clocks are only compared with themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lease(Arc<Mutex<Option<Instant>>>);

impl Lease {
    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.0.lock().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> Option<Instant> {
        *self.0.lock()
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock() = until;
    }

    /// Goes on until then, if it has not run out meanwhile.
    fn renew(&self, until: Option<Instant>) -> bool {
        let mut lease = self.0.lock();
        let runs = lease.is_some_and(|until| Instant::now() < until);
        if runs {
            *lease = until;
        }
        runs
    }
}

/// A record that the leader of a turn wants agreed on.
pub(super) struct Proposal {
    pub(super) turn: u64,
    pub(super) record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Following,
    /// Everything up to this index has to be applied first.
    Preparing {
        term: u64,
        upto: Option<u64>,
    },
    Leading {
        term: u64,
    },
}

/// What the library says of this node.
struct Seen {
    failed: Option<String>,
    /// The term that this node leads in.
    leads: Option<u64>,
    applied: Option<LogId>,
    /// Whether nobody else has a vote.
    alone: bool,
    /// How long ago a word was sent that a majority has answered.
    answered: Option<Duration>,
}

pub(super) struct Conductor {
    pub(super) raft: Raft,
    pub(super) me: Id,
    pub(super) machine: Machine,
    pub(super) proposals: mpsc::Receiver<Proposal>,
    pub(super) turns: mpsc::Sender<Turn>,
    pub(super) lease: Lease,
    phase: Phase,
    turn: u64,
    was_alone: bool,
}

/// The node has ended, or the library has.
struct Over;

impl Conductor {
    pub(super) fn new(
        raft: Raft,
        me: Id,
        machine: Machine,
        proposals: mpsc::Receiver<Proposal>,
        turns: mpsc::Sender<Turn>,
        lease: Lease,
    ) -> Self {
        Self { raft, me, machine, proposals, turns, lease, phase: Phase::Following, turn: 0, was_alone: false }
    }

    pub(super) async fn run(mut self) {
        let mut metrics = self.raft.metrics();
        let mut batch = Vec::with_capacity(BATCH_RECORDS);
        loop {
            let seen = self.seen();
            if self.look(seen).await.is_err() {
                return;
            }
            let until = self.lease.until().unwrap_or_else(|| Instant::now() + FOR_EVER);
            tokio::select! {
                changed = metrics.changed() => if changed.is_err() {
                    return;
                },
                taken = self.proposals.recv_many(&mut batch, BATCH_RECORDS) => {
                    if taken == 0 || self.propose(&mut batch).await.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn seen(&self) -> Seen {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let vote = &metrics.vote;
        let leads = metrics.state == ServerState::Leader
            && vote.is_committed()
            && vote.leader_id().voted_for == self.me
            && vote.leader_id().term == metrics.current_term;
        let mut voters = metrics.membership_config.voter_ids();
        Seen {
            failed: metrics.running_state.as_ref().err().map(ToString::to_string),
            leads: leads.then_some(metrics.current_term),
            applied: metrics.last_applied,
            alone: voters.next() == Some(self.me) && voters.next().is_none(),
            answered: metrics.last_quorum_acked.map(|at| at.elapsed()),
        }
    }

    /// Goes on to whatever phase fits what is seen.
    async fn look(&mut self, seen: Seen) -> Result<(), Over> {
        if let Some(what) = seen.failed {
            self.end("the ledger has stopped").await?;
            self.tell(Turn::Failed(LedgerError::Stopped { what })).await?;
            return Err(Over);
        }
        let until = self.renewed(&seen);
        let held = seen.leads.filter(|_| until.is_some_and(|until| Instant::now() < until));
        match (self.phase, held) {
            (Phase::Following, Some(term)) => {
                // Asked for in order behind everything that was proposed before.
                let end = self.raft.with_raft_state(|state| state.log_ids.last().map(|id| id.index())).await;
                let upto = end.map_err(|_| Over)?;
                self.phase = Phase::Preparing { term, upto };
                self.begin_if_ready(seen.applied, until).await
            }
            (Phase::Preparing { term, .. }, Some(now)) if term == now => self.begin_if_ready(seen.applied, until).await,
            (Phase::Leading { term }, Some(now)) if term == now => {
                // The node may have noticed the end of the lease already, and then its turn is over.
                if self.lease.renew(until) { Ok(()) } else { self.end(NOT_ANSWERED).await }
            }
            (Phase::Leading { .. }, None) if seen.leads.is_some() => self.end(NOT_ANSWERED).await,
            (Phase::Following, None) => Ok(()),
            _ => self.end("another leader may have been elected").await,
        }
    }

    /// Until when this node may lead, by what is seen now.
    fn renewed(&mut self, seen: &Seen) -> Option<Instant> {
        let was_alone = std::mem::replace(&mut self.was_alone, seen.alone && seen.leads.is_some());
        seen.leads?;
        let now = Instant::now();
        if seen.alone {
            return Some(now + FOR_EVER);
        }
        // Whoever is new in the group has not answered yet; without this node nobody can be elected so soon.
        let answered = if was_alone { Some(Duration::ZERO) } else { seen.answered };
        let granted = answered.and_then(|ago| LEASE.checked_sub(ago)).map(|rest| now + rest);
        let earlier = self.lease.until().filter(|until| *until <= now + LEASE);
        granted.max(earlier)
    }

    async fn begin_if_ready(&mut self, applied: Option<LogId>, until: Option<Instant>) -> Result<(), Over> {
        let Phase::Preparing { term, upto } = self.phase else { return Ok(()) };
        // The first entry of a term is its leader's own: with it, everything of earlier terms is agreed on.
        let own = applied.is_some_and(|id| id.committed_leader_id().term == term);
        if !own || applied.map(|id| id.index()) < upto {
            return Ok(());
        }
        self.turn += 1;
        self.phase = Phase::Leading { term };
        self.lease.set(until);
        let facts = Box::new(self.machine.facts());
        self.tell(Turn::Lead { turn: self.turn, consensus_term: term, facts }).await
    }

    async fn end(&mut self, why: &str) -> Result<(), Over> {
        self.lease.set(None);
        match std::mem::replace(&mut self.phase, Phase::Following) {
            Phase::Leading { .. } => self.tell(Turn::Follow { turn: self.turn, why: why.to_owned() }).await,
            Phase::Following | Phase::Preparing { .. } => Ok(()),
        }
    }

    async fn propose(&mut self, batch: &mut Vec<Proposal>) -> Result<(), Over> {
        for proposal in batch.drain(..) {
            let Phase::Leading { term } = self.phase else { continue };
            if proposal.turn != self.turn {
                continue;
            }
            // In another term than the one it was meant for it is dropped: its turn is over.
            let write = self.raft.write(proposal.record).with_leader(CommittedLeaderId::new(term));
            if write.await.is_err() {
                self.look(self.seen()).await?;
            }
        }
        Ok(())
    }

    async fn tell(&self, turn: Turn) -> Result<(), Over> {
        self.turns.send(turn).await.map_err(|_| Over)
    }
}
