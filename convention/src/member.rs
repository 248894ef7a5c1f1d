//! A member: keeps itself registered, hosts what it is asked to host, asks for what it cannot host.
//!
//! Pure: an input and the time go in, effects come out.
//! Start with [`Member`], whose `handle` names the file of every input.

mod asking;
mod authority;
mod gone;
mod hosting;
mod link;
mod machine;
mod revoking;
mod state;
mod watching;

pub use machine::{Member, MemberConfig};

use crate::types::{
    AuthorityClaim, CheckOutcome, CreateOutcome, CreateSpec, Explanation, ImageInfo, Load, RequestId, SourceHash,
};
use crate::watching::News;
use crate::wire::{LeaderAt, ToLeader, ToMember};
use odeon::{Address, NodeId, NodeRef, Topic};
use odeon_capabilities::Delta;
use serde::{Deserialize, Serialize};

/// What can happen to a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The link to the leader is up, and it is known to lead. What [`ToMember::Leading`] says as well.
    Connected {
        /// The leader.
        leader: NodeRef,
    },
    /// The link to a leader is down. Nothing that lives here is affected.
    Disconnected {
        /// Which.
        leader: NodeRef,
    },
    /// The leader says something.
    Received {
        /// Who.
        from: NodeRef,
        /// What.
        message: ToMember,
    },
    /// An actor here, or a person at this node, asks for an actor.
    Create {
        /// To match the answer.
        ticket: u64,
        /// What is asked for.
        spec: Box<CreateSpec>,
    },
    /// A person asks what a creation would do.
    Explain {
        /// To match the answer.
        ticket: u64,
        /// What would be asked for.
        spec: Box<CreateSpec>,
    },
    /// An actor's check was run for [`Effect::Check`].
    Checked {
        /// Which.
        ticket: u64,
        /// How it ended.
        outcome: CheckOutcome,
    },
    /// An image that was asked for by [`Effect::Fetch`] is in the store, verified, or cannot be had.
    Fetched {
        /// Which.
        hash: SourceHash,
        /// Why not.
        failure: Option<String>,
    },
    /// What fetches an image wants to know of other nodes to fetch it from.
    Seek {
        /// Which.
        hash: SourceHash,
    },
    /// An image that was in the store is not there any more, or not whole.
    ImageLost {
        /// Which.
        hash: SourceHash,
    },
    /// What [`Effect::ImageRevoked`] asks for is done.
    ImageRevoked {
        /// Which.
        hash: SourceHash,
        /// As it was asked for.
        end: bool,
    },
    /// The launch asked for by [`Effect::Launch`] ended.
    Launched {
        /// Which.
        request: RequestId,
        /// The actor's address, or why there is none.
        result: Result<Address, String>,
    },
    /// This node's capabilities are to change, by the will of an operator or of an actor here.
    ChangeCapabilities {
        /// How.
        delta: Delta,
    },
    /// An actor here is gone.
    Exited {
        /// Which.
        address: Address,
        /// Its global name.
        global_name: Option<String>,
    },
    /// An actor here asks to be told of a topic, or not any more. Its exit ends that as well.
    Watch {
        /// Who.
        by: Address,
        /// Of what.
        topic: Topic,
        /// Whether it is to be told.
        on: bool,
    },
    /// An actor here asks to be the Source Authority.
    ClaimAuthority(AuthorityClaim),
    /// How much this node has to do.
    LoadChanged {
        /// The new load.
        load: Load,
    },
    /// The driver wants to reach a node.
    Locate {
        /// Which.
        node: NodeId,
    },
    /// This node is to become empty, or takes actors again.
    Drain {
        /// Whether it is to become empty.
        draining: bool,
    },
    /// This node goes, in good order.
    Leave,
    /// The time that was asked for has come.
    Timer,
}

/// What a member wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Tell the leader something.
    Send {
        /// The leader.
        to: NodeRef,
        /// What.
        message: ToLeader,
    },
    /// Where all leaders are: to be linked to, and to be kept for the next start.
    LeadersKnown(Vec<LeaderAt>),
    /// Run an actor's check against this node's capabilities; answered by [`Input::Checked`].
    Check {
        /// To match the answer.
        ticket: u64,
        /// What is to be created.
        spec: Box<CreateSpec>,
    },
    /// Bring an image into the store from one of these nodes; answered by [`Input::Fetched`].
    Fetch {
        /// What.
        image: Box<ImageInfo>,
        /// From where, the leader last.
        sources: Vec<NodeRef>,
    },
    /// From where else an image can be had that is being fetched.
    Sources {
        /// Which.
        hash: SourceHash,
        /// The leader last.
        sources: Vec<NodeRef>,
    },
    /// Create the actor; answered by [`Input::Launched`].
    Launch {
        /// Which.
        request: RequestId,
        /// What.
        spec: Box<CreateSpec>,
    },
    /// How an [`Input::Create`] ended.
    Created {
        /// Which.
        ticket: u64,
        /// What was asked for.
        spec: Box<CreateSpec>,
        /// How.
        outcome: Box<CreateOutcome>,
    },
    /// The answer to an [`Input::Explain`].
    Explained {
        /// Which.
        ticket: u64,
        /// The answer.
        explanation: Box<Explanation>,
    },
    /// The node's capabilities are different now.
    CapabilitiesChanged(odeon_capabilities::CapabilityMap),
    /// Actors here may create no children here any more, or may again. Those that live here are the driver's to end.
    Draining {
        /// Whether this node is to become empty.
        draining: bool,
    },
    /// A node is gone: tell the parents of what lived there, and give up what waits for it.
    MemberGone {
        /// Which.
        node: NodeRef,
        /// For people to read.
        reason: String,
    },
    /// No new actors from this image; its bytes may go once none runs.
    ImageUnloaded {
        /// Which.
        hash: SourceHash,
    },
    /// Nothing is created from this image any more, by whomever, and its bytes and its code go and do not come back:
    /// answered by [`Input::ImageRevoked`] once that is so. What is created until then is there by then.
    ImageRevoked {
        /// Which.
        hash: SourceHash,
        /// Whether its actors are to be asked to exit as well.
        end: bool,
    },
    /// Tell actors here something that they watch.
    News {
        /// Whom.
        to: Vec<Address>,
        /// What, in this order.
        news: Vec<News>,
    },
    /// An actor here cannot be told: too many are.
    WatchRefused {
        /// Who.
        by: Address,
        /// For people to read.
        reason: String,
    },
    /// Whether an actor here that asked to be the Source Authority is it.
    AuthorityAnswered {
        /// Who.
        by: Address,
        /// Why it is not, for people to read; none where it is.
        refusal: Option<String>,
    },
    /// Where a node can be dialled; none when no such node lives.
    Located {
        /// Which.
        node: NodeId,
        /// Its current start and its address, which is empty if it only dials.
        at: Option<(NodeRef, String)>,
    },
    /// Dial a node that wants a link to this one.
    Reach {
        /// Which.
        node: NodeRef,
        /// Where it can be dialled.
        listen: String,
    },
    /// The leader has this node in its list.
    Joined {
        /// The leader.
        leader: NodeRef,
        /// Its term.
        term: u64,
    },
    /// The leader will never take this node as it is.
    Rejected {
        /// A code as listed in docs/errors.
        code: u16,
        /// For people to read.
        reason: String,
    },
    /// Leaving is done: the process may end.
    Left,
}
