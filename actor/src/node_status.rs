//! How a node is, for actors: what one asks, and what it is answered. [`crate::Context::request_node_status`] asks.
//!
//! It is said to [`crate::Address::NODE`], and all of it is messages: so it is the same on every runtime and in every
//! language. Nothing in the answer lets anybody in anywhere, and no actor's address is in it.

use crate::{CapabilityMap, NodeRef};
use serde::{Deserialize, Serialize};

/// Asks how a node is. Answered with a [`NodeStatusReport`], always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatusRequest {
    /// Which; none means the one that hosts the actor that asks.
    #[serde(default)]
    pub of: Option<NodeRef>,
}

/// How a node is, or why that is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatusReport {
    /// Which node.
    pub of: NodeRef,
    /// None where it cannot be had.
    pub status: Option<NodeStatus>,
    /// Why not: the number of the error, 102 is OD-102, and words for people to read.
    pub refusal: Option<(u16, String)>,
}

/// A node as of a moment ago. Counts are since its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name; empty for a program on its own.
    pub name: String,
    /// Which start of which node it is.
    pub node: NodeRef,
    /// What it has.
    pub capabilities: CapabilityMap,
    /// The leader that it is linked to and registered with, itself perhaps; none while there is none.
    pub leader: Option<NodeRef>,
    /// Whether it is to become empty.
    pub draining: bool,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// Nodes that it is linked to.
    pub links: u64,
    /// Actors that live there.
    pub actors: u64,
    /// Messages that its actors were given, also those that are gone.
    pub received: u64,
    /// Messages that wait in mailboxes.
    pub queued: u64,
    /// Messages that nobody was there for.
    pub dead_letters: u64,
    /// How much actors may send.
    pub rate_limits: ReportedRates,
    /// The source hashes of images that it holds, in hexadecimal digits; at most [`NODE_STATUS_IMAGES_MAX`].
    pub images: Vec<String>,
    /// How many it holds.
    pub images_count: u64,
}

/// How much actors may send in a second; none is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedRates {
    /// One actor.
    pub actor: Option<u32>,
    /// All actors of a node.
    pub node: Option<u32>,
    /// How often an actor had to rest because of that.
    pub rests: u64,
}

/// Images that a [`NodeStatus`] names.
pub const NODE_STATUS_IMAGES_MAX: usize = 1024;
