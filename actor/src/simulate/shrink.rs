//! Makes a failing run smaller: fewer decisions, then smaller ones, for as long as it fails in the same way.
//!
//! A decision that is left out is the plain choice. First whole kinds are left out, faults before the order; then halves,
//! quarters and so on of what is left, down to single decisions (delta debugging: Zeller and Hildebrandt, 2002); then each
//! comes as early as it can and is made as small as it can be. What comes out is a run in which no single decision can be left out.

use super::run::{Reason, Run, run};
use super::{Decisions, Kind, SHRINK_RUNS_MAX, Simulation};
use crate::system::ActorSystem;

/// Places at which a decision is tried before its own.
const EARLIER_MAX: usize = 100;

/// What is left out first. The order comes last: it is what a race needs.
const KINDS: [Kind; Kind::ALL.len()] = [Kind::Loss, Kind::Cut, Kind::Crash, Kind::Place, Kind::Delay, Kind::Order];

pub(super) struct Shrinker<'a> {
    pub(super) simulation: &'a Simulation,
    pub(super) seed: u64,
    pub(super) program: &'a dyn Fn(&ActorSystem) -> Result<(), String>,
    pub(super) reason: Reason,
    pub(super) runs: usize,
}

impl Shrinker<'_> {
    /// The smallest failing run that it finds, without its trace.
    pub(super) fn shrink(&mut self, first: Run) -> Run {
        let mut best = first;
        for kind in KINDS {
            self.try_without(&mut best, kind, 0, usize::MAX);
        }
        loop {
            let before = best.decisions.weight();
            for kind in KINDS {
                self.leave_out(&mut best, kind);
            }
            for kind in KINDS {
                self.earlier(&mut best, kind);
                self.lower(&mut best, kind);
            }
            if best.decisions.weight() == before || self.runs >= SHRINK_RUNS_MAX {
                return best;
            }
        }
    }

    fn leave_out(&mut self, best: &mut Run, kind: Kind) {
        let mut size = best.decisions.of(kind).len() / 2;
        while size > 0 {
            let mut from = 0;
            while from < best.decisions.of(kind).len() {
                if !self.try_without(best, kind, from, size) {
                    from += size;
                }
            }
            size /= 2;
        }
        // A half of one is none.
        if best.decisions.of(kind).len() == 1 {
            self.try_without(best, kind, 0, 1);
        }
    }

    /// Leaves out `count` decisions of a kind, from one on.
    fn try_without(&mut self, best: &mut Run, kind: Kind, from: usize, count: usize) -> bool {
        let mut fewer = best.decisions.clone();
        let without: Vec<_> = fewer.of(kind).keys().copied().skip(from).take(count).collect();
        for number in &without {
            fewer.of_mut(kind).remove(number);
        }
        !without.is_empty() && self.attempt(best, fewer)
    }

    /// Has each decision come as early as it can, so that what happens before is plain or does not happen at all.
    fn earlier(&mut self, best: &mut Run, kind: Kind) {
        let numbers: Vec<_> = best.decisions.of(kind).keys().copied().collect();
        for number in numbers {
            let Some(value) = best.decisions.of(kind).get(&number).copied() else { continue };
            let free = |at: &u32| !best.decisions.of(kind).contains_key(at);
            let places: Vec<_> = (0..number).filter(free).take(EARLIER_MAX).collect();
            for place in places {
                let mut moved = best.decisions.clone();
                moved.of_mut(kind).remove(&number);
                moved.of_mut(kind).insert(place, value);
                if self.attempt(best, moved) {
                    break;
                }
            }
        }
    }

    /// Makes each number as small as it can be, by halves.
    fn lower(&mut self, best: &mut Run, kind: Kind) {
        let numbers: Vec<_> = best.decisions.of(kind).keys().copied().collect();
        for number in numbers {
            let (mut fails_not, mut step) = (0, 0);
            while let Some(value) = best.decisions.of(kind).get(&number).copied()
                && value > fails_not + 1
                && step < u32::BITS
            {
                let middle = fails_not + (value - fails_not) / 2;
                let mut smaller = best.decisions.clone();
                smaller.of_mut(kind).insert(number, middle);
                if !self.attempt(best, smaller) {
                    fails_not = middle;
                }
                step += 1;
            }
        }
    }

    /// Takes other decisions if the program still fails with them, and they are fewer or smaller.
    fn attempt(&mut self, best: &mut Run, decisions: Decisions) -> bool {
        if self.runs >= SHRINK_RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let tried = run(self.simulation, self.seed, Some(decisions), false, self.program);
        let fails = tried.failure.as_ref().is_some_and(|reason| reason.is_like(&self.reason));
        let better = fails && tried.decisions.weight() < best.decisions.weight();
        if better {
            *best = tried;
        }
        better
    }
}
