//! Odeon's SDK: everything that the author of an actor imports.
//!
//! An actor handles one message at a time, keeps its own state, and reaches others only by sending to their
//! [`Address`]. The same source runs in this process on the bases `simple` and `threads`, on a node that links it
//! in, and inside a wasm image. Start with [`actor`] (the attribute), then [`Context`].
//!
//! This crate opens no socket and starts no asynchronous runtime.

// The macros name this crate `::odeon`, also inside it.
#[allow(unused_extern_crates)]
extern crate self as odeon;

mod actor;
mod address;
pub mod bytes;
mod context;
mod definition;
#[doc(hidden)]
pub mod dispatch;
mod export;
mod failure;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod host;
mod message;
#[cfg(all(feature = "system", not(target_family = "wasm")))]
pub mod system;
mod system_message;

pub use actor::{Actor, ActorType, CapabilityView};
pub use address::{ADDRESS_BYTES, Address, Incarnation, NodeId, NodeRef, ParseAddressError};
pub use context::{Context, Create};
pub use definition::{Definition, Registry};
pub use failure::Failure;
pub use host::Level;
pub use message::{AnyMessage, EncodeError, Encoded, Message, UNTYPED};
pub use odeon_capabilities::{CapabilityMap, Requirements, Value};
pub use odeon_macros::{Message, actor, require_capability};
pub use system_message::{ActorExitRequest, ChildActorExited, PoisonMessage, WakeupMessage};
