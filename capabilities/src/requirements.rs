//! What the creator of an actor asks of the node that will host it.

use crate::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Requirements: names that must be true, keys that must be equal, an expression that must hold, and preferences.
///
/// The empty requirements accept every node. Plain data: a parsed form of the expressions lives in the matcher.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requirements {
    /// Capabilities that must be there and be true.
    pub require: Vec<String>,
    /// Capabilities that must have exactly this value.
    pub equal: BTreeMap<String, Value>,
    /// A CEL expression over the capabilities that must be true.
    #[serde(rename = "where")]
    pub expression: Option<String>,
    /// Expressions that make a node better without ruling the others out.
    pub prefer: Vec<Preference>,
}

/// A CEL expression and what it is worth where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// A CEL expression over the capabilities.
    #[serde(rename = "where")]
    pub expression: String,
    /// Added to a node's score where the expression is true.
    pub weight: u32,
}

/// Why requirements cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RequirementsError {
    #[error("{found} requirements are more than {max}")]
    TooMany { found: usize, max: usize },
    #[error("{found} preferences are more than {max}")]
    TooManyPreferences { found: usize, max: usize },
    #[error("required capability key has {bytes} bytes, not 1 to {max}")]
    Key { bytes: usize, max: usize },
    #[error("requirements of {bytes} bytes are more than {max} bytes")]
    TooLarge { bytes: usize, max: usize },
    #[error("expression of {bytes} bytes is longer than {max} bytes")]
    ExpressionTooLong { bytes: usize, max: usize },
    #[error("expression {expression:?} does not parse: {reason}")]
    Parse { expression: String, reason: String },
}

impl Requirements {
    /// No requirement: every node will do.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a capability that must be true.
    pub fn require(mut self, name: impl Into<String>) -> Self {
        self.require.push(name.into());
        self
    }

    /// Adds a capability that must have this value.
    pub fn equal(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.equal.insert(name.into(), value.into());
        self
    }

    /// Sets the expression that must hold.
    pub fn expression(mut self, cel: impl Into<String>) -> Self {
        self.expression = Some(cel.into());
        self
    }

    /// Adds an expression that makes a node better by `weight`.
    pub fn prefer(mut self, cel: impl Into<String>, weight: u32) -> Self {
        self.prefer.push(Preference { expression: cel.into(), weight });
        self
    }

    /// Whether nothing at all is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
