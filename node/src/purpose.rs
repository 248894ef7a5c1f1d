//! What a stream between nodes is for: its first byte.

/// A request of the admin protocol and its replies.
pub(crate) const ADMIN: u8 = 1;
/// An image, from a node that holds it.
pub(crate) const IMAGE: u8 = 2;
/// A question of one leader about the log of facts, and its answer.
pub(crate) const LEDGER: u8 = 4;
/// Packets that a leader carries between nodes that only dial.
pub(crate) const RELAY: u8 = 5;
/// Batches of log lines for the leader.
pub(crate) const LOGS: u8 = 3;
