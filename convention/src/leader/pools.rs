//! The members that can take actors, in pools of those among which only load and luck decide: members with one and
//! the same capability map and the same linked types. Whatever of a member changes costs the logarithm of its pool.
//!
//! A pool keeps its members in the order of their load and as a list that can be drawn from. It knows neither what
//! is asked for nor whom a creation may not have: the caller names whom to pass over.

use super::natives::{Linked, LinkedId};
use crate::limits;
use odeon::NodeId;
use odeon_capabilities::ClassId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How a member stands that can take actors.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// What it has.
    pub(super) class: ClassId,
    /// What is linked into it.
    pub(super) linked: Arc<Linked>,
    /// Whether its link is up.
    pub(super) reachable: bool,
    /// Actors that live there, with those that are on their way.
    pub(super) load: u32,
}

/// A place for a pool; another pool may have it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

/// Members of one class with the same linked types.
#[derive(Debug)]
pub(super) struct Pool {
    class: ClassId,
    linked: Arc<Linked>,
    reachable: Side,
    unreachable: Side,
}

/// The members of a pool whose links are up, or those whose are not.
#[derive(Debug, Default)]
pub(super) struct Side {
    members: Vec<NodeId>,
    by_load: BTreeSet<(u32, NodeId)>,
}

/// What of a side decides where nobody is passed over. They lie side by side: a creation that fits a thousand pools
/// looks at all of these, and at no pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) count: u32,
    pub(super) fewest: (u32, NodeId),
    pub(super) most: (u32, NodeId),
}

/// Where a member is.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: Slot,
    reachable: bool,
    load: u32,
    /// Its position in the list of its side.
    at: usize,
}

/// All pools.
#[derive(Debug, Default)]
pub(super) struct Pools {
    slots: Vec<Option<Pool>>,
    /// Of the sides of each slot that have members.
    reachable: Vec<Option<Ends>>,
    unreachable: Vec<Option<Ends>>,
    free: Vec<Slot>,
    by_kind: BTreeMap<(ClassId, LinkedId), Slot>,
    places: BTreeMap<NodeId, Place>,
    changes: u64,
    /// The slots of the last pools that came or went.
    changed: VecDeque<Slot>,
}

impl Pools {
    /// Puts a member where it belongs now; without a standing it can take no actors.
    pub(super) fn set(&mut self, id: NodeId, standing: Option<Standing>) {
        let Some(standing) = standing else { return self.take_out(id) };
        let kind = (standing.class, standing.linked.id());
        if let Some(place) = self.places.get_mut(&id)
            && place.reachable == standing.reachable
            && let Some(pool) = self.slots[place.slot.index()].as_mut()
            && pool.kind() == kind
        {
            if place.load != standing.load {
                pool.side_mut(place.reachable).reload(id, Some(place.load), Some(standing.load));
                place.load = standing.load;
                let (slot, reachable) = (place.slot, place.reachable);
                self.summarise(slot, reachable);
            }
            return;
        }
        self.take_out(id);
        let slot = self.by_kind.get(&kind).copied().unwrap_or_else(|| self.open(&standing));
        let Some(pool) = self.slots[slot.index()].as_mut() else { return };
        let Standing { reachable, load, .. } = standing;
        let side = pool.side_mut(reachable);
        side.members.push(id);
        side.reload(id, None, Some(load));
        self.places.insert(id, Place { slot, reachable, load, at: side.members.len() - 1 });
        self.summarise(slot, reachable);
    }

    fn take_out(&mut self, id: NodeId) {
        let Some(place) = self.places.remove(&id) else { return };
        let Some(pool) = self.slots[place.slot.index()].as_mut() else { return };
        let side = pool.side_mut(place.reachable);
        side.reload(id, Some(place.load), None);
        side.members.swap_remove(place.at);
        if let Some(moved) = side.members.get(place.at).and_then(|moved| self.places.get_mut(moved)) {
            moved.at = place.at;
        }
        if pool.reachable.members.is_empty() && pool.unreachable.members.is_empty() {
            self.close(place.slot);
        }
        self.summarise(place.slot, place.reachable);
    }

    fn summarise(&mut self, slot: Slot, reachable: bool) {
        let ends = self.pool(slot).and_then(|pool| pool.side(reachable).ends());
        let all = if reachable { &mut self.reachable } else { &mut self.unreachable };
        all[slot.index()] = ends;
    }

