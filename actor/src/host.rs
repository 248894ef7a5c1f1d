//! The seam between an actor and whatever runs it: a base in this process, or the node outside a wasm instance.

use crate::definition::Definition;
use crate::message::AnyMessage;
use crate::{ActorStatusRequest, Address, Suspended, Topic, Wakeup};
use odeon_capabilities::{CapabilityMap, Requirements, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What a running actor can ask of its surroundings. No call blocks and none waits for another actor.
pub trait Host: Send + Sync {
    /// The actor's own address.
    fn address(&self) -> Address;
    /// Queues a message from the actor.
    fn send(&self, to: Address, message: AnyMessage);
    /// Starts the creation of a child and says at once under which address it will be.
    /// When it cannot be created the actor is told with `ChildActorExited`.
    fn create(&self, request: CreateRequest) -> Address;
    /// The same for a type that is linked into the creator's program, for a host that can use it.
    fn create_linked(&self, request: CreateRequest, linked: fn() -> Definition) -> Address {
        let _ = linked;
        self.create(request)
    }
    /// Sends the actor a `WakeupMessage` no sooner than `delay` from now.
    fn wakeup_after(&self, delay: Duration, payload: Option<AnyMessage>) -> Wakeup;
    /// Has a wakeup of the actor not come, if it has not come yet.
    fn cancel_wakeup(&self, wakeup: Wakeup);
    /// Keeps the message that is being handled, if that ends well, until [`Host::resume_deferred`].
    fn defer(&self);
    /// Has what was deferred come next, after the message that is being handled.
    fn resume_deferred(&self);
    /// Makes the actor exit once its current message is handled.
    fn exit(&self);
    /// The node's capabilities as of now.
    fn capabilities(&self) -> Arc<CapabilityMap>;
    /// Changes (or with `None` removes) a capability of the node that hosts the actor.
    fn update_capability(&self, key: String, value: Option<Value>);
    /// Begins or ends to tell the actor of a topic.
    fn watch(&self, topic: Topic, on: bool);
    /// Asks for the actor to be the one that decides which images may be used.
    fn register_source_authority(&self);
    /// Has the actor told how another one is, with an `ActorStatusReport`.
    fn request_status(&self, of: Address) {
        self.send(of, AnyMessage::new(ActorStatusRequest));
    }
    /// Makes the actor the one that is handed dead letters, or no more. Not for actors of images, which would be handed what
    /// was never for them.
    fn handle_dead_letters(&self, on: bool) {
        let _ = on;
        self.log(Level::Warn, "dead letters are not for actors of images");
    }
    /// Shuts the system down, where an actor may. Not for actors of images.
    fn shut_down(&self) {
        self.log(Level::Warn, "a shutdown is not for actors of images");
    }
    /// The way to the actor for other threads of its program, where there is one.
    #[cfg(not(target_family = "wasm"))]
    fn inlet(&self) -> Option<Arc<dyn crate::pipe::Inlet>> {
        None
    }
    /// Logs a line in the actor's name.
    fn log(&self, level: Level, message: &str);
    /// Lets the message that is being handled go on after `receive` has returned, for a runtime that hands it to somebody
    /// else. None where a host cannot: then `receive` has to wait for the end.
    fn suspend(&self) -> Option<Suspended> {
        None
    }
}

/// What runs an actor, as its context keeps it.
#[cfg(not(target_family = "wasm"))]
pub type Surroundings = Arc<dyn Host>;

/// What runs an actor, as its context keeps it: in an image the node around it and nothing else, so that what no actor of
/// the image asks for is not in the image.
#[cfg(target_family = "wasm")]
pub type Surroundings = crate::guest::Outside;

/// Which actor to create, and where it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRequest {
    /// The actor's name in its image or in the node's registry.
    pub actor: String,
    /// The image's source hash; `None` is the creator's own image.
    pub image: Option<String>,
    /// What the creator asks of the node.
    pub requirements: Requirements,
    /// A name that is unique in the convention; an actor that has it already is the answer.
    pub global_name: Option<String>,
}

impl CreateRequest {
    /// A request for an actor by name, with no requirement.
    pub fn named(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), image: None, requirements: Requirements::none(), global_name: None }
    }

    /// What the node has to offer.
    pub fn requirements(mut self, requirements: Requirements) -> Self {
        self.requirements = requirements;
        self
    }

    /// A name unique in the convention.
    pub fn global_name(mut self, name: impl Into<String>) -> Self {
        self.global_name = Some(name.into());
        self
    }
}

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}
