//! The node: links, identity, ledger, image store, runtimes, the admin socket and the `odeon` command.
//!
//! Everything that touches a socket, a file or a clock is here; which node does what is decided in
//! `odeon-convention`. Start with [`cli`] for what a user sees, [`admin`] for how a command reaches its node, and
//! `daemon` for how a node is put together.

pub mod admin;
pub mod cli;
pub mod codes;
pub mod durable;
pub mod ledger;
pub mod logs;
pub mod store;
pub mod wasm;

pub use cli::main_with;
