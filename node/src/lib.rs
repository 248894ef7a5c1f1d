//! The node: links, identity, ledger, image store, runtimes, the admin socket and the `odeon` command.
//!
//! Drivers only: what a leader or a member does about an input is decided in `odeon-convention`.

pub mod admin;
pub mod durable;
pub mod ledger;
pub mod logs;
