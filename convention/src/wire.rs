//! The messages between members and their leader. Each kind may only be added to; a peer of another protocol
//! version is refused when its link is made.

use crate::limits;
use crate::types::{
    AuthorityClaim, CreateOutcome, CreateSpec, Explanation, ImageInfo, Load, Millis, NodeFacts, RequestId, SourceHash,
};
use crate::watching::{Since, Watched};
use odeon::{Address, NodeId, NodeRef};
use odeon_capabilities::Delta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Counted up when a peer of the version before could misread something: one of these messages, a greeting of a link, or
/// what a node that joins and its leader say. Peers of two versions refuse each other.
pub const PROTOCOL_VERSION: u16 = 6;

/// A word between two nodes: both may be members, and either may lead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// To whoever leads.
    ToLeader(ToLeader),
    /// To a member, from whoever leads.
    ToMember(ToMember),
    /// A small image that is about to be asked for. It counts for nothing but bytes that need not be fetched.
    Carried {
        /// Which.
        hash: SourceHash,
        /// What is said to be it.
        #[serde(with = "odeon::bytes")]
        bytes: Vec<u8>,
    },
}

/// Where a leader can be dialled, whether it leads now or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeaderAt {
    /// Its node.
    pub node: NodeId,
    /// `host:port`.
    pub listen: String,
}

/// From a member to its leader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToLeader {
    /// Everything about the member. Idempotent; the first word on a new link and whenever the leader asks.
    Register(Box<NodeFacts>),
    /// The member lives. Another one follows soon: it may be sent in a way that loses some.
    Renew {
        /// How much it has to do.
        load: Load,
    },
    /// Its capabilities changed from `version - 1` to `version`.
    CapabilitiesChanged {
        /// The version afterwards.
        version: u64,
        /// The change.
        delta: Delta,
    },
    /// An actor or a person asks for an actor that this member cannot or may not host itself.
    Create {
        /// The same for every repetition.
        request: RequestId,
        /// Whether it was asked for before, so that it may exist already.
        again: bool,
        /// What is asked for.
        spec: Box<CreateSpec>,
    },
    /// What would happen if it were asked for.
    Explain {
        /// To match the answer.
        request: RequestId,
        /// What would be asked for.
        spec: Box<CreateSpec>,
    },
    /// How a placement on this member ended.
    Placed {
        /// The creation.
        request: RequestId,
        /// How.
        outcome: PlaceOutcome,
    },
    /// An actor with a global name is gone.
    NameFreed {
        /// The name.
        name: String,
        /// The actor that had it.
        address: Address,
    },
    /// The member holds, or no longer holds, an image.
    ImageHeld {
        /// Which.
        hash: SourceHash,
        /// Whether it does.
        held: bool,
    },
    /// Where a node can be dialled.
    Locate {
        /// Which.
        node: NodeId,
    },
    /// The member goes, by its own will.
    Leave,
    /// The only actor of a group on the member is gone.
    GroupFreed {
        /// The group.
        group: String,
        /// The creation that it was taken for.
        request: RequestId,
    },
    /// The member takes no actor any more, or takes them again.
    Draining {
        /// Whether it is to become empty.
        draining: bool,
    },
    /// The answer to [`ToMember::Ping`]: a renewal that is not lost.
    Pong {
        /// How much the member has to do.
        load: Load,
    },
    /// Actors here want to know who is in the convention, what members can do, and which images there are: a listing,
    /// page by page, and every change from now on. Takes the place of what was watched before.
    Watch {
        /// Counted up by the member.
        watch: u64,
        /// Whether it wants to know of members.
        members: bool,
        /// Whether it wants to know of images.
        images: bool,
        /// From when on it wants to know of changes of members' capabilities. With nothing of all this it is told no
        /// more. The last field, as [`NodeFacts::draining`] is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<Since>,
    },
    /// The next page of the listing.
    WatchNext {
        /// What is watched.
        watch: u64,
    },
    /// The member was not told of all that are gone: which are after so many?
    GoneSince {
        /// How many that are gone, ever, it knows of.
        upto: u64,
    },
    /// The member was not told of all revocations: which are after so many?
    RevokedSince {
        /// How many, ever, it was told of.
        upto: u64,
    },
    /// Of no image that was revoked so far is anything created here any more, and none is in the store.
    RevocationsDone {
        /// How many revocations, ever, that are.
        upto: u64,
        /// The images among them that the member has said it holds, and holds no more.
        dropped: Vec<SourceHash>,
    },
    /// An actor on the member wants to be the Source Authority.
    RegisterAuthority(AuthorityClaim),
    /// An actor on the member that may be the Source Authority is gone.
    AuthorityExited {
        /// Which.
        address: Address,
    },
    /// The member fetches an image, and those that it was told of do not give it all.
    Seek {
        /// Which.
        hash: SourceHash,
    },
}

