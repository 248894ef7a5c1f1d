//! The two traits behind `#[actor]`: what runs, and how it comes to be.

use crate::{AnyMessage, Context, Failure};
use odeon_capabilities::{Requirements, Value};

/// Something that handles one message at a time.
pub trait Actor: Send + 'static {
    /// Handles one message. A panic or an error rebuilds the actor and gives it the message once more; a second
    /// failure sends `PoisonMessage` to the sender and goes on with the next message.
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure>;
}

/// A type of actors: its name, how one is built, and which nodes may host it. `#[actor]` writes this.
pub trait ActorType: Actor + Sized {
    /// The name of the type in its image or registry.
    const NAME: &'static str;

    /// Capabilities that must be true wherever one is to live, from `#[require_capability]`.
    const REQUIRED: &'static [&'static str];

    /// Whether it has a check of its own; without one, `check` says yes to everything.
    const CHECKS: bool = true;

    /// Builds one. It runs again after a failure.
    fn create() -> Result<Self, Failure>;

    /// The actor's own check, from `#[capability_check]`; code that sees the node's capabilities through a view
    /// that remembers what it read.
    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool;
}

/// How a check reads a node's capabilities. Every read is remembered, so that the answer can be used again for
/// nodes that agree on what was read.
pub trait CapabilityView {
    /// The value of a key, or none.
    fn value(&self, key: &str) -> Option<Value>;

    /// Whether the key is there and not false.
    fn is_true(&self, key: &str) -> bool {
        self.value(key).is_some_and(|v| v.is_true())
    }
}
