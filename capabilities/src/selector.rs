//! What was found out about an index, remembered per requirements: a question that comes again costs a look-up, and
//! a class that comes or goes costs the evaluation of that class only.

mod alike;

use crate::expressions::Expressions;
use crate::fixed_hash::FixedMap;
use crate::{ClassId, Index, Matcher, Requirements, RequirementsError};
use alike::Alike;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

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
    expressions: Expressions,
    oldest: VecDeque<Requirements>,
}

/// Which classes fit one set of requirements.
#[derive(Debug)]
pub struct Selection {
    matcher: Arc<Matcher>,
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
        let entries_max = entries_max.max(1);
        Selector {
            entries_max,
            by_requirements: FixedMap::default(),
            expressions: Expressions::new(entries_max),
            oldest: VecDeque::new(),
        }
    }

    /// The classes that fit. A selector belongs to one index: always give it the same.
    pub fn select<N: Copy + Ord + Hash>(
        &mut self,
        index: &Index<N>,
        requirements: &Requirements,
    ) -> Result<&Selection, RequirementsError> {
        if !self.by_requirements.contains_key(requirements) {
            let selection = Selection::new(Matcher::with(requirements, |text| self.expressions.parse(text))?);
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
        Selection { matcher: Arc::new(matcher), as_of: None, verdicts: BTreeMap::new(), accepted: Vec::new() }
    }

    /// The classes that fit: the highest score first, then in the order of their ids.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// The requirements, parsed.
    pub fn matcher(&self) -> &Arc<Matcher> {
        &self.matcher
    }

    /// The score of a class that fits; none for every other one.
    pub fn score(&self, class: ClassId) -> Option<u32> {
        self.verdicts.get(&class).copied().flatten()
    }

    fn refresh<N: Copy + Ord + Hash>(&mut self, index: &Index<N>) {
        match self.as_of.and_then(|as_of| index.changed_since(as_of)) {
            Some(changed) => changed.for_each(|class| self.revise(index, class)),
            None => self.survey(index),
        }
        self.as_of = Some(index.changes());
    }

    /// Looks at one class that came or went.
    fn revise<N: Copy + Ord + Hash>(&mut self, index: &Index<N>, class: ClassId) {
        match index.class(class) {
            Some(_) if self.verdicts.contains_key(&class) => {}
            Some(found) => {
                let verdict = self.matcher.judge(found.map());
                self.verdicts.insert(class, verdict);
                if let Some(accepted) = verdict.map(|score| Accepted { class, score })
                    && let Err(at) = self.position(accepted)
                {
                    self.accepted.insert(at, accepted);
                }
            }
            None => {
                if let Some(accepted) = self.verdicts.remove(&class).flatten().map(|score| Accepted { class, score })
                    && let Ok(at) = self.position(accepted)
                {
                    self.accepted.remove(at);
                }
            }
        }
    }

    fn position(&self, accepted: Accepted) -> Result<usize, usize> {
        self.accepted.binary_search_by_key(&accepted.rank(), Accepted::rank)
    }

    /// Looks at all classes; what is known of one stays known.
    fn survey<N: Copy + Ord + Hash>(&mut self, index: &Index<N>) {
        let mut verdicts = BTreeMap::new();
        let mut alike = Alike::new(&self.matcher);
        for class in index.possible(&self.matcher) {
            let known = self.verdicts.get(&class.id()).copied();
            verdicts.insert(class.id(), known.unwrap_or_else(|| alike.judge(class.map())));
        }
        self.accepted = verdicts.iter().filter_map(|(&class, v)| v.map(|score| Accepted { class, score })).collect();
        self.accepted.sort_by_key(Accepted::rank);
        self.verdicts = verdicts;
    }
}

impl Accepted {
    /// The best first.
    fn rank(&self) -> (Reverse<u32>, ClassId) {
        (Reverse(self.score), self.class)
    }
}

#[cfg(test)]
mod tests;