/// From a leader to a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToMember {
    /// The sender leads: the first word on every link to a node, and to every linked node when a term begins. A member
    /// registers with the sender unless it has heard of a higher term.
    Leading {
        /// Counted up by every turn of a leader.
        term: u64,
        /// A member registers at a moment that it draws from this time, so that all hear of the leader before what they
        /// answer keeps it busy; at once when it is told to register again.
        register_within_ms: Millis,
    },
    /// Where all leaders are, after a change.
    Leaders {
        /// All of them.
        leaders: Vec<LeaderAt>,
    },
    /// The registration is durable.
    Registered {
        /// Counted up by every turn of a leader; a lower one is out of date.
        term: u64,
        /// How long the leader believes in the member after its last word.
        lease_ms: u64,
        /// How often the member is to renew.
        renew_every_ms: u64,
        /// Images that this convention has approved, so that a member drops what is gone.
        images: Vec<SourceHash>,
        /// The last nodes that are gone, in the order of their records: the member may have missed it.
        gone: Vec<NodeRef>,
        /// How many starts of nodes are gone, ever. One that knows of fewer, and is not told the others here, asks with
        /// [`ToLeader::GoneSince`].
        gone_upto: u64,
        /// Where all leaders are; none when the leader has not heard that itself.
        leaders: Vec<LeaderAt>,
        /// The revoked ones among the images that the member has said it holds, and how many were revoked, ever. One
        /// that was told of fewer asks with [`ToLeader::RevokedSince`]. The last field, as [`NodeFacts::draining`] is.
        #[serde(default, skip_serializing_if = "Revoked::is_none")]
        revoked: Revoked,
    },
    /// The registration cannot be accepted.
    RegistrationRefused {
        /// A code as listed in docs/errors.
        code: u16,
        /// For people to read.
        reason: String,
    },
    /// The leader does not know the member, or has another version of its capabilities: register again.
    RegisterAgain,
    /// Host this actor.
    Place {
        /// The creation; the same one is hosted once.
        request: RequestId,
        /// What.
        spec: Box<CreateSpec>,
        /// Its image, when it comes from one.
        image: Option<Box<ImageInfo>>,
        /// Nodes that hold or fetch the image, the leader last.
        sources: Vec<NodeRef>,
    },
    /// How a creation ended.
    Created {
        /// Which.
        request: RequestId,
        /// How.
        outcome: Box<CreateOutcome>,
    },
    /// The answer to `Explain`.
    Explained {
        /// Which.
        request: RequestId,
        /// The answer.
        explanation: Box<Explanation>,
    },
    /// Fetch an image, since an actor may be created from it here soon.
    Prefetch {
        /// Which.
        image: Box<ImageInfo>,
        /// Nodes that hold it, best first.
        sources: Vec<NodeRef>,
    },
    /// An image is unloaded: no new actors from it.
    ImageUnloaded {
        /// Which.
        hash: SourceHash,
    },
    /// An operator changes this member's capabilities.
    SetCapabilities {
        /// To match the answer, which is the change coming back as `CapabilitiesChanged`.
        delta: Delta,
    },
    /// The answer to `Locate`.
    Located {
        /// Which.
        node: NodeId,
        /// The node's current start and where it can be dialled, nowhere if it only dials; none when no such node lives.
        at: Option<(NodeRef, String)>,
    },
    /// Nodes are gone: dead, left or superseded. Told once to every member.
    MembersGone {
        /// Which.
        nodes: Vec<NodeRef>,
        /// For people to read.
        reason: String,
        /// How many that are gone, ever, the member knows of with this.
        upto: u64,
    },
    /// The answer to [`ToLeader::GoneSince`], as often as it takes.
    GoneBefore {
        /// Which, in the order of their records.
        nodes: Vec<NodeRef>,
        /// How many that are gone, ever, the member knows of with this.
        upto: u64,
        /// Whether these are all.
        last: bool,
    },
    /// The leader misses a renewal: the member says [`ToLeader::Pong`].
    Ping,
    /// Another node wants a link to this one and cannot dial it, since it only dials: dial that node.
    Reach {
        /// Which.
        node: NodeRef,
        /// Where it can be dialled.
        listen: String,
    },
    /// A part of what the member watches.
    Watched(Box<Watched>),
    /// Images are revoked: the member says [`ToLeader::RevocationsDone`].
    ImagesRevoked {
        /// Which.
        revoked: Revoked,
        /// A member confirms at a moment that it draws from the second half of this time, so that all hear of it before
        /// what they answer keeps the leader busy.
        confirm_within_ms: Millis,
    },
    /// The answer to [`ToLeader::RegisterAuthority`].
    AuthorityAnswered {
        /// Which actor asked.
        address: Address,
        /// Why it is not the Source Authority; none where it is.
        refusal: Option<String>,
    },
    /// The answer to [`ToLeader::Seek`].
    Sources {
        /// Of which image.
        hash: SourceHash,
        /// Nodes that hold or fetch it, the leader last.
        sources: Vec<NodeRef>,
    },
}

