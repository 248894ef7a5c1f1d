//! How far each start of each node has come.

use super::row::Cursor;
use hashbrown::HashMap;
use odeon::NodeId;

/// Starts of nodes that are remembered; the one heard of longest ago is forgotten first.
const CURSORS_MAX: usize = 32_768;
/// How many are forgotten at once, so that forgetting is rare.
const FORGET: usize = CURSORS_MAX / 8;

#[derive(Default)]
pub(super) struct Cursors {
    /// The last number, and when it was last changed in terms of `clock`.
    seen: HashMap<(NodeId, u32), (u64, u64)>,
    clock: u64,
}

impl Cursors {
    pub(super) fn seen(&self, id: NodeId, incarnation: u32) -> u64 {
        self.seen.get(&(id, incarnation)).map_or(0, |(seq, _)| *seq)
    }

    pub(super) fn advance(&mut self, id: NodeId, incarnation: u32, to: u64) {
        self.clock += 1;
        let cursor = self.seen.entry((id, incarnation)).or_default();
        *cursor = (cursor.0.max(to), self.clock);
        if self.seen.len() > CURSORS_MAX {
            let mut ages: Vec<u64> = self.seen.values().map(|(_, at)| *at).collect();
            let (_, oldest_kept, _) = ages.select_nth_unstable(FORGET);
            let oldest_kept = *oldest_kept;
            self.seen.retain(|_, (_, at)| *at >= oldest_kept);
        }
    }

    /// All of them, for a header, those heard of longest ago first.
    pub(super) fn all(&self) -> Vec<Cursor> {
        let mut all: Vec<_> = self.seen.iter().collect();
        all.sort_by_key(|(_, (_, at))| *at);
        all.into_iter().map(|((id, incarnation), (seq, _))| (id.to_string(), *incarnation, *seq)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_were_not_heard_of_for_longest_are_forgotten() {
        let mut cursors = Cursors::default();
        cursors.advance(NodeId([1; 16]), 1, 10);
        for n in 0..=CURSORS_MAX as u32 {
            cursors.advance(NodeId([2; 16]), n, 5);
            cursors.advance(NodeId([1; 16]), 1, 3);
        }
        assert!(cursors.seen.len() <= CURSORS_MAX);
        assert_eq!(cursors.seen(NodeId([1; 16]), 1), 10);
        assert_eq!(cursors.seen(NodeId([2; 16]), 0), 0);
        assert_eq!(cursors.seen(NodeId([2; 16]), CURSORS_MAX as u32), 5);
    }
}
