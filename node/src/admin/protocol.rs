//! What an operator's command asks of a node, and what it answers: the shapes of `--json` in docs/cli.md.
//!
//! A request is one frame of MessagePack over the node's own socket or over a stream of an operator's link; the
//! answer is any number of [`Reply`] frames, the last of which is not [`Reply::Item`] and not [`Reply::Progress`].

use odeon::{Address, Value};
use odeon_capabilities::{CapabilityMap, Delta};
use odeon_convention::leader::MemberState;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::{Explanation, Placement, Role};
use serde::{Deserialize, Serialize};

/// Bytes of one frame at most: an image and a little more.
pub const FRAME_BYTES_MAX: usize = 72 * 1024 * 1024;

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Request {
    Nodes,
    SetCapabilities { on: Option<String>, delta: Delta },
    Shutdown { on: Option<String> },
    CreateToken { role: Role, ttl_s: u64, uses: Option<u32>, claims: Option<Vec<String>> },
    PushImage(PushImage),
    Images,
    UnloadImage { image: String },
    SetAuthority { authority: AuthoritySetting },
    Authority,
    Create(Box<CreateArguments>),
    Explain(Box<CreateArguments>),
    Ask { address: Address, message: Value, timeout_ms: u64 },
    Tell { address: Address, message: Value },
    Stop { address: Address },
    Actors { node: Option<String> },
    Status { of: Option<String> },
    Logs(LogQuery),
}

/// An image with the signature that came along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushImage {
    /// The zip.
    #[serde(with = "odeon::bytes")]
    pub bytes: Vec<u8>,
    /// An OpenSSH signature in its armoured form.
    pub signature: Option<String>,
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
    /// How far long work has come, in bytes.
    Progress {
        done: u64,
        total: u64,
    },
    /// All items were given, or there is nothing to say.
    Done,
    Nodes(Vec<NodeItem>),
    Token(String),
    Pushed(ImageItem),
    Images(Vec<ImageItem>),
    Authority(AuthorityView),
    Created(CreatedItem),
    Explained(Explanation),
    /// The reply to an ask; its exact value.
    Answer(Value),
    Actors(Vec<ActorItem>),
    Status(Value),
    /// It cannot be done; nothing is changed.
    Failed(Failed),
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

/// A line of `odeon nodes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NodeItem {
    pub name: String,
    pub id: String,
    pub incarnation: u32,
    pub state: MemberState,
    pub role: Role,
    pub listen: String,
    pub capabilities: CapabilityMap,
    pub actors: u32,
    /// RFC 3339, to the second, UTC.
    pub since: String,
}

/// A line of `odeon image list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ImageItem {
    pub hash: String,
    pub name: String,
    pub version: String,
    pub size: u64,
    /// `approved` or `rejected`.
    pub state: String,
    pub by: String,
    pub nodes: u32,
    pub actors: u32,
}

/// What `odeon authority show` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorityView {
    /// `none`, `accept-all` or `keyring`.
    pub authority: String,
    /// One line a key: principals, namespaces and the key's fingerprint.
    pub signers: Vec<String>,
}

/// What `odeon create` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CreatedItem {
    pub address: Address,
    /// The host's name.
    pub node: String,
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
