//! What the group of leaders agrees on, in the terms of the consensus library.

use odeon::NodeId;
use odeon_convention::record::Record;
use serde::{Deserialize, Serialize};
use std::fmt;

openraft::declare_raft_types!(
    /// Records are agreed on by nodes; a term has one leader.
    pub(crate) Types:
        D = Record,
        R = (),
        NodeId = Id,
        Node = Seat,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, Id>,
);

pub(crate) type Raft = openraft::Raft<Types, super::machine::Machine>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<Types>;
pub(crate) type LogId = openraft::type_config::alias::LogIdOf<Types>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<Types>;
pub(crate) type Membership = openraft::Membership<Id, Seat>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;

/// A leader's node. Which start of it is nobody's concern here: its log outlives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Id(pub(crate) NodeId);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
impl From<u64> for Id {
    fn from(number: u64) -> Self {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        Self(NodeId(id))
    }
}

/// A place in the group of leaders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The node's name when it took the place.
    pub(crate) name: String,
    /// Where it can be dialled.
    pub(crate) listen: String,
}

/// The place of an entry, made of its parts.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new_term_index(term, index)
}
