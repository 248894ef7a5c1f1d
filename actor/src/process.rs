//! Actors in a process of their own: what a node and the process that hosts an image's actors say to each other.
//!
//! Owns the frames and their limits, for both ends, and the end that an image written in Rust has: [`serve`]. The other
//! end is the node's. docs/process.md has the frames as tables, for libraries in other languages; `python/` is one.

mod frame;
pub mod limits;
mod serve;

pub use frame::{Described, FrameError, FromChild, ToChild, decode, encode, read, write};
pub use serve::{ServeError, serve};

/// The version of the protocol.
pub const VERSION: u16 = 2;
/// The environment variable that has the number of the socket's file descriptor.
pub const SOCKET_VARIABLE: &str = "ODEON_SOCKET";
