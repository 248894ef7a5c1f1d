//! What was found out about an index, remembered per requirements: a question that comes again costs a look-up, and
//! a class that comes or goes costs the evaluation of that class only.

use crate::fixed_hash::FixedMap;
use crate::{ClassId, Index, Matcher, Requirements, RequirementsError};
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

/// Remembers, for one index, which classes fit which requirements. Bounded: the oldest requirements are forgotten.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, Index, Requirements, Selector};
///
/// let mut index = Index::new();
/// let mut map = CapabilityMap::new();
/// map.set("gpu", 2)?;
/// index.insert("node-1", map);
/// let mut selector = Selector::new(1024);
/// let found = selector.select(&index, &Requirements::none().expression("gpu > 1"))?;
/// assert_eq!(found.accepted().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Selector {
    entries_max: usize,
    by_requirements: FixedMap<Requirements, Selection>,
    oldest: VecDeque<Requirements>,
}

/// Which classes fit one set of requirements.
#[derive(Debug)]
pub struct Selection {
    matcher: Matcher,
    as_of: Option<u64>,
    verdicts: BTreeMap<ClassId, Option<u32>>,
    accepted: Vec<Accepted>,
}

/// A class that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The class, alive in the index that was asked.
    pub class: ClassId,
    /// The preferences that hold there, added up.
    pub score: u32,
}

impl Selector {
    /// A selector that remembers at most `entries_max` different requirements.
    pub fn new(entries_max: usize) -> Self {
        Selector { entries_max: entries_max.max(1), by_requirements: FixedMap::default(), oldest: VecDeque::new() }
    }

    /// The classes that fit. A selector belongs to one index: always give it the same.
    pub fn select<N: Copy + Ord + Hash>(
        &mut self,
        index: &Index<N>,
        requirements: &Requirements,
    ) -> Result<&Selection, RequirementsError> {
        if !self.by_requirements.contains_key(requirements) {
            let selection = Selection::new(Matcher::new(requirements)?);
            while self.oldest.len() >= self.entries_max
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.by_requirements.remove(&oldest);
            }
            self.oldest.push_back(requirements.clone());
            self.by_requirements.insert(requirements.clone(), selection);
        }
        match self.by_requirements.get_mut(requirements) {
            Some(selection) => {
                selection.refresh(index);
                Ok(selection)
            }
            None => unreachable!("the entry was made above"),
        }
    }
}

impl Selection {
    fn new(matcher: Matcher) -> Self {
        Selection { matcher, as_of: None, verdicts: BTreeMap::new(), accepted: Vec::new() }
    }

    /// The classes that fit: the highest score first, then in the order of their ids.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// The requirements, parsed.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    fn refresh<N: Copy + Ord + Hash>(&mut self, index: &Index<N>) {
        if self.as_of == Some(index.changes()) {
            return;
        }
        let mut verdicts = BTreeMap::new();
        for class in index.possible(&self.matcher) {
            let known = self.verdicts.get(&class.id()).copied();
            let verdict =
                known.unwrap_or_else(|| self.matcher.accepts(class.map()).then(|| self.matcher.score(class.map())));
            verdicts.insert(class.id(), verdict);
        }
        self.accepted = verdicts.iter().filter_map(|(&class, v)| v.map(|score| Accepted { class, score })).collect();
        self.accepted.sort_by_key(|a| (std::cmp::Reverse(a.score), a.class));
        self.verdicts = verdicts;
        self.as_of = Some(index.changes());
    }
}

#[cfg(test)]
mod tests;
