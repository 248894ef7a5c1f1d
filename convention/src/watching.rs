//! What watching members are told, and what they tell their actors.

use crate::types::SourceHash;
use odeon::NodeRef;
use odeon_capabilities::CapabilityMap;
use serde::{Deserialize, Serialize};

/// A part of what a member watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The number that the member gave to what it asked for.
    pub watch: u64,
    /// Counts up by one from part to part; one that is missing makes the member ask anew.
    pub number: u64,
    /// What it is a part of.
    pub part: Part,
    /// Members as they are now.
    pub members: Vec<MemberEntry>,
    /// Images that may be used.
    pub images: Vec<ImageEntry>,
    /// Images that may not be used any more.
    pub unavailable: Vec<SourceHash>,
    /// Members as they are now, whose capabilities have changed.
    #[serde(default)]
    pub changed: Vec<ChangedEntry>,
    /// The record up to which every change of capabilities has been told with this part: what a member asks for anew from.
    #[serde(default)]
    pub upto: u64,
}

/// From when on changes of capabilities are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Since {
    /// From now on.
    Now,
    /// All after this record of the ledger, as [`Watched::upto`] said.
    Record(u64),
}

/// A member whose capabilities have changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedEntry {
    /// As it is now.
    pub member: MemberEntry,
    /// The keys that have changed since those who watch were told last. A key that has its old value again may be among
    /// them.
    pub keys: Vec<String>,
}

/// What a [`Watched`] is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// A page of the listing, after which another one can be asked for.
    Page,
    /// Its last page: what no page has named and no change since is not there.
    LastPage,
    /// A change.
    Change,
}

/// A member, as those are told who watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// Who it is.
    pub node: NodeRef,
    /// Its name.
    pub name: String,
    /// Where it can be dialled; empty for a node that only dials others.
    pub listen: String,
    /// What it has.
    pub capabilities: CapabilityMap,
}

/// An image that may be used, as those are told who watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageEntry {
    /// The SHA-256 of its bytes.
    pub hash: SourceHash,
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
}

/// What the actors of a node are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// A member is there.
    Joined(MemberEntry),
    /// A member that was there is gone.
    Lost {
        /// Which.
        node: NodeRef,
        /// Its name.
        name: String,
        /// For people to read.
        reason: String,
    },
    /// A member's capabilities are others than before.
    Changed {
        /// The member as it is now.
        member: MemberEntry,
        /// The keys whose values are others.
        keys: Vec<String>,
    },
    /// An image may be used.
    Available(ImageEntry),
    /// An image may not be used any more.
    Unavailable(ImageEntry),
}
