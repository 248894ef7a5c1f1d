//! Who leads together: seeing it, and changing it.

use super::types::{Id, Seat, StoredMembership};
use super::{Ledger, LedgerError};
use odeon::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{ChangeMembers, Instant as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a change of the group may take, the new leader's reading up included.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// One of the leaders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) node: NodeId,
    pub(crate) seat: Seat,
    /// Whether its word counts towards a majority.
    pub(crate) votes: bool,
}

/// How far another leader has come, as the one that leads sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Entries of the log that it does not have yet.
    pub(crate) behind: u64,
    /// How long ago it answered last.
    pub(crate) answered: Option<Duration>,
}

pub(super) fn places(membership: &StoredMembership) -> Vec<Place> {
    let voters: BTreeSet<Id> = membership.voter_ids().collect();
    let place = |(id, seat): (&Id, &Seat)| Place { node: id.0, seat: seat.clone(), votes: voters.contains(id) };
    membership.nodes().map(place).collect()
}

impl Ledger {
    /// Who leads together, as far as this node knows.
    pub(crate) fn group(&self) -> Vec<Place> {
        self.group.borrow().clone()
    }

    /// How far the others are; empty where this node does not lead.
    pub(crate) fn reached(&self) -> BTreeMap<NodeId, Reached> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let last = metrics.last_log_index.map_or(0, |index| index + 1);
        let heard = metrics.heartbeat.as_ref();
        let matched = metrics.replication.iter().flatten();
        matched
            .map(|(id, at)| {
                let answered = heard.and_then(|heard| heard.get(id)).and_then(|at| at.map(|at| at.elapsed()));
                let behind = last.saturating_sub(at.map_or(0, |at| at.index() + 1));
                (id.0, Reached { behind, answered })
            })
            .collect()
    }

    /// Gives a node a vote, once it has the whole log. Only where this node leads.
    ///
    /// # Errors
    /// When this node does not lead, another change is under way, or the node cannot be reached.
    pub(crate) async fn add(&self, node: NodeId, seat: Seat) -> Result<(), LedgerError> {
        let id = Id(node);
        let change = async {
            self.raft.add_learner(id, seat, true).await?;
            self.raft.change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await
        };
        changed(tokio::time::timeout(CHANGE_MAX, change).await)
    }

    /// Takes a node out of the group. Only where this node leads; it may be this one.
    ///
    /// # Errors
    /// As with [`add`](Self::add).
    pub(crate) async fn remove(&self, node: NodeId) -> Result<(), LedgerError> {
        let ids = BTreeSet::from([Id(node)]);
        let votes = self.group().iter().any(|place| place.node == node && place.votes);
        let change = async {
            match votes {
                true => self.raft.change_membership(ChangeMembers::RemoveVoters(ids), false).await,
                false => self.raft.change_membership(ChangeMembers::RemoveNodes(ids), false).await,
            }
        };
        changed(tokio::time::timeout(CHANGE_MAX, change).await)
    }
}

fn changed<T, E: std::fmt::Display>(
    result: Result<Result<T, E>, tokio::time::error::Elapsed>,
) -> Result<(), LedgerError> {
    match result {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(LedgerError::Unchanged { what: error.to_string() }),
        Err(_) => {
            Err(LedgerError::Unchanged { what: format!("it did not come about within {} s", CHANGE_MAX.as_secs()) })
        }
    }
}
