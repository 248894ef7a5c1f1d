//! The capability map of one node: values by key, bounded, and the changes between two of them.

use crate::{Value, ValueKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a capability map may hold at most.
pub mod limits {
    /// Keys in one map.
    pub const KEYS_MAX: usize = 1024;
    /// Bytes of one key.
    pub const KEY_BYTES_MAX: usize = 256;
    /// Lists and maps inside each other.
    pub const DEPTH_MAX: usize = 8;
    /// Bytes of all keys and strings, plus 8 for every other value, of one map.
    pub const MAP_BYTES_MAX: usize = 64 * 1024;
}

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
            bytes += key.len() + measure(key, value, 1)?;
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

/// The weight of a value in bytes, with its depth and kinds checked on the way.
fn measure(key: &str, value: &Value, depth: usize) -> Result<usize, MapError> {
    if depth > limits::DEPTH_MAX {
        return Err(MapError::TooDeep { key: key.to_owned() });
    }
    match value {
        Value::Null => Err(MapError::Kind { key: key.to_owned(), found: ValueKind::Null }),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Ok(8),
        Value::String(s) => Ok(s.len()),
        Value::List(list) => list.iter().try_fold(8, |sum, v| Ok(sum + measure(key, v, depth + 1)?)),
        Value::Map(map) => map.iter().try_fold(8, |sum, (k, v)| Ok(sum + k.len() + measure(key, v, depth + 1)?)),
    }
}
