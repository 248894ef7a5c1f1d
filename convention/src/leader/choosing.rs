//! Who hosts an actor: the same choice as [`placement::decide`](crate::placement::decide) makes among all members that
//! accept, without walking over them.
//!
//! Pools are looked at in the order of what the creator prefers, and no further than that can matter: where a member
//! whose link is up was found, a pool that is preferred less is not even checked.

use super::creations::Tried;
use super::machine::Leader;
use super::memo::Verdicts;
use super::peers::{Live, Peer};
use super::pools::{Pools, Slot};
use super::shortlist::{Question, Shortlist, Word};
use super::survey::Plan;
use crate::types::Placement;
use odeon::{NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, ClassId, Index};
use std::collections::BTreeMap;

/// Draws that may hit a member which is passed over, before all others are listed.
const DRAWS_MAX: usize = 32;

/// Holders of the image that are looked at, of which one that is equal to the best otherwise is taken.
const HOLDERS_MAX: usize = 64;

/// How a choice ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    /// This node.
    Host(NodeRef),
    /// The actor's own check has to be asked of these capabilities first.
    Ask(CapabilityMap),
    /// None is left.
    Nobody,
}

impl Leader {
    /// Who hosts it, of those that were not asked in vain.
    pub(super) fn choose(&mut self, plan: &Plan, tried: &BTreeMap<NodeId, Tried>, asker: NodeRef) -> Choice {
        let mut random = self.random.clone();
        let choice = self.choose_with(plan, tried, asker, |bound| random.below(bound));
        self.random = random;
        choice
    }

    fn choose_with(
        &mut self,
        plan: &Plan,
        tried: &BTreeMap<NodeId, Tried>,
        asker: NodeRef,
        draw: impl FnMut(usize) -> usize,
    ) -> Choice {
        let spec = &plan.spec;
        let found = self.look(plan, tried, |look| match spec.on {
            Some(on) => look.at_one(on),
            None => look.at_all(spec.placement, asker, draw),
        });
        match found {
            Ok(Some(id)) => self.peers.live.get(&id).map_or(Choice::Nobody, |peer| Choice::Host(peer.node)),
            Ok(None) => Choice::Nobody,
            Err(Unasked(class)) => self.index.class(class).map_or(Choice::Nobody, |c| Choice::Ask(c.map().clone())),
        }
    }

    /// Capabilities of which the actor's check has to be asked before it can be said who accepts.
    pub(super) fn unchecked(&mut self, plan: &Plan) -> Option<CapabilityMap> {
        let on = plan.spec.on;
        let unasked = self.look(plan, &BTreeMap::new(), |look| match on {
            Some(on) => look.at_one(on).map(|_| ()),
            None => look.check_all(),
        });
        let Unasked(class) = unasked.err()?;
        self.index.class(class).map(|class| class.map().clone())
    }

    fn look<T: Default>(
        &mut self,
        plan: &Plan,
        tried: &BTreeMap<NodeId, Tried>,
        how: impl FnOnce(&mut Look<'_>) -> Result<T, Unasked>,
    ) -> Result<T, Unasked> {
        self.settle();
        // The plan was made from the same requirements: they parse.
        let Ok(selection) = self.selector.select(&self.index, &plan.spec.requirements) else {
            return Ok(T::default());
        };
        let (key, required) = (&plan.key, plan.required.as_ref());
        let (pools, index, verdicts) = (&self.pools, &self.index, &self.verdicts);
        let list = self.shortlists.of(&Question { key, required, pools, index, selection });
        let group = plan.spec.distinct.as_deref();
        let passes_over_nobody = tried.is_empty() && group.is_none();
        let holders = plan.spec.image.map_or(&[][..], |hash| self.peers.holders(hash));
        let live = &self.peers.live;
        how(&mut Look { plan, list, pools, index, verdicts, live, tried, group, passes_over_nobody, holders })
    }
}

/// The actor's own check was not asked yet of this class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unasked(ClassId);

/// One look at the fleet for one creation.
struct Look<'a> {
    plan: &'a Plan,
    list: &'a mut Shortlist,
    pools: &'a Pools,
    index: &'a Index<NodeId>,
    verdicts: &'a Verdicts,
    live: &'a Live,
    tried: &'a BTreeMap<NodeId, Tried>,
    group: Option<&'a str>,
    passes_over_nobody: bool,
    /// Who has the actor's image.
    holders: &'a [NodeId],
}

