//! Judging many maps at once: what a matcher does not read makes no difference, and an expression that was evaluated
//! on one map need not be on all that are alike.

use crate::fixed_hash::FixedState;
use crate::{CapabilityMap, Matcher};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash, Hasher};

/// The verdicts of maps that were judged, by what the matcher read of them.
pub(super) struct Alike<'a> {
    matcher: &'a Matcher,
    /// What it reads; none when it looks at a map as a whole.
    keys: Option<Vec<&'a str>>,
    judged: HashTable<(&'a CapabilityMap, Option<u32>)>,
}

impl<'a> Alike<'a> {
    pub(super) fn new(matcher: &'a Matcher) -> Self {
        Alike { matcher, keys: matcher.keys(), judged: HashTable::new() }
    }

    /// The score of a map that fits; none for one that does not.
    pub(super) fn judge(&mut self, map: &'a CapabilityMap) -> Option<u32> {
        let Some(keys) = &self.keys else { return self.matcher.judge(map) };
        let hash = hash_of(keys, map);
        let agree = |other: &CapabilityMap| keys.iter().all(|key| other.value(key) == map.value(key));
        if let Some((_, verdict)) = self.judged.find(hash, |(other, _)| agree(other)) {
            return *verdict;
        }
        let verdict = self.matcher.judge(map);
        self.judged.insert_unique(hash, (map, verdict), |(other, _)| hash_of(keys, other));
        verdict
    }
}

fn hash_of(keys: &[&str], map: &CapabilityMap) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    keys.iter().for_each(|key| map.value(key).hash(&mut hasher));
    hasher.finish()
}
