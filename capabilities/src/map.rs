//! The capability map of one node: values by key, bounded, and the changes between two of them.

use crate::{Value, ValueKind, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The capabilities of one node. Every value in it was checked against [`limits`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>", into = "BTreeMap<String, Value>")]
pub struct CapabilityMap(BTreeMap<String, Value>);

/// A change to a map: keys with their new value, or none where the key goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta(pub BTreeMap<String, Option<Value>>);

/// Why a key or value cannot be a capability. The map is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum MapError {
    #[error("capability key is empty")]
    KeyEmpty,
    #[error("capability key of {bytes} bytes is longer than {} bytes", limits::KEY_BYTES_MAX)]
    KeyTooLong { bytes: usize },
    #[error("capability {key:?} is {found}: a capability cannot be {found}")]
    Kind { key: String, found: ValueKind },
    #[error("capability {key:?} nests deeper than {} levels", limits::DEPTH_MAX)]
    TooDeep { key: String },
    #[error("{keys} capabilities are more than {}", limits::KEYS_MAX)]
    TooManyKeys { keys: usize },
    #[error("capabilities of {bytes} bytes are more than {} bytes", limits::MAP_BYTES_MAX)]
    TooLarge { bytes: usize },
}

impl CapabilityMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Sets one key, or leaves the map unchanged and says why not.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Result<(), MapError> {
        let mut delta = Delta::default();
        delta.0.insert(key.into(), Some(value.into()));
        self.apply(&delta).map(|_| ())
    }

    /// Applies a change whole or not at all. Says whether anything is different afterwards.
    pub fn apply(&mut self, delta: &Delta) -> Result<bool, MapError> {
        if delta.0.len() > 2 * limits::KEYS_MAX {
            return Err(MapError::TooManyKeys { keys: delta.0.len() });
        }
        let mut next = self.0.clone();
        for (key, value) in &delta.0 {
            match value {
                Some(value) => next.insert(key.clone(), value.clone()),
                None => next.remove(key),
            };
        }
        let next = CapabilityMap::try_from(next)?;
        let changed = next != *self;
        *self = next;
        Ok(changed)
    }

    /// The change that makes `self` into `next`.
    pub fn delta_to(&self, next: &CapabilityMap) -> Delta {
        let mut delta = Delta::default();
        for (key, value) in &next.0 {
            if self.0.get(key) != Some(value) {
                delta.0.insert(key.clone(), Some(value.clone()));
            }
        }
        for key in self.0.keys().filter(|k| !next.0.contains_key(*k)) {
            delta.0.insert(key.clone(), None);
        }
        delta
    }

    /// All keys with their values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, Value>> for CapabilityMap {
    type Error = MapError;

    fn try_from(map: BTreeMap<String, Value>) -> Result<Self, MapError> {
        if map.len() > limits::KEYS_MAX {
            return Err(MapError::TooManyKeys { keys: map.len() });
        }
        let mut bytes = 0;
        for (key, value) in &map {
            if key.is_empty() {
                return Err(MapError::KeyEmpty);
            }
            if key.len() > limits::KEY_BYTES_MAX {
                return Err(MapError::KeyTooLong { bytes: key.len() });
            }
            check(key, value, 0)?;
            bytes += key.len() + value.weight_bytes();
        }
        if bytes > limits::MAP_BYTES_MAX {
            return Err(MapError::TooLarge { bytes });
        }
        Ok(CapabilityMap(map))
    }
}

impl From<CapabilityMap> for BTreeMap<String, Value> {
    fn from(map: CapabilityMap) -> Self {
        map.0
    }
}

/// Checks the depth and the kinds of a value that has `depth` lists and maps around it.
fn check(key: &str, value: &Value, depth: usize) -> Result<(), MapError> {
    match value {
        Value::List(_) | Value::Map(_) if depth == limits::DEPTH_MAX => Err(MapError::TooDeep { key: key.to_owned() }),
        Value::Null => Err(MapError::Kind { key: key.to_owned(), found: ValueKind::Null }),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => Ok(()),
        Value::List(list) => list.iter().try_for_each(|v| check(key, v, depth + 1)),
        Value::Map(map) => map.values().try_for_each(|v| check(key, v, depth + 1)),
    }
}

#[cfg(test)]
mod tests;
