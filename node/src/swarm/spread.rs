//! How something came round among the members: how long it took to each, and how many have confirmed it.

use super::report::rounded;
use serde::Serialize;
use std::time::Duration;

/// How something came round.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Who should hear of it, each as often as it happened.
    pub(crate) expected: u64,
    /// Who was known to have heard, by the end of the wait.
    pub(crate) confirmed: u64,
    /// After so many seconds half of those had heard who should. Null where fewer have.
    pub(crate) median_seconds: Option<f64>,
    /// The same of 99 in a hundred.
    pub(crate) p99_seconds: Option<f64>,
    /// And of all.
    pub(crate) max_seconds: Option<f64>,
}

impl Spread {
    pub(super) fn of(expected: u64, mut after: Vec<Duration>) -> Self {
        after.sort_unstable();
        // Who has not heard counts as one that would take longest.
        let within = |percent: u64| {
            let rank = (expected * percent).div_ceil(100);
            let at = usize::try_from(rank.checked_sub(1)?).ok()?;
            after.get(at).map(|taken| rounded(taken.as_secs_f64(), 3))
        };
        Self {
            expected,
            confirmed: after.len() as u64,
            median_seconds: within(50),
            p99_seconds: within(99),
            max_seconds: within(100),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let s = |seconds: Option<f64>| seconds.map_or("not known".to_owned(), |seconds| format!("{seconds} s"));
        let Self { expected, confirmed, median_seconds, p99_seconds, max_seconds } = self;
        let (median, p99, max) = (s(*median_seconds), s(*p99_seconds), s(*max_seconds));
        format!("median {median}, 99% {p99}, at most {max}; confirmed by {confirmed} of {expected}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_heard_counts_as_the_last() {
        let after = |count: u64| (1..=count).map(Duration::from_secs).collect::<Vec<_>>();
        let all = Spread::of(200, after(200));
        assert_eq!((all.median_seconds, all.p99_seconds, all.max_seconds), (Some(100.0), Some(198.0), Some(200.0)));
        let most = Spread::of(200, after(198));
        assert_eq!((most.p99_seconds, most.max_seconds, most.confirmed), (Some(198.0), None, 198));
        let few = Spread::of(200, after(99));
        assert_eq!((few.median_seconds, few.p99_seconds), (None, None));
        assert_eq!(Spread::of(0, Vec::new()), Spread::default());
    }
}
