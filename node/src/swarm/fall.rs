//! Members that fall silent at once, as when their hosts lose power, and how that comes round.

use super::count::{Tally, Told};
use super::limits::{DEATH_WAIT_MAX, LOOK_EVERY};
use crate::admin::protocol::Failed;
use odeon::NodeRef;
use odeon_convention::codes;
use tokio::time::{Instant, timeout};

/// How long it took until the dead were known to be dead, in seconds.
pub(super) struct Fall {
    /// Until the first of the others heard of each, the shortest first.
    pub(super) first: Vec<f64>,
    /// Until the last of the others had heard of all.
    pub(super) all: f64,
}

/// Waits until all of `others` have heard of all of `dead`, who fell silent at `since`.
pub(super) async fn known(tally: &Tally, dead: &[NodeRef], others: u64, since: Instant) -> Result<Fall, Failed> {
    let told = || dead.iter().map(|node| tally.told_of(*node)).collect::<Option<Vec<Told>>>();
    let all_told = async {
        loop {
            if let Some(told) = told().filter(|told| told.iter().all(|t| t.members >= others)) {
                return told;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let Ok(told) = timeout(DEATH_WAIT_MAX, all_told).await else {
        let heard: u64 = dead.iter().filter_map(|node| tally.told_of(*node)).map(|told| told.members).sum();
        let (expected, seconds) = (others * dead.len() as u64, DEATH_WAIT_MAX.as_secs());
        let message = format!("of {expected} words that a member is dead, {heard} came within {seconds} s");
        return Err(Failed::new(codes::TIMED_OUT, message));
    };
    let after = |at: Instant| at.duration_since(since).as_secs_f64();
    let mut first: Vec<f64> = told.iter().map(|told| after(told.first)).collect();
    first.sort_by(f64::total_cmp);
    let all = told.iter().map(|told| after(told.last)).fold(0.0, f64::max);
    Ok(Fall { first, all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    #[tokio::test]
    async fn a_death_is_known_when_all_others_have_heard_of_it() {
        let tally = Tally::default();
        let dead = [1, 2].map(|n| NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) });
        let since = Instant::now();
        for node in [dead[0], dead[1], dead[1]] {
            tally.is_gone(node);
        }
        let waiting = known(&tally, &dead, 2, since);
        let late = async {
            tokio::time::sleep(LOOK_EVERY * 5).await;
            tally.is_gone(dead[0]);
        };
        let (fall, ()) = tokio::join!(waiting, late);
        let fall = fall.unwrap();
        assert_eq!(fall.first.len(), 2);
        assert!(fall.all >= (LOOK_EVERY * 5).as_secs_f64() && fall.first[1] < fall.all);
    }
}
