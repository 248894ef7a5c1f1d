//! What an operator's command asks of a node, and what it answers: the shapes of `--json` in docs/cli.md.
//!
//! A request is one frame of MessagePack over the node's own socket or over a stream of an operator's link; the
//! answer is any number of [`Reply`] frames, the last of which is not [`Reply::Item`] and not [`Reply::Progress`].

use odeon::{Address, Level, NodeId, Value};
use odeon_capabilities::{CapabilityMap, Delta};
use odeon_convention::leader::MemberState;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::{Explanation, ImageInfo, Placement, Role, SourceHash};
use serde::{Deserialize, Serialize};

/// Bytes of one frame at most: an image and a little more.
pub const FRAME_BYTES_MAX: usize = 72 * 1024 * 1024;

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Request {
    Nodes,
    SetCapabilities {
        on: Option<String>,
        delta: Delta,
    },
    Shutdown {
        on: Option<String>,
    },
    /// Lets a node become empty and leave.
    Drain {
        on: Option<String>,
        timeout_ms: u64,
    },
    /// Lets a node that is draining take actors again.
    CancelDrain {
        on: Option<String>,
    },
    CreateToken {
        role: Role,
        ttl_s: u64,
        uses: Option<u32>,
        claims: Option<Vec<String>>,
    },
    PushImage(PushImage),
    /// A place for a push of an actor: asked of the leader by the actor's node, which has it as long as it reads on.
    PlaceForActor,
    /// An actor has an image loaded.
    PushFromActor {
        by: String,
        push: Box<PushImage>,
    },
    /// An actor has an image unloaded.
    UnloadFromActor {
        by: String,
        hash: String,
    },
    Images,
    /// Everything that is known of an image.
    ShowImage {
        image: String,
    },
    /// Keep an image that is about to be approved: asked of the other leaders by the one that leads.
    HoldImage(Box<ImageInfo>),
    UnloadImage {
        image: String,
    },
    RevokeImage(Box<RevokeImage>),
    /// Unloads an image, and has its actors exit everywhere.
    DrainImage {
        image: String,
        timeout_ms: u64,
    },
    /// Asks the actors of an image on one node to exit: asked of every node by the one that leads.
    EndImage {
        hash: SourceHash,
    },
    /// Has the nodes that fit fetch an image.
    Prefetch {
        image: String,
        requirements: odeon::Requirements,
        timeout_ms: u64,
    },
    SetAuthority {
        authority: AuthoritySetting,
    },
    /// An actor is to decide on images.
    SetAuthorityActor(Box<SetAuthorityActor>),
    /// Have an actor of this node be the authority: asked by the leader.
    AppointAuthority {
        address: Address,
    },
    Authority,
    Create(Box<CreateArguments>),
    /// One on every node that accepts.
    CreateOnEveryNode(Box<CreateArguments>),
    Explain(Box<CreateArguments>),
    Ask {
        address: Address,
        message: Value,
        timeout_ms: u64,
    },
    Tell {
        address: Address,
        message: Value,
    },
    Stop {
        address: Address,
    },
    /// From which level on an actor's lines are shown and shipped; none for what the node's outputs say.
    SetLogLevel {
        address: Address,
        level: Option<Level>,
    },
    Actors {
        node: Option<String>,
    },
    Status {
        of: Option<String>,
    },
    Logs(LogQuery),
    /// What a leader has collected itself: asked of the others by the one that leads.
    CollectedLogs(LogQuery),
    Leaders,
    AddLeader {
        node: String,
    },
    RemoveLeader {
        node: String,
    },
    /// The bearer of a token wants in: asked by a leader that does not lead now.
    Admit {
        token: [u8; 32],
        node: NodeId,
    },
    /// An operator uses a token: as above.
    UseToken {
        token: [u8; 32],
    },
    /// Dials a node that waits for an invitation, and has it join.
    Invite {
        address: String,
        code: String,
        claims: Option<Vec<String>>,
        timeout_ms: u64,
    },
    /// The invitations that are under way.
    Invitations,
    /// Dials the node at an address no more.
    CancelInvite {
        address: String,
    },
}

/// An image with the signatures that came along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushImage {
    /// The zip.
    #[serde(with = "odeon::bytes")]
    pub bytes: Vec<u8>,
    /// An OpenSSH signature in its armoured form.
    pub signature: Option<String>,
    /// Further ones.
    #[serde(default)]
    pub more_signatures: Vec<String>,
    /// Whether it may be older than what is approved of its name.
    #[serde(default)]
    pub allow_older: bool,
}

/// The flags of `authority set actor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetAuthorityActor {
    /// The actor; none for any that registers and may.
    pub actor: Option<Address>,
    /// The nodes, by name or id, whose actors may; none for those that may lead.
    pub from: Vec<String>,
    /// How long its verdict on an image is waited for.
    pub answer_ms: u64,
}

