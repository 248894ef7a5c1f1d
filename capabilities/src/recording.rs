//! Reading a capability map while remembering what was read. It never decides anything.

use crate::{CapabilityMap, Reads, Value};
use std::cell::RefCell;

/// A view of a capability map that remembers every read, so that a check's answer can be used again for every map
/// that agrees on what the check looked at.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, RecordingView, Value};
///
/// let mut map = CapabilityMap::new();
/// map.set("gpu", 2)?;
/// map.set("zone", "eu-1")?;
/// let view = RecordingView::new(&map);
/// assert_eq!(view.value("gpu"), Some(Value::Integer(2)));
/// assert_eq!(view.value("tpu"), None);
///
/// let reads = view.into_reads();
/// map.set("zone", "eu-2")?;
/// assert!(reads.agree(&map), "the zone was not read");
/// map.set("tpu", true)?;
/// assert!(!reads.agree(&map), "that there is no tpu was read");
/// # Ok::<(), odeon_capabilities::MapError>(())
/// ```
#[derive(Debug)]
pub struct RecordingView<'a> {
    map: &'a CapabilityMap,
    reads: RefCell<Reads>,
}

impl<'a> RecordingView<'a> {
    /// A view on `map` that has read nothing yet.
    pub fn new(map: &'a CapabilityMap) -> Self {
        RecordingView { map, reads: RefCell::default() }
    }

    /// The value of a key, or none; either is remembered.
    ///
    /// A key that no map can hold is answered and not remembered: the answer is the same everywhere.
    pub fn value(&self, key: &str) -> Option<Value> {
        let value = self.map.value(key);
        if !key.is_empty() && key.len() <= crate::limits::KEY_BYTES_MAX {
            let reads = &mut self.reads.borrow_mut().0;
            if !reads.contains_key(key) {
                reads.insert(key.to_owned(), value.cloned());
            }
        }
        value.cloned()
    }

    /// What was read.
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }
}
