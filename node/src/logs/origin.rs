//! Whose lines these are.

use odeon::Incarnation;

/// A node as its log lines name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The node's name.
    pub name: String,
    /// Its start.
    pub incarnation: Incarnation,
}
