//! How nodes are, for actors: this one says it itself, others are asked over their links.

use super::{NodeBackend, aside, failed, stopping};
use crate::admin::protocol::Failed;
use crate::driver::Event;
use crate::hosting::{STATUS_ASKS_MAX, StatusAsk};
use odeon::system::Totals;
use odeon::{NODE_STATUS_IMAGES_MAX, NodeStatus};
use odeon_convention::codes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// For so long the same is said again: to count takes a look at every actor.
const FRESH: Duration = Duration::from_millis(100);
/// Nodes that are asked at the same time.
const ELSEWHERE_MAX: usize = 64;
/// How long another node may take.
const ELSEWHERE_TIME_MAX: Duration = Duration::from_secs(10);

impl NodeBackend {
    /// Answers whoever asks how a node is.
    pub(crate) async fn serve_statuses(self, mut asks: mpsc::Receiver<StatusAsk>) {
        let mut batch = Vec::with_capacity(STATUS_ASKS_MAX);
        let elsewhere = Arc::new(Semaphore::new(ELSEWHERE_MAX));
        let mut last: Option<(Instant, NodeStatus)> = None;
        while asks.recv_many(&mut batch, STATUS_ASKS_MAX).await > 0 {
            for ask in batch.drain(..) {
                if ask.of != self.me {
                    self.ask_elsewhere(ask, &elsewhere);
                    continue;
                }
                let known = match &last {
                    Some((at, status)) if at.elapsed() < FRESH => Ok(status.clone()),
                    _ => self.how_it_is().await.inspect(|status| last = Some((Instant::now(), status.clone()))),
                };
                self.hosting.answer_ask(ask, known.map_err(|why| (why.code, why.message)));
            }
        }
    }

    fn ask_elsewhere(&self, ask: StatusAsk, places: &Arc<Semaphore>) {
        let Ok(place) = places.clone().try_acquire_owned() else {
            let why = format!("{ELSEWHERE_MAX} nodes are being asked how they are");
            return self.hosting.answer_ask(ask, Err((codes::STATUS_ASKS_WAITING, why)));
        };
        let hosting = self.hosting.clone();
        tokio::spawn(async move {
            let known = hosting.ask_how(ask.of, ELSEWHERE_TIME_MAX).await;
            hosting.answer_ask(ask, known);
            drop(place);
        });
    }

    async fn how_it_is(&self) -> Result<NodeStatus, Failed> {
        let (end, leader) = oneshot::channel();
        self.event(Event::Leader(end)).await?;
        let leader = leader.await.map_err(|_| stopping())?;
        let (hosting, images) = (self.hosting.clone(), self.images.clone());
        let (totals, stored) = aside(move || (hosting.system().totals(), images.stored())).await?;
        let stored = stored.map_err(|error| failed(codes::DATA_UNUSABLE, error.to_string()))?;
        let Totals { actors, received, queued } = totals;
        Ok(NodeStatus {
            name: self.name.clone(),
            node: self.me,
            capabilities: (*self.hosting.capabilities()).clone(),
            leader,
            draining: self.hosting.is_draining(),
            uptime_s: self.started.elapsed().as_secs(),
            links: self.links.stats().connected as u64,
            actors,
            received,
            queued,
            dead_letters: self.hosting.counters().0,
            rate_limits: self.hosting.system().reported_rates(),
            images: stored.iter().take(NODE_STATUS_IMAGES_MAX).map(ToString::to_string).collect(),
            images_count: stored.len() as u64,
        })
    }
}
