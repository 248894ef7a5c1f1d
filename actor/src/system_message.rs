//! The messages that an actor system itself sends. Every actor is free to ignore any of them.

use crate::message::Encoded;
use crate::node_status::{NodeStatusReport, NodeStatusRequest};
use crate::notification::{ImageAvailable, ImageUnavailable, MemberChanged, MemberJoined, MemberLost};
use crate::source_authority::{ReadSource, SourceBytes, ValidateSource, ValidatedSource};
use crate::source_loading::{LoadSource, SourceLoaded, SourceUnloaded, UnloadSource};
use crate::{Address, AnyMessage, Message};
use serde::{Deserialize, Serialize};

macro_rules! system_messages {
    ($($t:ident),* $(,)?) => {$(
        impl Message for $t {
            const NAME: &'static str = concat!("odeon.", stringify!($t));
        }
    )*};
}

system_messages!(ActorExitRequest, ChildActorExited, PoisonMessage, WakeupMessage, DeadLetter);
system_messages!(ActorStatusRequest, ActorStatusReport, NodeStatusRequest, NodeStatusReport);
system_messages!(MemberJoined, MemberLost, MemberChanged, ImageAvailable, ImageUnavailable);
system_messages!(ValidateSource, ReadSource, SourceBytes, ValidatedSource);
system_messages!(LoadSource, UnloadSource, SourceLoaded, SourceUnloaded);

/// Asks an actor to exit: it is handed this message, and destroyed once its handler returns, however it returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorExitRequest {
    /// Whether its children are asked to exit too.
    pub recursive: bool,
}

impl Default for ActorExitRequest {
    fn default() -> Self {
        Self { recursive: true }
    }
}

/// Tells a parent, exactly once, that a child is gone or could not be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildActorExited {
    /// The child.
    pub child: Address,
    /// Why, for people to read.
    pub reason: String,
}

/// Comes back to the sender of a message that an actor failed on twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonMessage {
    /// The actor that failed.
    pub actor: Address,
    /// The message.
    pub message: Encoded,
    /// What went wrong the second time.
    pub details: String,
}

impl PoisonMessage {
    /// About a message that an actor failed on. One that has no encoding is named all the same.
    pub(crate) fn new(actor: Address, message: &AnyMessage, mut details: String) -> Self {
        let message = message.encode().unwrap_or_else(|error| {
            details.push_str(&format!(" ({error})"));
            Encoded { name: message.name().to_owned(), bytes: Vec::new() }
        });
        Self { actor, message, details }
    }
}

/// Arrives when a wakeup is due; its sender is the actor itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WakeupMessage {
    /// The delay that was asked for, in milliseconds.
    pub delay_ms: u64,
    /// What was given along.
    pub payload: Option<Encoded>,
    /// Which wakeup this is: what was returned when it was asked for.
    pub wakeup: Wakeup,
}

/// A wakeup that was asked for. No other one of its system is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wakeup(pub(crate) u64);

impl Wakeup {
    /// None that ever comes.
    pub const NEVER: Self = Self(0);

    /// Its number, for runtimes that hand it on.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The wakeup of a number that a host has given.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// Comes to the actor that handles dead letters ([`crate::Context::handle_dead_letters`]), from its own address.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where it could not be delivered.
    pub to: Address,
    /// Who sent it.
    pub sender: Address,
    /// What it is.
    pub message: AnyMessage,
}

/// Asks how an actor is; the answer is an [`ActorStatusReport`]. The actor itself never sees it.
/// [`crate::Context::request_status`] sends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorStatusRequest;

/// How an actor is. Its sender is the actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorStatusReport {
    /// Which actor.
    pub of: Address,
    /// None when it is not there.
    pub status: Option<ReportedStatus>,
}

/// An actor as of when it was asked for. Without addresses: who knows one actor is not to learn of others that way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedStatus {
    /// The name of its type.
    pub actor: String,
    /// The source hash of its image.
    pub image: Option<String>,
    /// Its global name.
    pub global_name: Option<String>,
    /// What it does: starting, idle, queued, running, waiting, put aside, exiting.
    pub state: String,
    /// Messages that it was given since it was created.
    pub received: u64,
    /// Messages that wait for it.
    pub queued: u64,
    /// Its children, wherever they are.
    pub children: u64,
}
