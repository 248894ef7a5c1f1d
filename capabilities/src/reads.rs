//! What a check read of a capability map: its answer holds for every map that agrees on these keys.

use crate::{CapabilityMap, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys that were read, with what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reads(pub BTreeMap<String, Option<Value>>);

impl Reads {
    /// Whether `map` has the same values under all these keys.
    pub fn agree(&self, map: &CapabilityMap) -> bool {
        self.0.iter().all(|(key, value)| map.value(key) == value.as_ref())
    }
}
