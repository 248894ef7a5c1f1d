//! The node: everything between the protocol core and the machine it runs on.

pub mod identity;
pub mod link;
