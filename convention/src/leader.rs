//! The leader: knows the members, places actors, keeps the facts.
//!
//! Pure: an input and the time go in, effects come out. It never asks a member whether it lives.
//! Start with [`Leader`], whose `handle` names the file of every input.

mod authority;
mod changes;
mod choosing;
mod creations;
mod departure;
mod expiry;
mod facts;
mod holders;
mod images;
mod machine;
mod memo;
mod natives;
mod outbox;
mod peers;
mod placing;
mod pools;
mod prefetching;
mod reads;
mod registration;
mod revisions;
mod revoking;
mod shortlist;
mod survey;
mod telling;
mod tokens;
mod watching;

pub use facts::{Facts, FactsError};
pub use machine::{Leader, LeaderConfig};
pub use reads::ImageLookupError;

use crate::record::{AuthoritySetting, Record, TokenFact};
use crate::types::{
    CheckOutcome, CreateOutcome, CreateSpec, Explanation, ImageApproval, ImageInfo, Millis, NativeActor, Role,
    SourceHash,
};
use crate::wire::{LeaderAt, RevokedImage, ToLeader, ToMember};
use odeon::{NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Delta, Requirements};
use serde::{Deserialize, Serialize};

/// What can happen to a leader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A member's link is up. `role` and `claims` come from its certificate and admission.
    Connected {
        /// Who.
        node: NodeRef,
        /// What it may do.
        role: Role,
    },
    /// A member's link is down. Says nothing about its life: the lease does.
    Disconnected {
        /// Who.
        node: NodeRef,
    },
    /// Who leads together with this leader, itself among them.
    Group {
        /// All of them.
        leaders: Vec<LeaderAt>,
    },
    /// A member says something.
    Received {
        /// Who.
        from: NodeRef,
        /// What.
        message: ToLeader,
    },
    /// An operator, already checked for the role, asks for something.
    Operation {
        /// To match the answer.
        ticket: u64,
        /// What.
        operation: Operation,
    },
    /// Every record up to this index is durable.
    Committed {
        /// The index of the last durable record.
        index: u64,
    },
    /// An actor's check was run for [`Effect::Check`].
    Checked {
        /// Which.
        ticket: u64,
        /// How it ended.
        outcome: CheckOutcome,
    },
    /// The answer to [`Effect::Echo`]: all that had arrived by then is handled.
    Heard {
        /// The time that the echo was asked for at.
        until: Millis,
    },
    /// The answer to [`Effect::Flush`]: every word before it has left.
    Flushed,
    /// What the wall clock says, so that an image is known to be approved no more; at the start and every second or so.
    Clock {
        /// In seconds since 1970.
        unix_s: u64,
    },
    /// The time that was asked for has come.
    Timer,
}

/// What a leader wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Tell a member something.
    Send {
        /// Whom.
        to: NodeRef,
        /// What.
        message: ToMember,
    },
    /// Make a record durable; [`Input::Committed`] says when it is. Indexes count up by one.
    Persist {
        /// Its place.
        index: u64,
        /// The fact.
        record: Record,
    },
    /// Run an actor's check against these capabilities; answered by [`Input::Checked`].
    Check {
        /// To match the answer.
        ticket: u64,
        /// The type's name.
        actor: String,
        /// Its image.
        image: Option<SourceHash>,
        /// What the creator asks.
        requirements: Requirements,
        /// What a node has.
        capabilities: CapabilityMap,
    },
    /// Answer an operator.
    Answer {
        /// Which.
        ticket: u64,
        /// With what.
        answer: Answer,
    },
    /// Forget the bytes of an image.
    DropImage {
        /// Which.
        hash: SourceHash,
    },
    /// Send a small image along with the creation that follows, if its bytes are at hand; they may as well be fetched.
    Carry {
        /// To whom.
        to: NodeRef,
        /// Which.
        hash: SourceHash,
    },
    /// The tokens that may be used from now on.
    TokensChanged,
    /// Say when everything is handled that has arrived by now, by [`Input::Heard`]: before it declares somebody dead, a
    /// leader that is behind hears out what waits. An echo may be lost.
    Echo {
        /// The time now.
        at: Millis,
    },
    /// Say when all words before this have left, by [`Input::Flushed`].
    Flush,
    /// Close the link of a start that another one supersedes.
    Close {
        /// Whose.
        node: NodeRef,
        /// For people to read.
        reason: String,
    },
    /// Something worth a line in the log: a change of state, with the old and the new one and the reason.
    Notice(Notice),
}

