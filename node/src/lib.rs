//! The node: links, identity, ledger, image store, runtimes, the admin socket and the `odeon` command.
//!
//! Everything that touches a socket, a file or a clock is here; which node does what is decided in
//! `odeon-convention`. Start with [`cli`] for what a user sees, [`admin`] for how a command reaches its node, and
//! `daemon` for how a node is put together.

pub mod admin;
mod advertise;
mod backend;
mod causes;
pub mod cli;
pub mod codes;
mod daemon;
mod driver;
pub mod durable;
pub mod grants;
mod hosting;
pub mod identity;
mod large_pages;
mod leaders;
pub mod ledger;
mod lending;
pub mod link;
pub mod logs;
mod memory;
pub mod process;
mod purpose;
mod runtimes;
mod shipping;
pub mod store;
mod swarm;
mod test_actor;
mod transfer;
pub mod wasm;

pub use large_pages::LargePages;
use odeon::Registry;
use std::process::ExitCode;

/// Runs the `odeon` command of this process, with these actors linked in beside the node's own.
pub fn main_with(registry: Registry) -> ExitCode {
    // Where a node has started its own program to guard a process.
    process::inner().unwrap_or_else(|| cli::main_with(registry, daemon::run))
}
