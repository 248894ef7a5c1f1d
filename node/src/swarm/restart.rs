//! A leader that is killed and started again, and how its members come back to it.

use super::count::Tally;
use super::leader::Leader;
use super::limits::{BACK_WAIT_MAX, LOOK_EVERY};
use crate::admin::protocol::Failed;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long it took.
pub(super) struct Return {
    /// From the kill until the leader was ready again.
    pub(super) ready: Duration,
    /// From then until the last member was registered with it; none where that took too long.
    pub(super) back: Option<Duration>,
    /// Members that were registered with it by then.
    pub(super) members: u64,
}

/// Kills the leader, starts it again, and waits until so many members are registered in a later term.
pub(super) async fn restarted(leader: &mut Leader, tally: &Tally, members: u64) -> Result<Return, Failed> {
    let (before, _) = tally.registered();
    let killed = Instant::now();
    leader.restart().await?;
    let ready = killed.elapsed();
    let since = Instant::now();
    let all_back = async {
        loop {
            let (term, registered) = tally.registered();
            if term > before && registered >= members {
                return since.elapsed();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let back = timeout(BACK_WAIT_MAX, all_back).await.ok();
    let (term, registered) = tally.registered();
    Ok(Return { ready, back, members: if term > before { registered } else { 0 } })
}