/// The flags of `image revoke`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevokeImage {
    /// A hash, known or not, a prefix of a known one, or `name[@version]` if only one image fits.
    pub image: String,
    /// Whether its actors are asked to exit.
    pub end: bool,
    /// Why, for people to read; may be empty.
    pub reason: String,
    /// How long to wait until every member has confirmed.
    pub timeout_ms: u64,
    /// Who asks for it; said by the node that was asked, and not by the command.
    pub by: String,
}

/// The flags of `create` and `explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateArguments {
    /// A hash, a prefix of one, or `name[@version]`; none for an actor that is linked into the node.
    pub image: Option<String>,
    /// The type's name.
    pub actor: String,
    /// What is asked of the node.
    pub requirements: odeon::Requirements,
    /// How the node is chosen.
    pub placement: Placement,
    /// Only this node, by name or id.
    pub on: Option<String>,
    /// Unique in the convention.
    pub global_name: Option<String>,
    /// Its first message.
    pub argument: Option<Value>,
    /// A group of which a node has one actor at most.
    #[serde(default)]
    pub distinct: Option<String>,
}

/// Which log lines to give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogQuery {
    /// This level and above.
    pub level: odeon::Level,
    /// Only of this node, by name or id.
    pub node: Option<String>,
    /// Only of this actor.
    pub actor: Option<Address>,
    /// Only of actors of this image.
    pub image: Option<String>,
    /// Only as old as this.
    pub since_ms: Option<u64>,
    /// Goes on with what comes in.
    pub follow: bool,
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Reply {
    /// One of many; more follow.
    Item(Item),
    /// How far long work has come.
    Progress {
        done: u64,
        /// Zero where nothing is counted.
        total: u64,
        /// What is counted, or waited for; for people to read.
        #[serde(default)]
        what: String,
    },
    /// All items were given, or there is nothing to say.
    Done,
    Nodes(Vec<NodeItem>),
    Token(String),
    Pushed(ImageItem),
    Images(Vec<ImageItem>),
    Image(Box<ImageDetail>),
    Revoked(RevokedItem),
    /// How many actors of an image are on one node, and how many may still come.
    Left {
        actors: u64,
        awaited: u64,
    },
    Drained(DrainedItem),
    Prefetched(PrefetchedItem),
    Authority(AuthorityView),
    Created(CreatedItem),
    CreatedOnEveryNode(EveryNode),
    Explained(Explanation),
    /// The reply to an ask; its exact value.
    Answer(Value),
    Actors(Vec<ActorItem>),
    Status(Value),
    Leaders(Vec<LeaderItem>),
    Invitations(Vec<InvitationItem>),
    Admitted {
        role: Role,
    },
    /// It cannot be done; nothing is changed.
    Failed(Failed),
}

impl Reply {
    /// Whether no further reply follows this one.
    pub fn is_last(&self) -> bool {
        !matches!(self, Reply::Item(_) | Reply::Progress { .. })
    }
}

/// One of many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Item {
    Log(LogLine),
    Gap(LogGap),
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// A code as listed in docs/errors; it decides the exit code.
    pub code: u16,
    /// For people to read.
    pub message: String,
    /// Why no node is compatible, when that is the failure.
    pub explanation: Option<Explanation>,
}

impl Failed {
    /// A failure without an explanation of placement.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), explanation: None }
    }
}

/// A line of `odeon nodes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NodeItem {
    pub name: String,
    pub id: String,
    pub incarnation: u32,
    pub state: MemberState,
    pub role: NodeRole,
    pub listen: String,
    pub capabilities: CapabilityMap,
    pub actors: u32,
    /// RFC 3339, to the second, UTC.
    pub since: String,
    /// Whether it takes no actor any more.
    #[serde(default)]
    pub draining: bool,
}

/// What a node does in its convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// It leads now.
    Leader,
    /// It would lead if the leader did not.
    Standby,
    /// Neither.
    Member,
}

/// A line of `odeon leaders list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaderItem {
    /// The node's name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Where it can be dialled.
    pub listen: String,
    /// Whether it leads now.
    pub role: NodeRole,
    /// Whether its word counts towards a majority: not while it reads up on what it missed.
    pub votes: bool,
    /// Entries of the log that it does not have yet.
    pub behind: u64,
    /// Milliseconds since its last answer; none where it has not answered this leader.
    pub answered_ms: Option<u64>,
}

/// A line of `odeon invite --list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvitationItem {
    /// Where the node is dialled.
    pub address: String,
    /// When it began: RFC 3339, to the second, UTC.
    pub since: String,
    /// When it is given up, in the same form.
    pub until: String,
    /// The keys that the node may claim; any where there are none.
    pub claims: Option<Vec<String>>,
}

/// A line of `odeon image list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ImageItem {
    pub hash: String,
    pub name: String,
    pub version: String,
    pub size: u64,
    /// `pending`, `approved`, `rejected`, `expired` or `revoked`.
    pub state: String,
    pub by: String,
    pub nodes: u32,
    pub actors: u32,
    /// The hash of what was pushed, where the authority made the image out of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
}

