//! Which of many nodes fit, without asking each: nodes with identical maps are one class, and what is required or
//! must be equal narrows the classes through posting lists before any expression is evaluated.
//!
//! Everything is iterated over in the order of class ids and node keys, so that one history gives one answer.

mod postings;

use crate::fixed_hash::FixedMap;
use crate::{CapabilityMap, Delta, MapError, Matcher, Refusal, limits};
use postings::Postings;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// A class of an [`Index`]. It is never given to another map, even after its last node has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(u64);

/// The nodes that have one and the same capability map.
#[derive(Debug)]
pub struct Class<N> {
    id: ClassId,
    map: Arc<CapabilityMap>,
    nodes: BTreeSet<N>,
}

/// Nodes by their capabilities.
///
/// ```
/// use odeon_capabilities::{CapabilityMap, Index, Matcher, Requirements};
///
/// let mut index = Index::new();
/// for node in 0..1000u32 {
///     let mut map = CapabilityMap::new();
///     map.set("gpu", node % 4 == 0)?;
///     index.insert(node, map);
/// }
/// assert_eq!(index.classes().count(), 2);
/// let matcher = Matcher::new(&Requirements::none().require("gpu"))?;
/// assert_eq!(index.candidates(&matcher).nodes().count(), 250);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Index<N> {
    nodes: BTreeMap<N, ClassId>,
    classes: BTreeMap<ClassId, Class<N>>,
    by_map: FixedMap<Arc<CapabilityMap>, ClassId>,
    postings: Postings,
    next: u64,
    changes: u64,
    /// The last classes that came or went: the last of them is the change with the number `changes`.
    changed: VecDeque<ClassId>,
}

/// The classes that fit a matcher, in the order of their ids.
#[derive(Debug)]
pub struct Candidates<'a, N> {
    classes: Vec<&'a Class<N>>,
}

impl<N> Default for Index<N> {
    fn default() -> Self {
        Index {
            nodes: BTreeMap::new(),
            classes: BTreeMap::new(),
            by_map: FixedMap::default(),
            postings: Postings::default(),
            next: 0,
            changes: 0,
            changed: VecDeque::new(),
        }
    }
}

impl<N: Copy + Ord + Hash> Index<N> {
    /// An index without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, or gives it another map.
    pub fn insert(&mut self, node: N, map: CapabilityMap) {
        if let Some(class) = self.class_of(node)
            && *class.map == map
        {
            return;
        }
        self.remove(node);
        let id = match self.by_map.get(&map) {
            Some(id) => *id,
            None => self.open(map),
        };
        self.nodes.insert(node, id);
        if let Some(class) = self.classes.get_mut(&id) {
            class.nodes.insert(node);
        }
    }

    /// Takes a node out. Says whether it was there.
    pub fn remove(&mut self, node: N) -> bool {
        let Some(id) = self.nodes.remove(&node) else { return false };
        if let Some(class) = self.classes.get_mut(&id) {
            class.nodes.remove(&node);
            if class.nodes.is_empty() {
                self.close(id);
            }
        }
        true
    }

    /// Changes a node's map, whole or not at all. Says whether anything is different; a node that is not here stays
    /// away.
    pub fn apply(&mut self, node: N, delta: &Delta) -> Result<bool, MapError> {
        let Some(class) = self.class_of(node) else { return Ok(false) };
        let mut map = (*class.map).clone();
        let changed = map.apply(delta)?;
        if changed {
            self.insert(node, map);
        }
        Ok(changed)
    }

    /// The map of a node.
    pub fn map(&self, node: N) -> Option<&CapabilityMap> {
        self.class_of(node).map(Class::map)
    }

    /// The class that a node is in.
    pub fn class_of(&self, node: N) -> Option<&Class<N>> {
        self.classes.get(self.nodes.get(&node)?)
    }

    /// A class by its id; none once its last node has gone.
    pub fn class(&self, id: ClassId) -> Option<&Class<N>> {
        self.classes.get(&id)
    }

    /// All classes in the order of their ids.
    pub fn classes(&self) -> impl Iterator<Item = &Class<N>> {
        self.classes.values()
    }

    /// All nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = N> + '_ {
        self.nodes.keys().copied()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Counts how often a class came or went: while it is the same, so are the classes that fit.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The classes that came or went after `changes` was so many; none when that is too long ago to tell.
    pub fn changed_since(&self, changes: u64) -> Option<impl Iterator<Item = ClassId>> {
        let count = usize::try_from(self.changes.checked_sub(changes)?).ok()?;
        let known = self.changed.len().checked_sub(count)?;
        Some(self.changed.iter().skip(known).copied())
    }

    /// The classes that fit.
    pub fn candidates(&self, matcher: &Matcher) -> Candidates<'_, N> {
        let classes = self.possible(matcher).filter(|class| matcher.accepts(&class.map)).collect();
        Candidates { classes }
    }

    /// Every class with all that it does not fulfil: nothing where it fits.
    pub fn explain(&self, matcher: &Matcher) -> impl Iterator<Item = (&Class<N>, Vec<Refusal>)> {
        self.classes.values().map(move |class| (class, matcher.refusals(&class.map)))
    }

    /// The classes that what is required and what must be equal leave over. All others do not fit.
    pub(crate) fn possible(&self, matcher: &Matcher) -> impl Iterator<Item = &Class<N>> {
        let narrowed = self.postings.narrow(matcher);
        let all = narrowed.is_none().then(|| self.classes.values()).into_iter().flatten();
        all.chain(narrowed.into_iter().flatten().filter_map(|id| self.classes.get(&id)))
    }

    fn open(&mut self, map: CapabilityMap) -> ClassId {
        let id = ClassId(self.next);
        self.next += 1;
        self.note(id);
        let map = Arc::new(map);
        self.postings.add(id, &map);
        self.by_map.insert(Arc::clone(&map), id);
        self.classes.insert(id, Class { id, map, nodes: BTreeSet::new() });
        id
    }

    fn close(&mut self, id: ClassId) {
        if let Some(class) = self.classes.remove(&id) {
            self.note(id);
            self.postings.take(id, &class.map);
            self.by_map.remove(&class.map);
        }
    }

    fn note(&mut self, id: ClassId) {
        self.changes += 1;
        self.changed.push_back(id);
        if self.changed.len() > limits::CLASS_CHANGES_MAX {
            self.changed.pop_front();
        }
    }
}

impl<N: Copy + Ord> Class<N> {
    /// Its id.
    pub fn id(&self) -> ClassId {
        self.id
    }

    /// The map that all its nodes have.
    pub fn map(&self) -> &CapabilityMap {
        &self.map
    }

    /// Its nodes in order: at least one.
    pub fn nodes(&self) -> &BTreeSet<N> {
        &self.nodes
    }
}

impl<'a, N: Copy + Ord> Candidates<'a, N> {
    /// The classes that fit.
    pub fn classes(&self) -> impl Iterator<Item = &'a Class<N>> + '_ {
        self.classes.iter().copied()
    }

    /// The nodes that fit, class by class.
    pub fn nodes(&self) -> impl Iterator<Item = N> + '_ {
        self.classes.iter().flat_map(|class| class.nodes.iter().copied())
    }

    /// How many nodes fit.
    pub fn len(&self) -> usize {
        self.classes.iter().map(|class| class.nodes.len()).sum()
    }

    /// Whether no node fits.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}

#[cfg(test)]
mod tests;
