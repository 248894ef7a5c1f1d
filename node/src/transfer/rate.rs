//! So many bytes of images a second, for all transfers of the node together: a bucket that holds what a moment gives.

use parking_lot::Mutex;
use std::num::NonZeroU64;
use std::time::Duration;
use tokio::time::Instant;

/// What may go at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// A limit, or none.
#[derive(Debug, Default)]
pub(crate) struct Rate(Option<(NonZeroU64, Mutex<Option<Instant>>)>);

impl Rate {
    /// So many bytes a second; none for as fast as it goes.
    pub(crate) fn new(bytes_per_s: Option<NonZeroU64>) -> Self {
        Self(bytes_per_s.map(|rate| (rate, Mutex::default())))
    }

    /// Waits until so many bytes may go. Who asks first goes first.
    pub(crate) async fn take(&self, bytes: usize) {
        tokio::time::sleep(self.wait(bytes, Instant::now())).await;
    }

    /// Takes so many bytes, and gives how long to wait before they go.
    fn wait(&self, bytes: usize, now: Instant) -> Duration {
        let Some((rate, taken_until)) = &self.0 else { return Duration::ZERO };
        let mut taken_until = taken_until.lock();
        let begins = taken_until.map_or(now, |until| until.max(now));
        *taken_until = Some(begins + Duration::from_secs_f64(bytes as f64 / rate.get() as f64));
        begins.duration_since(now).saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_take_share_the_rate_and_a_pause_saves_no_more_than_a_moment() {
        let (rate, begun) = (Rate::new(NonZeroU64::new(1_000_000)), Instant::now());
        let waits: Vec<Duration> = (0..400).map(|_| rate.wait(10_000, begun)).collect();
        assert_eq!((waits[0], waits[10]), (Duration::ZERO, Duration::ZERO), "a moment's worth goes at once");
        assert_eq!((waits[110], waits[399]), (Duration::from_millis(1_000), Duration::from_millis(3_890)));
        let later = begun + Duration::from_secs(100);
        let waits: Vec<Duration> = (0..111).map(|_| rate.wait(10_000, later)).collect();
        assert_eq!((waits[10], waits[110]), (Duration::ZERO, Duration::from_secs(1)));
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        assert_eq!(Rate::default().wait(usize::MAX, Instant::now()), Duration::ZERO);
    }
}
