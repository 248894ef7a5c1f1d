//! The pools that fit a creation, remembered for the creations after it that ask for the same.
//!
//! What a pool is worth is found out once: whether its map fits, whether the actor's type is there with what it
//! requires, and what the actor's own check says of the map. After that only pools that come or go are looked at.

use super::memo::CheckKey;
use super::pools::{Pool, Pools, Slot};
use crate::fit;
use crate::limits;
use crate::types::{CheckVerdict, Millis};
use odeon::NodeId;
use odeon_capabilities::{ClassId, Index, Selection};
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

/// The fitting pools of the creations that were asked for last, by everything that decides which these are.
#[derive(Debug, Default)]
pub(super) struct Shortlists {
    by_key: HashMap<CheckKey, Shortlist>,
    oldest: VecDeque<CheckKey>,
    /// Pools in all of them.
    pools: usize,
}

/// The fitting pools: what the creator prefers first, then in the order of their classes.
#[derive(Debug, Default)]
pub(super) struct Shortlist {
    entries: Vec<Entry>,
    /// What the type requires when an image has it; a linked type says so pool by pool.
    required: Option<Vec<String>>,
    /// How many pools had come or gone when it was looked at last.
    as_of: Option<u64>,
}

/// A pool whose map fits and whose members have the type with what it requires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) score: u32,
    pub(super) class: ClassId,
    pub(super) slot: Slot,
    check: Check,
}

/// What is known of the actor's own check.
#[derive(Debug, Clone, Copy)]
enum Check {
    Unasked,
    Passed,
    Refused,
    /// It could not be finished at that time.
    Failed(Millis),
}

/// What that means for one creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Its members may be asked to host.
    Yes,
    /// They may not.
    No,
    /// The check has to be asked first.
    Unknown,
}

/// What decides which pools fit.
pub(super) struct Question<'a> {
    pub(super) key: &'a CheckKey,
    pub(super) required: Option<&'a Vec<String>>,
    pub(super) pools: &'a Pools,
    pub(super) index: &'a Index<NodeId>,
    /// Which classes fit, as of now.
    pub(super) selection: &'a Selection,
}

impl Shortlists {
    /// The pools that fit, as of now.
    pub(super) fn of(&mut self, question: &Question<'_>) -> &mut Shortlist {
        let key = question.key;
        if !self.by_key.contains_key(key) {
            self.by_key.insert(key.clone(), Shortlist::default());
            self.oldest.push_back(key.clone());
        }
        if let Some(list) = self.by_key.get_mut(key) {
            self.pools -= list.entries.len();
            list.refresh(question);
            self.pools += list.entries.len();
        }
        while self.oldest.len() > 1
            && (self.oldest.len() > limits::SHORTLISTS_MAX || self.pools > limits::SHORTLISTED_MAX)
        {
            let Some(oldest) = self.oldest.pop_front() else { break };
            if oldest == *key {
                self.oldest.push_back(oldest);
            } else {
                self.pools -= self.by_key.remove(&oldest).map_or(0, |list| list.entries.len());
            }
        }
        self.by_key.entry(key.clone()).or_default()
    }

    /// Everything about this creation is to be found out anew.
    pub(super) fn renew(&mut self, key: &CheckKey) {
        if let Some(list) = self.by_key.get_mut(key) {
            list.as_of = None;
        }
    }
}

impl Shortlist {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where a pool stands.
    pub(super) fn position(&self, slot: Slot) -> Option<usize> {
        self.entries.iter().position(|entry| entry.slot == slot)
    }

    /// What the actor's check says of a pool. A check that failed before `failures_since` may do better now.
    pub(super) fn word(
        &mut self,
        at: usize,
        failures_since: Millis,
        given: impl FnOnce(ClassId) -> Option<(Millis, CheckVerdict)>,
    ) -> Word {
        let entry = &mut self.entries[at];
        match entry.check {
            Check::Passed => return Word::Yes,
            Check::Refused => return Word::No,
            Check::Failed(at) if at >= failures_since => return Word::No,
            Check::Failed(_) | Check::Unasked => {}
        }
        let Some((at, verdict)) = given(entry.class) else { return Word::Unknown };
        let (check, word) = match verdict {
            // Without the code nobody can tell here: then the node itself is asked.
            CheckVerdict::Accepted | CheckVerdict::Unknown => (Check::Passed, Word::Yes),
            CheckVerdict::Refused => (Check::Refused, Word::No),
            CheckVerdict::Failed(_) if at >= failures_since => (Check::Failed(at), Word::No),
            CheckVerdict::Failed(_) => (Check::Failed(at), Word::Unknown),
        };
        entry.check = check;
        word
    }

    fn refresh(&mut self, question: &Question<'_>) {
        if self.required.as_ref() != question.required {
            self.required = question.required.cloned();
            self.as_of = None;
        }
        match self.as_of.and_then(|as_of| question.pools.changed_since(as_of)) {
            Some(changed) => changed.for_each(|slot| self.revise(question, slot)),
            None => self.fill(question),
        }
        self.as_of = Some(question.pools.changes());
    }

    /// Looks at one pool that came or went.
    fn revise(&mut self, question: &Question<'_>, slot: Slot) {
        if let Some(at) = self.position(slot) {
            self.entries.remove(at);
        }
        let Some(pool) = question.pools.pool(slot) else { return };
        let class = pool.class();
        if let Some(score) = question.selection.score(class)
            && question.type_fits(pool)
        {
            let entry = Entry { score, class, slot, check: Check::Unasked };
            let at = self.entries.partition_point(|other| other.rank() < entry.rank());
            self.entries.insert(at, entry);
        }
    }

    /// Looks at all pools of all classes that fit.
    fn fill(&mut self, question: &Question<'_>) {
        self.entries.clear();
        for accepted in question.selection.accepted() {
            let (class, score) = (accepted.class, accepted.score);
            let fitting = question.pools.of_class(class).filter(|(_, pool)| question.type_fits(pool));
            self.entries.extend(fitting.map(|(slot, _)| Entry { score, class, slot, check: Check::Unasked }));
        }
        self.entries.sort_by_key(Entry::rank);
    }
}

impl Entry {
    fn rank(&self) -> (Reverse<u32>, ClassId, Slot) {
        (Reverse(self.score), self.class, self.slot)
    }
}

impl Question<'_> {
    /// Whether the members have the actor's type and what that requires.
    fn type_fits(&self, pool: &Pool) -> bool {
        let required = self.required.or_else(|| pool.linked().of(&self.key.actor).map(|native| &native.required));
        let map = self.index.class(pool.class()).map(|class| class.map());
        required.zip(map).is_some_and(|(required, map)| fit::missing(map, required).next().is_none())
    }
}
