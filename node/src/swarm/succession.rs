//! The leader that leads is killed, another one leads, and how that comes round.

use super::count::Tally;
use super::leader::Leader;
use super::limits::{LOOK_EVERY, SPREAD_WAIT_MAX};
use super::report::rounded;
use super::spread::Spread;
use crate::admin::protocol::Failed;
use odeon::NodeRef;
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::time::{Instant, sleep, timeout};

/// How another leader came round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Succession {
    /// From the kill until another one led, in seconds.
    pub(crate) leads_after_seconds: f64,
    /// From then until each member had heard of its term.
    pub(crate) heard: Spread,
    /// And until each was registered with it.
    pub(crate) registered: Spread,
    /// The same from the kill.
    pub(crate) heard_after_kill: Spread,
    pub(crate) registered_after_kill: Spread,
}

/// Kills the one that leads, and waits until so many members are registered with another one.
pub(super) async fn succeeded(leader: &mut Leader, tally: &Tally, members: u64) -> Result<Succession, Failed> {
    let before = tally.turn().term;
    let killed = Instant::now();
    leader.kill().await?;
    let leads = leader.until_one_leads().await?;
    let all = async {
        while tally.registered().0 <= before || tally.registered().1 < members {
            sleep(LOOK_EVERY).await;
        }
    };
    // What has not come by then is missing in the counts.
    let _ = timeout(SPREAD_WAIT_MAX, all).await;
    let turn = tally.turn();
    let came = |at: &BTreeMap<NodeRef, Instant>, since: Instant| {
        let at = at.values().filter(|_| turn.term > before);
        Spread::of(members, at.map(|at| at.saturating_duration_since(since)).collect())
    };
    Ok(Succession {
        leads_after_seconds: rounded(leads.duration_since(killed).as_secs_f64(), 3),
        heard: came(&turn.heard, leads),
        registered: came(&turn.registered, leads),
        heard_after_kill: came(&turn.heard, killed),
        registered_after_kill: came(&turn.registered, killed),
    })
}
