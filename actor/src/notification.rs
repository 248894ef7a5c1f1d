//! What an actor can ask to be told of, and the messages that tell it. [`crate::Context::watch`] asks.

use crate::{CapabilityMap, NodeRef};
use serde::{Deserialize, Serialize};

/// Something that an actor can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Nodes that join and leave the convention: [`MemberJoined`] and [`MemberLost`].
    Members,
    /// Changes of what members can do: [`MemberChanged`].
    Capabilities,
    /// Images that may be used from now on, or not any more: [`ImageAvailable`] and [`ImageUnavailable`].
    Images,
}

/// A node is in the convention. Whoever begins to watch is told so of every node that is there, its own among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberJoined {
    /// Which, as of one start. Another start is another member.
    pub node: NodeRef,
    /// Its name.
    pub name: String,
    /// Where it can be dialled; empty for a node that only dials others.
    pub listen: String,
    /// What it has.
    pub capabilities: CapabilityMap,
}

/// A node that was there is gone: dead, left, or superseded by a later start of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberLost {
    /// Which, as of one start.
    pub node: NodeRef,
    /// Its name.
    pub name: String,
    /// Why, for people to read.
    pub reason: String,
}

/// A member's capabilities are others than before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberChanged {
    /// Which.
    pub node: NodeRef,
    /// Its name.
    pub name: String,
    /// All that it has now.
    pub capabilities: CapabilityMap,
    /// The keys whose values came, went or changed.
    pub changed: Vec<String>,
}

/// An image may be used: actors can be created from it. Whoever begins to watch is told so of every such image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageAvailable {
    /// Its source hash, in hexadecimal digits, as a creation names it.
    pub hash: String,
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
}

/// An image that could be used was unloaded, or is not approved any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUnavailable {
    /// Its source hash, in hexadecimal digits.
    pub hash: String,
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
}
