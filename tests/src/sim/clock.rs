//! A machine's own clock: it began at another time than the others, and runs a little faster or slower.

use super::random::Random;

/// Hours apart at most, in milliseconds.
const OFFSET_MAX_MS: u64 = 12 * 3_600_000;
/// How far a clock's thousand milliseconds may be from a thousand.
const DRIFT_MAX: u64 = 2;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    offset_ms: u64,
    /// Its milliseconds in a thousand of the world's.
    rate: u64,
}

impl Clock {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { offset_ms: random.within(0, OFFSET_MAX_MS), rate: random.within(1_000 - DRIFT_MAX, 1_000 + DRIFT_MAX) }
    }

    /// What it shows at a time of the world.
    pub(super) fn shows(&self, world_ms: u64) -> u64 {
        self.offset_ms + world_ms * self.rate / 1_000
    }

    /// The first time of the world at which it shows this or more.
    pub(super) fn reaches(&self, shown_ms: u64) -> u64 {
        (shown_ms.saturating_sub(self.offset_ms) * 1_000).div_ceil(self.rate)
    }
}
