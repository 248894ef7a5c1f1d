//! The node: links, identity, ledger, image store, runtimes, admin socket and the `odeon` command.

pub mod store;