/// What an operator can ask of a leader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// A new token.
    CreateToken(TokenFact),
    /// A token was used by a node that is to be let in; the answer says whether it may.
    Admit {
        /// The token.
        token: [u8; 32],
        /// The node.
        node: NodeId,
        /// Wall clock, in seconds since 1970.
        now_unix_s: u64,
    },
    /// An operator's token was used for one connection; the answer says whether it may.
    UseToken {
        /// The token.
        token: [u8; 32],
        /// Wall clock, in seconds since 1970.
        now_unix_s: u64,
    },
    /// The authority judged an image whose bytes are in the store.
    JudgeImage {
        /// The image.
        image: ImageInfo,
        /// Whether it may be used.
        approved: bool,
        /// Which authority said so, and why.
        by: String,
        /// What approved it.
        #[serde(default)]
        approval: ImageApproval,
    },
    /// No new actors from this image.
    UnloadImage {
        /// Which.
        hash: SourceHash,
    },
    /// Nothing from this image any more, for ever. Asked again it is done; that its actors end can be added.
    RevokeImage {
        /// Which, known here or not.
        image: RevokedImage,
        /// Why, for people to read; may be empty.
        reason: String,
        /// Who asks for it, for people to read.
        by: String,
    },
    /// Which members have confirmed that an image is revoked.
    Confirmations {
        /// Which.
        hash: SourceHash,
    },
    /// Have the members that fit fetch an image, before anything is created from it.
    Prefetch {
        /// Which.
        hash: SourceHash,
        /// What such a member has to offer.
        requirements: Requirements,
    },
    /// Another authority decides from now on.
    SetAuthority(AuthoritySetting),
    /// Nobody is at the address of the actor that was to decide on an image.
    AuthorityMissing {
        /// Which.
        address: odeon::Address,
    },
    /// Change the capabilities of a member.
    SetCapabilities {
        /// Which.
        node: NodeId,
        /// How.
        delta: Delta,
    },
    /// Create an actor for an operator at this node.
    Create(Box<CreateSpec>),
    /// What a creation would do.
    Explain(Box<CreateSpec>),
}

/// What a leader answers an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done and durable.
    Done,
    /// A node may come in, with this role and these claims.
    Admitted {
        /// What it may do.
        role: Role,
        /// The capability keys that it may claim; none for any.
        claims: Option<Vec<String>>,
    },
    /// How a creation ended.
    Created(CreateOutcome),
    /// The answer to `Explain`.
    Explained(Explanation),
    /// The answer to `Confirmations`.
    Confirmations(Confirmations),
    /// The members that fit; those that lack the image have been told to fetch it.
    Prefetching {
        /// All of them.
        nodes: Vec<NodeRef>,
    },
    /// It cannot be done; nothing is changed.
    Refused {
        /// A code as listed in docs/errors.
        code: u16,
        /// For people to read.
        reason: String,
    },
}

/// How far the revocation of an image has come round among the live members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmations {
    /// How many have confirmed it.
    pub confirmed: u32,
    /// Those that have not.
    pub unconfirmed: Vec<NodeRef>,
}

/// A change of state, for the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Whether an operator should look.
    pub warn: bool,
    /// The node it is about.
    pub node: Option<NodeRef>,
    /// One sentence.
    pub text: String,
}

/// A member as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub node: NodeRef,
    /// Its state.
    pub state: MemberState,
    /// What it is.
    pub role: Role,
    /// Where it can be dialled.
    pub listen: String,
    /// What it has.
    pub capabilities: CapabilityMap,
    /// Actors that live there, as of its last word.
    pub actors: u32,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// What is linked into it.
    pub natives: Vec<NativeActor>,
    /// Whether it takes no actor any more.
    pub draining: bool,
}

/// Where a member's life stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// Its lease runs.
    Alive,
    /// Its link is down, its lease still runs.
    Suspect,
    /// Its lease ran out, or a later start superseded it.
    Dead,
    /// It said that it goes.
    Left,
}

/// An image as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    /// What it is.
    pub image: ImageInfo,
    /// Where its approval stands.
    pub state: ImageState,
    /// Which authority spoke, and why.
    pub by: String,
    /// How many live nodes hold it.
    pub nodes: u32,
    /// The hash of what was pushed, where the authority made the image out of that.
    pub pushed: Option<SourceHash>,
}

/// Where an image's approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ImageState {
    Approved,
    Rejected,
    /// Its approval has run out.
    Expired,
    Revoked,
}
