//! How many lines per second may come in, for a node and for each source in it.

use crate::logs::limits::{NODE_LINES_PER_SECOND_MAX, SOURCE_LINES_PER_SECOND_MAX, SOURCES_MAX};
use hashbrown::HashMap;
use std::time::{Duration, Instant};

/// Counts within windows of a second.
#[derive(Default)]
pub(super) struct Rate {
    since: Option<Instant>,
    all: u32,
    sources: HashMap<String, u32>,
}

impl Rate {
    /// Whether one more line of `source` fits in the second that `now` lies in.
    pub(super) fn admit(&mut self, source: &str, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1)) {
            self.since = Some(now);
            self.all = 0;
            self.sources.clear();
        }
        if self.all >= NODE_LINES_PER_SECOND_MAX {
            return false;
        }
        let room = self.sources.len() < SOURCES_MAX;
        match self.sources.get_mut(source) {
            Some(count) if *count >= SOURCE_LINES_PER_SECOND_MAX => return false,
            Some(count) => *count += 1,
            // Sources beyond those that are counted apart share what is left to the node.
            None if room => drop(self.sources.insert(source.to_owned(), 1)),
            None => {}
        }
        self.all += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: &mut Rate, source: &str, count: u32, now: Instant) -> u32 {
        (0..count).map(|_| u32::from(rate.admit(source, now))).sum()
    }

    #[test]
    fn one_source_cannot_crowd_out_another() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        assert_eq!(admitted(&mut rate, "noisy", 100_000, now), SOURCE_LINES_PER_SECOND_MAX);
        assert_eq!(admitted(&mut rate, "quiet", 10, now), 10);
        assert_eq!(admitted(&mut rate, "noisy", 1, now + Duration::from_secs(1)), 1);
    }

    #[test]
    fn all_sources_together_have_a_limit_and_are_counted_in_bounded_memory() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        let all: u32 = (0..50_000).map(|n| u32::from(rate.admit(&format!("source {n}"), now))).sum();
        assert_eq!(all, NODE_LINES_PER_SECOND_MAX);
        assert!(rate.sources.len() <= SOURCES_MAX);
    }
}
