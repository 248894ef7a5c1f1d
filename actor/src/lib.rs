//! Odeon's SDK: everything that the author of an actor imports.
//!
//! An actor handles one message at a time, keeps its own state, and reaches others only by sending to their
//! [`Address`]. The same source runs in this process on the bases `simple`, `threads` and `simulated`, on a node that
//! links it in, and inside a wasm image. Start with [`actor`] (the attribute), then [`Context`].
//!
//! This crate opens no socket and starts no asynchronous runtime.

// The macros name this crate `::odeon`, also inside it.
#[allow(unused_extern_crates)]
extern crate self as odeon;

mod actor;
mod address;
mod base32;
pub mod bytes;
mod carried;
mod caught;
#[cfg(all(feature = "system", target_os = "linux"))]
pub mod command;
mod context;
mod definition;
#[doc(hidden)]
pub mod dispatch;
mod encoding;
mod export;
mod failure;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod host;
mod initialising;
mod kept;
mod message;
mod node_status;
mod notification;
#[cfg(not(target_family = "wasm"))]
pub mod pipe;
#[cfg(all(unix, not(target_family = "wasm")))]
pub mod process;
#[cfg(all(feature = "system", unix, not(target_family = "wasm")))]
mod ready;
#[cfg(all(feature = "system", not(target_family = "wasm")))]
pub mod simulate;
mod source_authority;
mod source_loading;
mod supervision;
mod suspended;
#[cfg(all(feature = "system", not(target_family = "wasm")))]
pub mod system;
mod system_message;
mod transient;
mod troupe;
mod type_name;

pub use actor::{Actor, ActorType, CapabilityView};
pub use address::{ADDRESS_BYTES, Address, Incarnation, NodeId, NodeRef, ParseAddressError};
pub use context::{Context, Create};
pub use definition::{Definition, Registry};
pub use failure::Failure;
pub use host::Level;
pub use initialising::{Initialise, Initialising};
pub use message::{AnyMessage, EncodeError, Encoded, Message, UNTYPED};
pub use node_status::{NODE_STATUS_IMAGES_MAX, NodeStatus, NodeStatusReport, NodeStatusRequest, ReportedRates};
pub use notification::{ImageAvailable, ImageUnavailable, MemberChanged, MemberJoined, MemberLost, Topic};
pub use odeon_capabilities::{CapabilityMap, Requirements, Value};
#[cfg(not(target_family = "wasm"))]
pub use pipe::{PIPE_MESSAGES_MAX, Pipe, PipeError, Piped};
#[cfg(all(feature = "system", unix, not(target_family = "wasm")))]
pub use ready::{Readiness, WATCHES_MAX, Watch};
pub use source_authority::{
    REJECTION_BYTES_MAX, ReadSource, SOURCE_PIECE_BYTES_MAX, SourceBytes, SourceVerdict, ValidateSource,
    ValidatedSource,
};
pub use source_loading::{LoadOutcome, LoadSource, SourceLoaded, SourceUnloaded, UnloadSource};
pub use supervision::{Consequence, Restarts, SUPERVISED_CHILDREN_MAX, Supervised, Supervisor};
pub use suspended::{Ending, Suspended};
pub use system_message::{
    ActorExitRequest, ActorStatusReport, ActorStatusRequest, ChildActorExited, DeadLetter, PoisonMessage,
    ReportedStatus, Wakeup, WakeupMessage,
};
pub use transient::{Lifetime, Transient, TransientActor};
pub use troupe::{
    TROUPE_ATTEMPTS_MAX, TROUPE_PAUSE, TROUPE_PROBE_INTERVAL, TROUPE_WAITING_MESSAGES_MAX, TROUPE_WORKERS_MAX, Troupe,
    TroupeMember, TroupeStatus, TroupeStatusRequest, TroupeWorker, UpdateTroupeSettings,
};

/// Gives a type a name by which it can be sent.
///
/// The name is the type's own, without its module; `#[message(name = "shop.Order")]` chooses another. The type must
/// be `Serialize` and `Deserialize`, and cannot be generic: one name stands for one type.
///
/// ```
/// use odeon::Message;
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Order {
///     item: String,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// #[message(name = "shop.Receipt")]
/// struct Receipt(u32);
///
/// assert_eq!(Order::NAME, "Order");
/// assert_eq!(Receipt::NAME, "shop.Receipt");
/// ```
#[doc(inline)]
pub use odeon_macros::Message;
/// Makes a type an actor: its messages go to its handlers by their type.
///
/// On an `impl` block of a type. The methods in it that carry one of these marks are called by the actor system:
///
/// | mark | signature | called |
/// | --- | --- | --- |
/// | `#[handler]` | `fn(&mut self, message: &M, cx: &mut Context)` | for a message of type `M` |
/// | `#[fallback]` | `fn(&mut self, message: &AnyMessage, cx: &mut Context)` | for a message that no handler takes |
/// | `#[constructor]` | `fn() -> Self` or `fn() -> Result<Self, E>` | to build one; else `Default` does |
/// | `#[capability_check]` | `fn(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool` | to ask whether a node may host one |
///
/// A handler or fallback returns nothing, or `Result<(), E>` with any error type: an error, like a panic, rebuilds
/// the actor and gives it the message once more. Handlers are tried in the order of the source. A message that none
/// takes is ignored when there is no fallback.
///
/// An untyped value, as a shell sends it, goes to the first handler whose message type it decodes as. A map of one
/// key that is the name of a handler's message chooses that handler: `{"Greet": {"name": "Ada"}}`.
///
/// Below this attribute, `#[require_capability("Has DB access")]` names a capability that must be true wherever the
/// actor is to live. It can be given more than once, and joins with the `#[capability_check]`.
///
/// The name of the actor is the type's own, without its module; `#[actor(name = "...")]` chooses another.
///
/// ```
/// use odeon::{Actor, ActorType, AnyMessage, CapabilityView, Context, Message, Requirements, actor};
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Greet {
///     name: String,
/// }
///
/// #[derive(Default)]
/// struct Greeter {
///     greeted: u64,
/// }
///
/// #[actor]
/// #[require_capability("Speaks English")]
/// impl Greeter {
///     #[handler]
///     fn greet(&mut self, message: &Greet, cx: &mut Context) {
///         self.greeted += 1;
///         cx.reply(format!("Hello, {}", message.name));
///     }
///
///     #[fallback]
///     fn other(&mut self, message: &AnyMessage, cx: &mut Context) {
///         cx.warn(format!("a {} is nothing to greet", message.name()));
///     }
///
///     #[capability_check]
///     fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
///         !capabilities.is_true("draining")
///     }
/// }
///
/// assert_eq!(Greeter::NAME, "Greeter");
/// assert_eq!(Greeter::REQUIRED, ["Speaks English"]);
/// ```
#[doc(inline)]
pub use odeon_macros::actor;
pub use odeon_macros::require_capability;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So does that in the page about watching.
#[cfg(doctest)]
#[doc = include_str!("../../docs/notifications.md")]
struct Notifications;

/// And that in the page about simulations.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulated.md")]
struct Simulations;

/// And in the one about what stands around actors.
#[cfg(doctest)]
#[doc = include_str!("../../docs/helpers.md")]
struct Helpers;