/// The pools of the best that was found.
#[derive(Debug, Default)]
struct Best {
    score: u32,
    slots: Vec<Slot>,
}

impl Best {
    /// Takes a pool in; the first ones are preferred most.
    fn take(&mut self, score: u32, slot: Slot) {
        if self.slots.is_empty() {
            self.score = score;
        }
        if self.score == score {
            self.slots.push(slot);
        }
    }
}

impl Look<'_> {
    /// This member or none.
    fn at_one(&mut self, id: NodeId) -> Result<Option<NodeId>, Unasked> {
        let at = self.pools.place_of(id).and_then(|(slot, _)| self.list.position(slot));
        match at {
            Some(at) if !self.passed_over(id) => Ok(self.may(at)?.then_some(id)),
            _ => Ok(None),
        }
    }

    fn at_all(
        &mut self,
        strategy: Placement,
        asker: NodeRef,
        draw: impl FnMut(usize) -> usize,
    ) -> Result<Option<NodeId>, Unasked> {
        let home = if strategy == Placement::Local { self.home(asker) } else { None };
        // What is preferred more has to be looked at before it, nothing else.
        let mut at_home = home.filter(|(_, reachable)| *reachable).and_then(|(slot, _)| self.list.position(slot));
        let (mut reachable, mut others) = (Best::default(), Best::default());
        for at in 0..self.list.entries().len() {
            let entry = self.list.entries()[at];
            if !reachable.slots.is_empty() && entry.score < reachable.score {
                break;
            }
            if let Some(own) = at_home.take_if(|own| self.list.entries()[*own].score == entry.score)
                && self.may(own)?
            {
                return Ok(Some(asker.id));
            }
            let here = self.any(entry.slot, true);
            let there = reachable.slots.is_empty() && self.any(entry.slot, false);
            if !(here || there) || !self.may(at)? {
                continue;
            }
            if here {
                reachable.take(entry.score, entry.slot);
            }
            if there {
                others.take(entry.score, entry.slot);
            }
        }
        let is_reachable = !reachable.slots.is_empty();
        let slots = if is_reachable { reachable.slots } else { others.slots };
        if home.is_some_and(|(slot, up)| up == is_reachable && slots.contains(&slot)) {
            return Ok(Some(asker.id));
        }
        Ok(self.pick(&slots, is_reachable, strategy, draw))
    }

    /// Whether the checks of all pools that have somebody to ask are answered.
    fn check_all(&mut self) -> Result<(), Unasked> {
        for at in 0..self.list.entries().len() {
            let slot = self.list.entries()[at].slot;
            if self.any(slot, true) || self.any(slot, false) {
                self.may(at)?;
            }
        }
        Ok(())
    }

    /// Where the asker is, if it may be chosen.
    fn home(&self, asker: NodeRef) -> Option<(Slot, bool)> {
        let lives = self.live.get(&asker.id).is_some_and(|peer| peer.node == asker);
        if lives && !self.passed_over(asker.id) { self.pools.place_of(asker.id) } else { None }
    }

    /// Whether the actor's check accepts the members of a pool.
    fn may(&mut self, at: usize) -> Result<bool, Unasked> {
        let (verdicts, key, index) = (self.verdicts, &self.plan.key, self.index);
        let given = |class| verdicts.given(key, index.class(class)?.map());
        match self.list.word(at, self.plan.failures_since, given) {
            Word::Yes => Ok(true),
            Word::No => Ok(false),
            Word::Unknown => Err(Unasked(self.list.entries()[at].class)),
        }
    }

    fn any(&self, slot: Slot, reachable: bool) -> bool {
        if self.passes_over_nobody {
            self.pools.ends(slot, reachable).is_some()
        } else {
            self.fewest(slot, reachable).is_some()
        }
    }

    fn fewest(&self, slot: Slot, reachable: bool) -> Option<&(u32, NodeId)> {
        match self.passes_over_nobody {
            true => self.pools.ends(slot, reachable).map(|ends| &ends.fewest),
            false => self.pools.pool(slot)?.side(reachable).fewest(|id| self.passed_over(id)),
        }
    }

    fn most(&self, slot: Slot, reachable: bool) -> Option<&(u32, NodeId)> {
        match self.passes_over_nobody {
            true => self.pools.ends(slot, reachable).map(|ends| &ends.most),
            false => self.pools.pool(slot)?.side(reachable).most(|id| self.passed_over(id)),
        }
    }

    /// Who was asked in vain, or has an actor of the group, is passed over.
    fn passed_over(&self, id: NodeId) -> bool {
        let in_group = |group| self.live.get(&id).is_none_or(|peer| peer.groups.contains_key(group));
        self.tried.contains_key(&id) || self.group.is_some_and(in_group)
    }

    fn pick(
        &self,
        slots: &[Slot],
        reachable: bool,
        strategy: Placement,
        mut draw: impl FnMut(usize) -> usize,
    ) -> Option<NodeId> {
        match strategy {
            Placement::Local | Placement::Spread => {
                let fewest = slots.iter().filter_map(|slot| self.fewest(*slot, reachable)).min()?;
                Some(self.holder_like(*fewest, slots, reachable))
            }
            Placement::Pack => {
                let most = slots.iter().filter_map(|slot| self.most(*slot, reachable));
                let most = most.min_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)))?;
                Some(self.holder_like(*most, slots, reachable))
            }
            Placement::LeastLoaded => {
                let two = [self.drawn(slots, reachable, &mut draw)?, self.drawn(slots, reachable, &mut draw)?];
                two.into_iter().min_by_key(|id| (self.live.get(id).map(Peer::load), !self.holds(*id), *id))
            }
        }
    }

    /// Whoever need not fetch the image, of those that are as good as the best; else the best.
    fn holder_like(&self, (load, best): (u32, NodeId), slots: &[Slot], reachable: bool) -> NodeId {
        if self.holders.is_empty() || self.holds(best) {
            return best;
        }
        let is_like = |id: &NodeId| {
            let like = self.pools.standing_of(*id) == Some((reachable, load));
            like && self.pools.place_of(*id).is_some_and(|(slot, _)| slots.contains(&slot)) && !self.passed_over(*id)
        };
        let like = self.holders.iter().take(HOLDERS_MAX).filter(|id| is_like(id));
        like.min().copied().unwrap_or(best)
    }

    fn holds(&self, id: NodeId) -> bool {
        self.plan.spec.image.is_some_and(|hash| self.live.get(&id).is_some_and(|peer| peer.images().contains(&hash)))
    }

    /// Anyone, each as likely as every other one.
    fn drawn(&self, slots: &[Slot], reachable: bool, draw: &mut impl FnMut(usize) -> usize) -> Option<NodeId> {
        let ends = || slots.iter().filter_map(|slot| Some((*slot, self.pools.ends(*slot, reachable)?.count as usize)));
        let count = ends().map(|(_, count)| count).sum();
        for _ in 0..DRAWS_MAX {
            let mut at = draw(count);
            let (slot, _) = ends().find(|(_, count)| {
                let here = at < *count;
                at -= if here { 0 } else { *count };
                here
            })?;
            let id = *self.members(slot, reachable).get(at)?;
            if !self.passed_over(id) {
                return Some(id);
            }
        }
        let all = slots.iter().flat_map(|slot| self.members(*slot, reachable)).copied();
        let left: Vec<NodeId> = all.filter(|id| !self.passed_over(*id)).collect();
        left.get(draw(left.len())).copied()
    }

    fn members(&self, slot: Slot, reachable: bool) -> &[NodeId] {
        self.pools.pool(slot).map_or(&[], |pool| pool.side(reachable).members())
    }
}

#[cfg(test)]
mod tests;