/// Images that are revoked. Revocations are counted, as the ledger has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// All that were revoked after so many,
    pub since: u64,
    /// up to so many are these.
    pub upto: u64,
    /// Which, in the order of their records.
    pub images: Vec<RevokedImage>,
}

impl Revoked {
    /// Whether nothing was ever revoked.
    pub fn is_none(&self) -> bool {
        self.upto == 0
    }
}

/// An image that is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedImage {
    /// Which.
    pub hash: SourceHash,
    /// Whether its actors are asked to exit.
    pub end: bool,
}

/// How a placement on one member ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaceOutcome {
    /// It lives there.
    Placed {
        /// Its address.
        address: Address,
    },
    /// That node cannot host it; another may.
    Refused {
        /// For people to read; the same text for the same cause.
        reason: String,
    },
}

/// Why a message cannot be sent or understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CodecError {
    #[error("message of {bytes} bytes is longer than {} bytes", limits::MESSAGE_BYTES_MAX)]
    TooLong { bytes: usize },
    #[error("message of {bytes} bytes is not one of protocol version {PROTOCOL_VERSION}: {reason}")]
    Malformed { bytes: usize, reason: String },
    #[error("message ends {trailing} bytes before its frame of {bytes} bytes does")]
    Trailing { bytes: usize, trailing: usize },
}

/// The wire form of a [`ToLeader`] or [`ToMember`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = rmp_serde::to_vec(message).map_err(|e| CodecError::Malformed { bytes: 0, reason: e.to_string() })?;
    if bytes.len() > limits::MESSAGE_BYTES_MAX {
        return Err(CodecError::TooLong { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Reads what [`encode`] wrote, and nothing longer.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > limits::MESSAGE_BYTES_MAX {
        return Err(CodecError::TooLong { bytes: bytes.len() });
    }
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(limits::MESSAGE_DEPTH_MAX);
    let message = T::deserialize(&mut deserializer)
        .map_err(|e| CodecError::Malformed { bytes: bytes.len(), reason: e.to_string() })?;
    if rest.is_empty() { Ok(message) } else { Err(CodecError::Trailing { bytes: bytes.len(), trailing: rest.len() }) }
}
