//! The seam between a local system of actors and what lies outside it: other nodes, images, the log.

use crate::definition::Definition;
use crate::host::{CreateRequest, Level};
use crate::message::AnyMessage;
use crate::{Address, CapabilityMap, Requirements, Topic, Value};
use std::sync::Arc;

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// To whom.
    pub to: Address,
    /// From whom.
    pub sender: Address,
    /// What.
    pub message: AnyMessage,
}

/// Where a child that an actor asked for is to be created.
pub enum Resolution {
    /// Here, now.
    Here(Definition),
    /// The actor is there already: the one that has the global name that was asked for. It becomes no child.
    Exists(Address),
    /// Not here: the system promises an address and hands the request to [`Outside::create`].
    Elsewhere,
    /// Nowhere, for this reason.
    Refused(String),
}

/// What a system does when its limits for messages to the outside are near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Go on.
    None,
    /// Accepted, but the sender is to be put aside after its current message until
    /// [`super::System::resume`] is called with this number, or for a second.
    PutAside(u64),
    /// The same for as long as the actor has too much that the message went to. It may wait in turn, so the outside is
    /// asked whether the sender waits for itself: [`Outside::waits`].
    Held(u64),
    /// Delivered to this actor here, which has more than it should.
    Over(Address),
}

/// An actor that is gone.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The actor.
    pub actor: Address,
    /// Its parent, when it has one.
    pub parent: Option<Address>,
    /// Its global name, when it has one.
    pub global_name: Option<String>,
    /// Why, for people to read.
    pub reason: String,
}

/// What a system of actors cannot do by itself. Called from worker threads: no call may block for long.
pub trait Outside: Send + Sync + 'static {
    /// Where a child is to be created. `image` is the image of the parent.
    fn resolve(&self, parent: Option<Address>, image: Option<&str>, request: &CreateRequest) -> Resolution;
    /// The same for a type that is linked into this program, whether or not it is registered here.
    fn resolve_linked(
        &self,
        parent: Option<Address>,
        image: Option<&str>,
        request: &CreateRequest,
        linked: fn() -> Definition,
    ) -> Resolution {
        let _ = linked;
        self.resolve(parent, image, request)
    }
    /// Creates a child elsewhere, under an address that this system promised. Its failure is told by
    /// [`super::System::child_exited`].
    fn create(&self, child: Address, parent: Option<Address>, image: Option<&str>, request: CreateRequest);
    /// Sends to an actor that is not in this system.
    fn send(&self, envelope: Envelope) -> Pressure;
    /// An actor here waits for what has this ticket, perhaps by way of others. Where that waits for the actor, the outside
    /// calls [`super::System::let_go`].
    fn waits(&self, by: Address, ticket: u64) {
        let _ = (by, ticket);
    }
    /// An actor of which [`super::System::tell_when_drained`] was asked has drained or is gone.
    fn drained(&self, actor: Address) {
        let _ = actor;
    }
    /// What could not be delivered to an actor of this system.
    fn dead_letter(&self, envelope: Envelope);
    /// An actor of this system is gone. A parent inside this system has been told already.
    fn exited(&self, exit: Exit);
    /// The node's capabilities as of now.
    fn capabilities(&self) -> Arc<CapabilityMap>;
    /// An actor of this system changes a capability of the node.
    fn update_capability(&self, by: Address, key: String, value: Option<Value>);
    /// Whether a change of capabilities is there once it was asked for, so that actors are to be looked at again at once.
    fn changes_at_once(&self) -> bool {
        false
    }
    /// Whether an actor that lives here may do so with the capabilities as they are now.
    fn accepts(&self, actor: &str, image: Option<&str>, requirements: &Requirements) -> bool {
        let _ = (actor, image, requirements);
        true
    }
    /// An actor was created here while the capabilities changed: whether it may live here was decided before.
    fn overtaken(&self) {}
    /// Where there is no node around the system, which then says itself how it is: a name, and how many dead letters
    /// there were.
    fn alone(&self) -> Option<(String, u64)> {
        None
    }
    /// Whether an actor may shut the system down.
    fn may_shut_down(&self, by: Address) -> bool {
        let _ = by;
        false
    }
    /// An actor of this system asks to be told of a topic, or not any more. Its exit ends that as well.
    fn watch(&self, by: Address, topic: Topic, on: bool);
    /// An actor of this system asks to be the one that decides which images may be used.
    fn register_source_authority(&self, by: Address);
    /// An actor of this system logs a line. `image` is its image.
    fn log(&self, by: Address, actor: &str, image: Option<&str>, level: Level, message: &str);
}
