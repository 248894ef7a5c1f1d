//! What a leader says to its members, on its way to their links.
//!
//! No more words are under way than a window allows. What is not acknowledged within its time QUIC asks about, and each
//! question is answered: ten thousand words that left at once became five times as many packets, with which a leader was
//! busy for seconds. With a window a word that has left is acknowledged as soon as if it were one of a few. To fewer members
//! than that many words leave at once: those to one member share packets.

use odeon::NodeRef;
use odeon_convention::types::SourceHash;
use odeon_convention::wire::ToMember;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Words that leave at once: each wakes the tasks of a link, and whatever else is ready has its turn after these.
const AT_ONCE: usize = 128;
/// Words under way at most. Those of members that do not answer count too, so that after a pause some leave anyway.
const UNDER_WAY_MAX: u64 = 512;
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// How often a window that is full is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Something that is done with the link of a member, in its order.
#[derive(Debug)]
pub(super) enum Said {
    Word {
        to: NodeRef,
        message: ToMember,
    },
    /// A small image, before the word that needs it.
    Image {
        to: NodeRef,
        hash: SourceHash,
    },
    Close {
        node: NodeRef,
        reason: String,
    },
    /// What was said before this has left.
    Flush,
}

#[derive(Debug)]
pub(super) struct Window {
    waiting: VecDeque<Said>,
    /// Since nothing waited last: how many have left.
    left: u64,
    /// How many words were acknowledged in all by then.
    acknowledged_before: u64,
    left_at: Instant,
    look_at: Instant,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), left: 0, acknowledged_before: 0, left_at: now, look_at: now }
    }

    pub(super) fn push(&mut self, said: Said) {
        self.waiting.push_back(said);
    }

    /// What may leave now. `acknowledged` counts the words that members have acknowledged, ever; `links` lead to members.
    pub(super) fn take(&mut self, now: Instant, acknowledged: u64, links: usize) -> impl Iterator<Item = Said> {
        let under_way = self.left.saturating_sub(acknowledged - self.acknowledged_before);
        let are_few = (links as u64) < UNDER_WAY_MAX;
        let is_open = are_few || under_way < UNDER_WAY_MAX || now >= self.left_at + PAUSE_MAX;
        let count = if is_open { self.waiting.len().min(AT_ONCE) } else { 0 };
        if count == self.waiting.len() {
            (self.left, self.acknowledged_before) = (0, acknowledged);
        } else {
            let is_word = |said: &&Said| matches!(said, Said::Word { .. });
            self.left += self.waiting.iter().take(count).filter(is_word).count() as u64;
        }
        if count > 0 {
            self.left_at = now;
        }
        self.look_at = if is_open { now } else { now + LOOK_EVERY };
        self.waiting.drain(..count)
    }

    /// When to look again, while something waits.
    pub(super) fn look_at(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.look_at)
    }

    /// Nothing of what waits is said any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    fn full_of(count: usize, now: Instant) -> Window {
        let mut window = Window::new(now);
        for n in 0..count {
            let id = NodeId((n as u128).to_be_bytes());
            window.push(Said::Word { to: NodeRef { id, incarnation: Incarnation(1) }, message: ToMember::Ping });
        }
        window
    }

    /// To two thousand.
    fn leave(window: &mut Window, now: Instant, acknowledged: u64) -> usize {
        let take = || Some(window.take(now, acknowledged, 2_000).count()).filter(|count| *count > 0);
        std::iter::from_fn(take).sum()
    }

    #[test]
    fn so_many_are_under_way_and_more_only_as_they_are_acknowledged() {
        let now = Instant::now();
        let mut window = full_of(2_000, now);
        let max = UNDER_WAY_MAX as usize;
        // What was acknowledged before has nothing to do with it.
        window.acknowledged_before = 70;
        assert_eq!(leave(&mut window, now, 70), max);
        assert_eq!(window.look_at(), Some(now + LOOK_EVERY));
        assert_eq!(leave(&mut window, now + LOOK_EVERY, 70), 0);
        assert_eq!(leave(&mut window, now + LOOK_EVERY, 71), AT_ONCE);
        assert_eq!(leave(&mut window, now + LOOK_EVERY, 70 + UNDER_WAY_MAX), max - AT_ONCE);
    }

    #[test]
    fn words_to_few_members_wait_for_nobody() {
        let now = Instant::now();
        let mut window = full_of(2_000, now);
        for _ in 0..15 {
            assert_eq!(window.take(now, 0, 3).count(), AT_ONCE);
        }
        assert_eq!((window.take(now, 0, 3).count(), window.look_at()), (80, None));
    }

    #[test]
    fn members_that_do_not_answer_hold_up_nobody_for_long() {
        let now = Instant::now();
        let mut window = full_of(2_000, now);
        leave(&mut window, now, 0);
        assert_eq!(leave(&mut window, now + PAUSE_MAX - LOOK_EVERY, 0), 0);
        assert_eq!(leave(&mut window, now + PAUSE_MAX, 0), AT_ONCE);
    }

    #[test]
    fn what_nobody_waits_for_is_not_under_way() {
        let now = Instant::now();
        let mut window = full_of(UNDER_WAY_MAX as usize, now);
        leave(&mut window, now, 0);
        assert_eq!(window.look_at(), None);
        window.push(Said::Close {
            node: NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) },
            reason: "r".into(),
        });
        assert_eq!(leave(&mut window, now, 0), 1);
    }
}