/// What `odeon image show` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ImageDetail {
    pub hash: String,
    pub name: String,
    pub version: String,
    pub size: u64,
    /// As in a line of `odeon image list`.
    pub state: String,
    pub by: String,
    /// When it was approved: RFC 3339, to the second, UTC; none where it was not, or by a leader that did not note it.
    pub approved: Option<String>,
    /// The last second in which new actors may come from it, in the same form; none for always.
    pub until: Option<String>,
    /// The actor types in it.
    pub types: Vec<ImageType>,
    /// The signatures that counted when it was pushed.
    pub approvals: Vec<ImageEndorsement>,
    /// The names of the nodes that hold it.
    pub nodes: Vec<String>,
    /// How many actors run from it.
    pub actors: u32,
    /// As in a line of `odeon image list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
    /// What it asks to reach outside of itself; none where the answering node has no such image.
    #[serde(default)]
    pub grants: Option<ImageGrants>,
}

/// What an image asks for, each as the flags of `odeon up` that allow it have it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageGrants {
    /// Where it connects to, as HOST:PORT.
    pub outbound: Vec<String>,
    /// Folders, with `:rw` where it writes.
    pub folders: Vec<String>,
    /// Names of variables.
    pub environment: Vec<String>,
}

/// An actor type in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageType {
    /// Its name.
    pub name: String,
    /// What must be true where it lives.
    pub require: Vec<String>,
}

/// A signature that approves an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageEndorsement {
    /// The signer's principals.
    pub by: String,
    /// Of the key that signed.
    pub fingerprint: String,
    /// `file` or `statement`.
    pub signed: String,
    /// From when on the statement counts: RFC 3339, to the second, UTC.
    pub not_before: Option<String>,
    /// Up to when it counts.
    pub not_after: Option<String>,
    /// As it came: the signature, behind the statement if there is one.
    pub text: String,
}

/// How far the revocation of an image has come round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RevokedItem {
    pub hash: String,
    /// Empty for an image that was never pushed, as the version is.
    pub name: String,
    pub version: String,
    /// How many of the live members have confirmed.
    pub confirmed: u32,
    /// Those that have not, by name.
    pub unconfirmed: Vec<UnconfirmedItem>,
}

/// A live member that has not confirmed a revocation, or not fetched an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedItem {
    /// Its id.
    pub node: String,
    /// Its name; empty where it has gone since.
    pub name: String,
}

/// An image that has no actors any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainedItem {
    /// Its hash.
    pub hash: String,
    /// How many of its actors were seen to run since the command was given.
    pub actors: u64,
    /// On how many nodes.
    pub nodes: u32,
}

/// How far an image has come to the nodes that were to have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefetchedItem {
    /// Its hash.
    pub hash: String,
    /// How many of the nodes that fit have it.
    pub nodes: u32,
    /// Those that fit and have it not, by name.
    pub missing: Vec<UnconfirmedItem>,
}

/// What `odeon authority show` shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthorityView {
    /// `none`, `accept-all`, `keyring` or `actor`.
    pub authority: String,
    /// How many signers an image needs; none where it needs none.
    #[serde(default)]
    pub required: Option<u8>,
    /// One line a key: principals, whether it certifies, namespaces and the key's fingerprint.
    pub signers: Vec<String>,
    /// Where each leader has the keys with which it decrypts images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_identity: Option<String>,
    /// The actor that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<AuthorityActorItem>,
    /// Whose actors may be it: the names of nodes, `leaders`, or the address of the only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// How long its verdict on an image is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_ms: Option<u64>,
}

/// The actor that decides on images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorityActorItem {
    /// Its address.
    pub address: Address,
    /// Its type's name.
    pub actor: String,
    /// The image that it comes from.
    pub image: Option<String>,
    /// The name of the node that it lives on.
    pub node: String,
}

/// What `odeon create` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CreatedItem {
    pub address: Address,
    /// The host's name.
    pub node: String,
}

/// What `odeon create --placement every-node` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EveryNode {
    /// By the names of their hosts.
    pub created: Vec<CreatedItem>,
    /// Nodes that accept and have none all the same, with the reason.
    pub failed: Vec<(String, Failed)>,
}

/// A line of `odeon actors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ActorItem {
    pub address: Address,
    pub actor: String,
    pub image: Option<String>,
    pub node: String,
    pub parent: Option<Address>,
    pub state: String,
    pub received: u64,
    pub queued: u64,
}

/// A line of `odeon logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// RFC 3339 with milliseconds, UTC, as of the node's clock.
    pub time: String,
    /// How grave it is.
    pub level: odeon::Level,
    /// The node's name.
    pub node: String,
    /// The node's start.
    pub incarnation: u32,
    /// The actor that logged it.
    pub actor: Option<Address>,
    /// That actor's image.
    pub image: Option<String>,
    /// The module or actor type.
    pub target: String,
    /// The line.
    pub message: String,
    /// Further fields.
    pub fields: std::collections::BTreeMap<String, Value>,
    /// Counts the lines of one node and incarnation, from 1.
    pub seq: u64,
}

/// Lines that the leader never got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGap {
    /// The node's name.
    pub node: String,
    /// The first line that is missing.
    pub from: u64,
    /// The last line that is missing.
    pub to: u64,
    /// Why.
    pub reason: String,
}
