//! Outcomes of an opaque check, remembered by what the check read. It never guesses: an outcome is given out only for
//! a map that has the same values under all keys that were read, those that were missing included.

use crate::fixed_hash::{FixedMap, FixedState};
use crate::{CapabilityMap, Reads, Value};
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// What a [`Memo`] may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoLimits {
    /// Outcomes.
    pub entries_max: usize,
    /// Bytes of all keys and values that the outcomes depend on.
    pub bytes_max: usize,
}

/// Outcomes by what was asked (`K`) and by what was read on the way. The oldest go first.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, Memo, MemoLimits, RecordingView};
///
/// let mut memo = Memo::new(MemoLimits { entries_max: 1000, bytes_max: 1 << 20 });
/// let mut map = CapabilityMap::new();
/// map.set("gpu", 2)?;
///
/// let view = RecordingView::new(&map);
/// let accepted = view.value("gpu").is_some();
/// memo.remember("image/actor", view.into_reads(), accepted);
///
/// map.set("zone", "eu-1")?;
/// assert_eq!(memo.find(&"image/actor", &map), Some(&true), "the zone was not read");
/// map.set("gpu", 3)?;
/// assert_eq!(memo.find(&"image/actor", &map), None);
/// # Ok::<(), odeon_capabilities::MapError>(())
/// ```
#[derive(Debug)]
pub struct Memo<K, O> {
    limits: MemoLimits,
    bytes: usize,
    by_question: FixedMap<K, Vec<SameKeys<O>>>,
    oldest: VecDeque<(K, Arc<Reads>)>,
}

/// The outcomes of one question that read the same keys: one look-up finds the right one.
#[derive(Debug)]
struct SameKeys<O> {
    /// Any of the reads in `outcomes`, for its keys.
    sample: Arc<Reads>,
    outcomes: HashTable<(Arc<Reads>, O)>,
}

impl<K: Clone + Eq + Hash, O> Memo<K, O> {
    /// A memo that remembers nothing yet.
    pub fn new(limits: MemoLimits) -> Self {
        Memo { limits, bytes: 0, by_question: FixedMap::default(), oldest: VecDeque::new() }
    }

    /// The outcome for a map, if one is known that must be the same. Several may hold that read different keys: then it
    /// is one that read those which were remembered last.
    pub fn find(&self, key: &K, map: &CapabilityMap) -> Option<&O> {
        self.by_question.get(key)?.iter().find_map(|same| {
            let hash = hash_of(same.sample.0.keys().map(|key| map.value(key)));
            same.outcomes.find(hash, |(reads, _)| reads.agree(map)).map(|(_, outcome)| outcome)
        })
    }

    /// Remembers an outcome, in place of an earlier one for the same reads. Says whether it is within the limits: if
    /// not, nothing is changed.
    pub fn remember(&mut self, key: K, reads: Reads, outcome: O) -> bool {
        let weight = weigh(&reads);
        if weight > self.limits.bytes_max || self.limits.entries_max == 0 {
            return false;
        }
        let reads = Arc::new(reads);
        let hash = hash_of(reads.0.values().map(Option::as_ref));
        let groups = self.by_question.entry(key.clone()).or_default();
        let group = match groups.iter().position(|same| same.sample.0.keys().eq(reads.0.keys())) {
            Some(at) => at,
            None => {
                groups.push(SameKeys { sample: Arc::clone(&reads), outcomes: HashTable::new() });
                groups.len() - 1
            }
        };
        // For the map that was asked this very outcome is found, even where an earlier one holds for it as well.
        groups[..=group].rotate_right(1);
        let outcomes = &mut groups[0].outcomes;
        if let Some((_, known)) = outcomes.find_mut(hash, |(known, _)| *known == reads) {
            *known = outcome;
            return true;
        }
        outcomes.insert_unique(hash, (Arc::clone(&reads), outcome), |(r, _)| hash_of(r.0.values().map(Option::as_ref)));
        self.oldest.push_back((key, reads));
        self.bytes += weight;
        while self.oldest.len() > self.limits.entries_max || self.bytes > self.limits.bytes_max {
            self.forget_oldest();
        }
        true
    }

    /// Forgets every outcome of a question, as when its code is gone.
    pub fn forget(&mut self, key: &K) {
        if self.by_question.remove(key).is_some() {
            let mut freed = 0;
            self.oldest.retain(|(asked, reads)| {
                let keep = asked != key;
                freed += if keep { 0 } else { weigh(reads) };
                keep
            });
            self.bytes -= freed;
        }
    }

    /// How many outcomes are remembered.
    pub fn len(&self) -> usize {
        self.oldest.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.oldest.is_empty()
    }

    fn forget_oldest(&mut self) {
        let Some((key, reads)) = self.oldest.pop_front() else { return };
        self.bytes -= weigh(&reads);
        let Some(groups) = self.by_question.get_mut(&key) else { return };
        let hash = hash_of(reads.0.values().map(Option::as_ref));
        for same in groups.iter_mut() {
            if let Ok(found) = same.outcomes.find_entry(hash, |(known, _)| *known == reads) {
                found.remove();
                break;
            }
        }
        groups.retain(|same| !same.outcomes.is_empty());
        if groups.is_empty() {
            self.by_question.remove(&key);
        }
    }
}

/// The hash of the values under a list of keys.
fn hash_of<'a>(values: impl Iterator<Item = Option<&'a Value>>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    values.for_each(|value| value.hash(&mut hasher));
    hasher.finish()
}

fn weigh(reads: &Reads) -> usize {
    reads.0.iter().map(|(key, value)| key.len() + value.as_ref().map_or(8, Value::weight_bytes)).sum()
}

#[cfg(test)]
mod tests;
