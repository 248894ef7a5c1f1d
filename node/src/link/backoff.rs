//! Pauses between tries: longer each time, never the same for all.

use super::limits::{BACKOFF_MAX, BACKOFF_MIN};
use std::time::Duration;

/// Takes off up to a quarter of a time limit or half of a pause, so that thousands do not try in step.
pub(crate) fn jittered(longest: Duration, share: f64) -> Duration {
    // Without random bytes there is still a pause, if the same for all.
    let random = getrandom::u32().unwrap_or(0);
    longest.mul_f64(1.0 - share * f64::from(random) / f64::from(u32::MAX))
}

pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(BACKOFF_MIN)
    }

    pub(crate) fn reset(&mut self) {
        self.0 = BACKOFF_MIN;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = jittered(self.0, 0.5);
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_again() {
        let mut backoff = Backoff::new();
        let pauses: Vec<_> = (0..20).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= BACKOFF_MIN && pauses[0] >= BACKOFF_MIN / 2);
        assert!(pauses[19] <= BACKOFF_MAX && pauses[19] >= BACKOFF_MAX / 2);
        backoff.reset();
        assert!(backoff.next() <= BACKOFF_MIN);
    }
}
