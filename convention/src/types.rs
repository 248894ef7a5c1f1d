//! The nouns that the machines, the wire and the ledger share.

use crate::limits;
use odeon::{Address, NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Requirements};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in time in milliseconds, on whatever monotonic clock the driver reads. Only differences mean anything.
pub type Millis = u64;

/// What a node's certificate lets it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Role {
    Leader,
    Member,
    Operator,
}

/// The SHA-256 of an image's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceHash(pub [u8; 32]);

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// One creation, however often it is asked for: who asked, and that node's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The node that asks, as of one start.
    pub node: NodeRef,
    /// Counted by that node.
    pub number: u64,
}

/// Which actor to create and where it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSpec {
    /// The type's name.
    pub actor: String,
    /// The image it comes from; none for one that is linked into the node.
    pub image: Option<SourceHash>,
    /// What the creator asks of the node.
    pub requirements: Requirements,
    /// Unique in the convention.
    pub global_name: Option<String>,
    /// How the node is chosen among those that accept.
    pub placement: Placement,
    /// Only this node may be chosen.
    pub on: Option<NodeId>,
    /// Who is told of its exit.
    pub parent: Option<Address>,
    /// The address that its creator's node promised for it; none lets the host mint one.
    pub promised: Option<Address>,
    /// A group of which a node has one actor at most. The last field, as [`NodeFacts::draining`] is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
}

/// How a node is chosen among those that accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The asker's own node when it accepts, else the accepting node with the fewest actors.
    #[default]
    Local,
    /// The accepting node with the fewest actors.
    Spread,
    /// The accepting node with the most actors.
    Pack,
    /// The less loaded of two accepting nodes taken at random.
    LeastLoaded,
}

/// What a node tells of an actor type that is linked into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NativeActor {
    /// The type's name.
    pub name: String,
    /// Capabilities that must be true where it lives.
    pub required: Vec<String>,
}

/// An image as the convention knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// The SHA-256 of its bytes.
    pub hash: SourceHash,
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// Bytes of the zip.
    pub size_bytes: u64,
    /// Its actor types and what each requires.
    pub actors: Vec<NativeActor>,
    /// The SHA-256 of the hashes of its chunks, one behind the other; none of one that was judged before there were
    /// chunks. The last field, as [`NodeFacts::draining`] is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<[u8; 32]>,
}

/// What approved an image, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageApproval {
    /// When it was approved: wall clock, in seconds since 1970.
    pub at_unix_s: u64,
    /// The last second in which new actors may come from it; none for always.
    pub until_unix_s: Option<u64>,
    /// The signatures that counted.
    pub endorsements: Vec<Endorsement>,
    /// The hash of what was pushed, where the authority made the image out of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<SourceHash>,
}

impl ImageApproval {
    /// Whether it has run out.
    pub fn is_over(&self, now_unix_s: u64) -> bool {
        self.until_unix_s.is_some_and(|until| now_unix_s > until)
    }

    /// Whether it is within what is kept of an image.
    pub fn is_bounded(&self) -> bool {
        let bytes = |e: &Endorsement| e.by.len() + e.fingerprint.len() + e.text.len();
        self.endorsements.len() <= limits::ENDORSEMENTS_MAX
            && self.endorsements.iter().map(bytes).sum::<usize>() <= limits::ENDORSEMENTS_BYTES_MAX
    }
}

/// A signature that approves an image, kept so that others can verify it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// The signer's principals.
    pub by: String,
    /// Of the key that signed.
    pub fingerprint: String,
    /// Whether it is over a statement; else it is over the image.
    pub statement: bool,
    /// From when on the statement counts, in seconds since 1970.
    pub not_before_unix_s: Option<u64>,
    /// Up to when it counts.
    pub not_after_unix_s: Option<u64>,
    /// As it came: the signature, behind the statement if there is one.
    pub text: String,
}

/// An actor that wants to be the Source Authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityClaim {
    /// The actor.
    pub address: Address,
    /// Its type's name.
    pub actor: String,
    /// The image that it comes from; none for one that is linked into its node.
    pub image: Option<SourceHash>,
}

/// The actor that decides on images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityActor {
    /// The actor.
    pub address: Address,
    /// Where it lives, which its address need not say.
    pub node: NodeRef,
    /// Its type's name.
    pub actor: String,
    /// The image that it comes from.
    pub image: Option<SourceHash>,
}

impl fmt::Display for AuthorityActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "actor {} {}", self.actor, self.address)
    }
}

/// How a check answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// What it said.
    pub verdict: CheckVerdict,
    /// What it read on the way: the answer holds wherever these are the same.
    pub read: odeon_capabilities::Reads,
}

/// The word of an actor's own check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckVerdict {
    /// It may live there.
    Accepted,
    /// It may not.
    Refused,
    /// The check failed, looped or ran out of memory: a refusal with a reason.
    Failed(String),
    /// This node does not have the code; the node that would host it has to be asked.
    Unknown,
}

/// How much a node has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Actors that live there.
    pub actors: u32,
}

/// How a creation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreateOutcome {
    /// It lives, on this node, under this address.
    Created {
        /// Its address.
        address: Address,
        /// Its host.
        node: NodeRef,
        /// Whether the answer is an actor that had the global name already.
        existing: bool,
    },
    /// No node can host it.
    NoCompatibleNode(Explanation),
    /// It cannot be created anywhere, for a reason that has a code.
    Refused {
        /// A code as listed in docs/errors.
        code: u16,
        /// For people to read.
        reason: String,
    },
}

/// Why nodes were rejected, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// Live nodes that were considered.
    pub nodes: u32,
    /// How many accept.
    pub accepted: u32,
    /// The name of the node that would be chosen.
    pub chosen: Option<String>,
    /// Reasons, the most frequent first.
    pub rejected: Vec<Rejection>,
    /// Nodes that lack the least, best first.
    pub nearest: Vec<NearMiss>,
}

/// One reason and how many nodes it rejects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// For people to read; the same text for the same cause.
    pub reason: String,
    /// How many nodes.
    pub nodes: u32,
    /// The name of one of them.
    pub example: String,
}

/// A node that nearly fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    /// Its name.
    pub node: String,
    /// Everything that it lacks.
    pub lacks: Vec<String>,
}

/// What a node says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name, unique in the convention.
    pub name: String,
    /// Where it can be dialled; empty for a node that only dials others.
    pub listen: String,
    /// What it has.
    pub capabilities: CapabilityMap,
    /// Counts the changes of `capabilities` within one incarnation.
    pub capabilities_version: u64,
    /// What is linked into it.
    pub natives: Vec<NativeActor>,
    /// Images that it holds.
    pub images: Vec<SourceHash>,
    /// How much it has to do.
    pub load: Load,
    /// Creations that it hosts and that their askers may ask for again.
    pub hosted: Vec<Hosted>,
    /// Whether it is to become empty and takes no actor any more. The last field, and left out where it is false: so
    /// nodes that do not know of it read the same as before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draining: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// A creation that a node hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    /// The creation.
    pub request: RequestId,
    /// The actor.
    pub address: Address,
    /// Its global name.
    pub global_name: Option<String>,
    /// Its group, while it lives. The last field, as [`NodeFacts::draining`] is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
}