    fn open(&mut self, standing: &Standing) -> Slot {
        let pool = Pool {
            class: standing.class,
            linked: Arc::clone(&standing.linked),
            reachable: Side::default(),
            unreachable: Side::default(),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.reachable.push(None);
            self.unreachable.push(None);
            Slot::last_of(&self.slots)
        });
        self.by_kind.insert(pool.kind(), slot);
        self.slots[slot.index()] = Some(pool);
        self.note(slot);
        slot
    }

    fn close(&mut self, slot: Slot) {
        if let Some(pool) = self.slots[slot.index()].take() {
            self.by_kind.remove(&pool.kind());
            self.free.push(slot);
            self.note(slot);
        }
    }

    fn note(&mut self, slot: Slot) {
        self.changes += 1;
        self.changed.push_back(slot);
        if self.changed.len() > limits::POOL_CHANGES_MAX {
            self.changed.pop_front();
        }
    }

    /// Counts how often a pool came or went.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The slots of the pools that came or went after `changes` was so many; none when that is too long ago to tell.
    pub(super) fn changed_since(&self, changes: u64) -> Option<impl Iterator<Item = Slot>> {
        let count = usize::try_from(self.changes.checked_sub(changes)?).ok()?;
        let known = self.changed.len().checked_sub(count)?;
        Some(self.changed.iter().skip(known).copied())
    }

    pub(super) fn pool(&self, slot: Slot) -> Option<&Pool> {
        self.slots.get(slot.index())?.as_ref()
    }

    /// Who is first and last of one side of a pool; none where nobody is.
    pub(super) fn ends(&self, slot: Slot, reachable: bool) -> Option<&Ends> {
        let all = if reachable { &self.reachable } else { &self.unreachable };
        all.get(slot.index())?.as_ref()
    }

    /// The pools of a class.
    pub(super) fn of_class(&self, class: ClassId) -> impl Iterator<Item = (Slot, &Pool)> {
        let all = (class, LinkedId::FIRST)..=(class, LinkedId::LAST);
        self.by_kind.range(all).filter_map(|(_, slot)| Some((*slot, self.pool(*slot)?)))
    }

    /// Whether the link of a member in a pool is up, and its load.
    pub(super) fn standing_of(&self, id: NodeId) -> Option<(bool, u32)> {
        self.places.get(&id).map(|place| (place.reachable, place.load))
    }

    /// The pool that a member is in, and whether the member's link is up.
    pub(super) fn place_of(&self, id: NodeId) -> Option<(Slot, bool)> {
        self.places.get(&id).map(|place| (place.slot, place.reachable))
    }
}

impl Slot {
    fn index(self) -> usize {
        self.0 as usize
    }

    fn last_of<T>(slots: &[T]) -> Self {
        // There are fewer members than this, and no more pools than members.
        Self(u32::try_from(slots.len() - 1).unwrap_or(u32::MAX))
    }
}

impl Pool {
    fn kind(&self) -> (ClassId, LinkedId) {
        (self.class, self.linked.id())
    }

    pub(super) fn class(&self) -> ClassId {
        self.class
    }

    pub(super) fn linked(&self) -> &Linked {
        &self.linked
    }

    pub(super) fn side(&self, reachable: bool) -> &Side {
        if reachable { &self.reachable } else { &self.unreachable }
    }

    fn side_mut(&mut self, reachable: bool) -> &mut Side {
        if reachable { &mut self.reachable } else { &mut self.unreachable }
    }
}

impl Side {
    /// All of them, in no order that means anything, but the same after the same history.
    pub(super) fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// A member comes, goes, or has another load than before.
    fn reload(&mut self, id: NodeId, before: Option<u32>, now: Option<u32>) {
        if let Some(load) = before {
            self.by_load.remove(&(load, id));
        }
        if let Some(load) = now {
            self.by_load.insert((load, id));
        }
    }

    fn ends(&self) -> Option<Ends> {
        let count = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let (fewest, most) = self.fewest(|_| false).zip(self.most(|_| false))?;
        Some(Ends { count, fewest: *fewest, most: *most })
    }

    /// The one with the fewest actors, of those the lowest id.
    pub(super) fn fewest(&self, passed_over: impl Fn(NodeId) -> bool) -> Option<&(u32, NodeId)> {
        self.by_load.iter().find(|(_, id)| !passed_over(*id))
    }

    /// The one with the most actors, of those the lowest id.
    pub(super) fn most(&self, passed_over: impl Fn(NodeId) -> bool) -> Option<&(u32, NodeId)> {
        let mut most = self.by_load.last().map(|(load, _)| *load);
        while let Some(load) = most {
            let mut equal = self.by_load.range((load, LOWEST)..).take_while(|(of, _)| *of == load);
            if let Some(found) = equal.find(|(_, id)| !passed_over(*id)) {
                return Some(found);
            }
            most = self.by_load.range(..(load, LOWEST)).next_back().map(|(load, _)| *load);
        }
        None
    }
}

const LOWEST: NodeId = NodeId([0; 16]);

#[cfg(test)]
mod tests;
