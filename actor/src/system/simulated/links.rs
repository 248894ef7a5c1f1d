//! The links between simulated nodes, which may be cut for a while.
//!
//! What is about to cross a link decides whether it is cut just then, so that a cut is one decision: its number says which
//! link and when, its value for how long. Nothing else would notice that an idle link is cut.

use super::state::State;
use super::trace::Event;
use super::world::{PROGRAM, World};
use hashbrown::HashMap;
use std::time::Duration;

#[derive(Default)]
struct Link {
    /// What has been asked to cross it while it was whole.
    crossed: u32,
    /// When it is whole again, once it has been cut.
    whole_ns: u64,
}

/// The links of nodes each to each.
pub(super) struct Links {
    pub(super) count: u32,
    /// Those that something was to cross.
    used: HashMap<u32, Link>,
}

impl Links {
    pub(super) fn new(nodes: usize) -> Self {
        let count = nodes * nodes.saturating_sub(1) / 2;
        Self { count: u32::try_from(count).unwrap_or(u32::MAX), used: HashMap::new() }
    }

    /// The number of the link between two nodes, which are counted from 1.
    fn number(one: usize, other: usize) -> u32 {
        let (low, high) = (one.min(other), one.max(other));
        u32::try_from((high - 1) * (high - 2) / 2 + low - 1).unwrap_or(u32::MAX)
    }
}

impl World {
    /// How long what one node sends to another now is under way, in nanoseconds: first until their link is whole.
    pub(super) fn way_ns(&self, state: &mut State, from: usize, to: usize) -> u64 {
        let waits = self.waits_ns(state, from, to);
        waits.saturating_add(state.delay_ns(&self.settings))
    }

    /// How long the link between two nodes stays cut. The program has none that can be cut.
    fn waits_ns(&self, state: &mut State, from: usize, to: usize) -> u64 {
        if self.settings.cuts == 0 || from == to || from == PROGRAM || to == PROGRAM {
            return 0;
        }
        let (now, count, number) = (self.now_ns(), state.links.count, Links::number(from, to));
        let link = state.links.used.entry(number).or_default();
        if link.whole_ns > now {
            return link.whole_ns - now;
        }
        let time = Duration::from_millis(state.decider.cut_ms(link.crossed, number, count));
        let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        link.crossed += 1;
        link.whole_ns = now.saturating_add(time_ns);
        if !time.is_zero() {
            let name = |node: usize| self.nodes[node].name.clone();
            state.record(now, |_| Event::Cut { one: name(from.min(to)), other: name(from.max(to)), time });
        }
        time_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_link_has_a_number_of_its_own() {
        for nodes in 1..20 {
            let pairs = (1..=nodes).flat_map(|one| (one + 1..=nodes).map(move |other| (one, other)));
            let numbers: BTreeSet<_> = pairs.map(|(one, other)| Links::number(other, one)).collect();
            assert!(numbers.into_iter().eq(0..Links::new(nodes).count));
        }
    }
}
