//! The messages that an actor system itself sends. Every actor is free to ignore any of them.

use crate::message::Encoded;
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

system_messages!(ActorExitRequest, ChildActorExited, PoisonMessage, WakeupMessage);
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
}
