//! Draining: a node takes no actor any more, its actors exit, and it leaves.
//!
//! The node that is drained does it itself and knows best what is left; others only pass the request on.

use super::nodes::{find_living, living};
use super::{AGAIN_AFTER, NodeBackend, Outcome, PEER_TIME_MAX, failed, led};
use crate::admin::protocol::{Failed, Reply, Request};
use crate::driver::{Event, View};
use hashbrown::HashSet;
use odeon::{Address, NodeRef};
use odeon_convention::codes;
use std::time::{Duration, Instant};

/// How long actors may take at most.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often it is looked at how many are left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

impl NodeBackend {
    /// A request that names this node is one to this node, also for whoever may not ask others.
    pub(super) fn name_myself(&self, request: &mut Request) {
        if let Request::Drain { on, .. } | Request::CancelDrain { on } = request
            && on.as_ref().is_some_and(|on| self.is_me(on))
        {
            *on = None;
        }
    }

    pub(super) async fn drain(&self, view: &View, on: Option<String>, timeout_ms: u64) -> Outcome {
        let Some(on) = on else { return self.drain_here(Duration::from_millis(timeout_ms)).await };
        let node = find_living(led(view)?, &on)?.node;
        let done = self.hand_on(node, &Request::Drain { on: None, timeout_ms }, None).await?;
        self.until_gone(node).await;
        Ok(done)
    }

    pub(super) async fn cancel_drain(&self, view: &View, on: Option<String>) -> Outcome {
        let Some(on) = on else {
            self.event(Event::Drain { draining: false }).await?;
            return Ok(Reply::Done);
        };
        let node = find_living(led(view)?, &on)?.node;
        self.hand_on(node, &Request::CancelDrain { on: None }, None).await
    }

    async fn drain_here(&self, timeout: Duration) -> Outcome {
        self.leads_not(&self.view().await?)?;
        self.event(Event::Drain { draining: true }).await?;
        let until = Instant::now() + timeout.min(DRAIN_TIME_MAX);
        let mut asked = HashSet::new();
        loop {
            // What is being launched is counted before the actors are, so that none is missed in between.
            let view = self.view().await?;
            let Some(launching) = view.draining else {
                return Err(failed(codes::NOT_DRAINED, format!("the draining of node {} was cancelled", self.name)));
            };
            let (actors, known) = self.ask_all_to_exit(asked).await?;
            let left = actors + launching;
            let late = Instant::now() >= until;
            // A node that leaves while it has no leader would be taken for dead: it waits for one as for its actors.
            if left == 0 && (view.leader.is_some() || late) {
                // The leadership may have come to it meanwhile.
                self.leads_not(&view)?;
                break;
            }
            asked = known;
            if late {
                return Err(failed(codes::NOT_DRAINED, self.left_over(left, timeout)));
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        self.event(Event::Leave).await?;
        Ok(Reply::Done)
    }

    fn leads_not(&self, view: &View) -> Result<(), Failed> {
        let reason = || format!("node {} leads: it can be shut down, but not drained", self.name);
        if view.led.is_some() { Err(failed(codes::NODE_LEADS, reason())) } else { Ok(()) }
    }

    /// Off the I/O threads: there may be a million actors.
    async fn ask_all_to_exit(&self, mut asked: HashSet<Address>) -> Result<(usize, HashSet<Address>), Failed> {
        let hosting = self.hosting.clone();
        let done = tokio::task::spawn_blocking(move || (hosting.ask_all_to_exit(&mut asked), asked)).await;
        done.map_err(|e| failed(codes::INTERNAL, e.to_string()))
    }

    fn left_over(&self, left: usize, timeout: Duration) -> String {
        let actors = if left == 1 { "actor is" } else { "actors are" };
        let (name, seconds) = (&self.name, timeout.as_secs_f32());
        format!("{left} {actors} left on node {name} after {seconds} s; it stays, and takes no new ones")
    }

    /// Waits until this leader takes a node for gone, or for a while: it has said so, but on another lane.
    async fn until_gone(&self, node: NodeRef) {
        let until = Instant::now() + PEER_TIME_MAX;
        let lives = |view: &View| {
            let led = view.led.as_ref();
            led.is_some_and(|led| led.members.iter().any(|m| m.node == node && living("", m.state).is_ok()))
        };
        while Instant::now() < until && self.view().await.is_ok_and(|view| lives(&view)) {
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}
