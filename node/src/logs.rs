//! Log lines: how they are taken, kept until the leader has them, and stored and queried there.
//!
//! The way of a warning: `Capture` or [`ActorLog`] takes it, [`Outbox`] numbers and spools it, a
//! driver ships [`Batch`]es and brings back acknowledgements, [`Store`] at the leader writes it once. Nothing here
//! opens a connection.
//!
//! A warning about the shipping of logs must not become a line to ship. Code that ships logs gives its events the
//! target [`LOCAL_TARGET`], or one below this module's own name: those are shown at the node and nowhere else.

mod actor;
mod batch;
mod capture;
mod config;
mod file;
mod format;
mod levels;
mod line;
mod origin;
mod outbox;
mod query;
mod setup;
mod shows;
mod store;
pub mod time;

pub use actor::ActorLog;
pub use batch::{Batch, BatchError};
pub use config::{LogConfig, LogConfigError};
pub use levels::{ActorLevels, CHOSEN_MAX};
pub use origin::Origin;
pub use outbox::{Outbox, OutboxLimits};
pub use query::Query;
pub use setup::{FILTER_VARIABLE, LogSetup, SetupError, init};
pub use store::{Follower, Store, StoreError, StoreLimits};

/// Events with this target are shown by the node itself and never shipped.
pub const LOCAL_TARGET: &str = "odeon::local";
/// Events with this target carry an actor's line; [`ActorLog`] ships them itself.
pub(crate) const ACTOR_TARGET: &str = "odeon::actor";
/// The same of an actor whose level was chosen: no filter is asked.
pub(crate) const CHOSEN_TARGET: &str = "odeon::chosen_actor";

/// The limits of a line and of what is shipped at once.
pub mod limits {
    /// Bytes of a line's text at most; the rest is cut with a mark.
    pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;
    /// Bytes of the name of a node, an image, a target or a field at most.
    pub const NAME_BYTES_MAX: usize = 256;
    /// Further fields of a line at most.
    pub const FIELDS_MAX: usize = 32;
    /// Bytes of one field that is text at most.
    pub const FIELD_BYTES_MAX: usize = 1024;
    /// Bytes of the reason of a gap at most.
    pub const REASON_BYTES_MAX: usize = 200;
    /// Bytes of one line in any of its encodings at most: what the limits above come to, escaped.
    pub const LINE_BYTES_MAX: usize = 512 * 1024;
    /// Bytes of one encoded batch at most.
    pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
    /// Lines and gaps of one batch at most.
    pub const BATCH_ITEMS_MAX: usize = 16_384;
    /// Lines that a node takes into its outbox per second at most.
    pub const NODE_LINES_PER_SECOND_MAX: u32 = 1_000;
    /// Lines that a node takes from one actor or module per second at most, so that one cannot crowd out the rest.
    pub const SOURCE_LINES_PER_SECOND_MAX: u32 = 500;
    /// Sources that are counted apart per second at most.
    pub const SOURCES_MAX: usize = 1_024;
}
