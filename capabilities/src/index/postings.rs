//! Posting lists: for each key the classes where it is true, and for each small value the classes that have it.

use super::ClassId;
use crate::{CapabilityMap, Matcher, Value, limits};
use std::collections::{BTreeMap, BTreeSet};

/// Classes by what they have.
#[derive(Debug, Default)]
pub(super) struct Postings {
    by_key: BTreeMap<String, ByKey>,
}

/// The classes of one key.
#[derive(Debug, Default)]
struct ByKey {
    present: BTreeSet<ClassId>,
    is_true: BTreeSet<ClassId>,
    by_value: BTreeMap<Value, BTreeSet<ClassId>>,
}

/// What no class has.
static NOTHING: BTreeSet<ClassId> = BTreeSet::new();

impl Postings {
    pub(super) fn add(&mut self, id: ClassId, map: &CapabilityMap) {
        for (key, value) in map.iter() {
            let lists = self.by_key.entry(key.to_owned()).or_default();
            lists.present.insert(id);
            if value.is_true() {
                lists.is_true.insert(id);
            }
            if is_small(value) {
                lists.by_value.entry(value.clone()).or_default().insert(id);
            }
        }
    }

    pub(super) fn take(&mut self, id: ClassId, map: &CapabilityMap) {
        for (key, value) in map.iter() {
            let Some(lists) = self.by_key.get_mut(key) else { continue };
            lists.present.remove(&id);
            lists.is_true.remove(&id);
            if let Some(classes) = lists.by_value.get_mut(value) {
                classes.remove(&id);
                if classes.is_empty() {
                    lists.by_value.remove(value);
                }
            }
            if lists.present.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The classes that are in every list that the matcher names; none when it names no list.
    pub(super) fn narrow(&self, matcher: &Matcher) -> Option<Vec<ClassId>> {
        let required =
            matcher.required().iter().map(|key| self.by_key.get(key).map_or(&NOTHING, |lists| &lists.is_true));
        let equal = matcher.equalities().iter().map(|(key, value)| {
            self.by_key.get(key).map_or(&NOTHING, |lists| match is_small(value) {
                true => lists.by_value.get(value).unwrap_or(&NOTHING),
                false => &lists.present,
            })
        });
        let mut lists: Vec<&BTreeSet<ClassId>> = required.chain(equal).collect();
        lists.sort_by_key(|list| list.len());
        let (shortest, others) = lists.split_first()?;
        Some(shortest.iter().copied().filter(|id| others.iter().all(|list| list.contains(id))).collect())
    }
}

/// Whether a value has a posting list of its own; large ones would be kept twice for little.
fn is_small(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => true,
        Value::String(text) => text.len() <= limits::KEY_BYTES_MAX,
        Value::Null | Value::List(_) | Value::Map(_) => false,
    }
}
