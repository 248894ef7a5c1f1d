//! How an operator's command reaches a node: the node's own socket, its frames, and the client of both.
//!
//! It carries requests and replies; what they do is the business of a [`Backend`].

pub mod client;
mod dial;
pub mod frame;
mod patience;
pub mod protocol;
pub mod replies;
pub mod serve;
mod serving;
pub mod socket;

pub use client::{Answers, Route};
pub use frame::{FrameError, read_frame, write_frame};
pub use replies::{ClientGone, Replies};
pub use serve::{Backend, BoxFuture, Caller, serve_stream};
pub(crate) use serving::Serving;
pub use socket::{AdminSocket, BindError, SOCKET_NAME};

/// What the admin interface takes at most.
pub mod limits {
    pub use super::protocol::FRAME_BYTES_MAX;

    /// Lists and maps inside each other in one frame: those of a value, and the shapes around it.
    pub const FRAME_DEPTH_MAX: usize = 192;
    /// Replies that wait for a client that reads slowly; then the node's side of the command waits.
    pub const REPLIES_QUEUED_MAX: usize = 64;
    /// Commands that one socket serves at the same time.
    pub const COMMANDS_MAX: usize = 64;
    /// How long a client may take until more of its request comes.
    pub const REQUEST_WAIT_MS_MAX: u64 = 30_000;
    /// How long commands may go on once the socket is to close.
    pub const DRAIN_WAIT_MS_MAX: u64 = 2_000;
    /// How long a client waits for the next frame of an answer that does not follow anything.
    pub const ANSWER_WAIT_MS_MAX: u64 = 120_000;
    /// How long a client whose answer ended early waits for the reason.
    pub const LINK_REASON_WAIT_MS_MAX: u64 = 1_000;
    /// How long a client waits until its link is closed in good order.
    pub const LINK_CLOSE_WAIT_MS_MAX: u64 = 50;
}
