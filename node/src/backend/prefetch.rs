//! Prefetching an image: the nodes that fit have it before an actor of it is asked for, and who has is known.

use super::nodes::named;
use super::{NodeBackend, Outcome, failed, led};
use crate::admin::Replies;
use crate::admin::protocol::{Failed, PrefetchedItem, Reply};
use crate::driver::{Event, View};
use hashbrown::HashSet;
use odeon::{NodeRef, Requirements};
use odeon_convention::codes;
use odeon_convention::leader::{Answer, Operation};
use odeon_convention::types::SourceHash;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a command may wait for nodes to have it.
const PREFETCH_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked at who has it.
const PREFETCH_LOOK: Duration = Duration::from_millis(100);
/// How often those that have it not are told again: a word may be lost with its link, and a fetch may fail.
const TELL_AGAIN: Duration = Duration::from_secs(10);

impl NodeBackend {
    pub(super) async fn prefetch(
        &self,
        view: &View,
        image: &str,
        requirements: Requirements,
        timeout_ms: u64,
        replies: &Replies,
    ) -> Outcome {
        led(view)?;
        let hash = self.find_image(view, image).await?;
        let until = Instant::now() + Duration::from_millis(timeout_ms).min(PREFETCH_TIME_MAX);
        let mut told = None;
        let (nodes, missing) = loop {
            let nodes = self.tell_to_fetch(hash, requirements.clone()).await?;
            let again = Instant::now() + TELL_AGAIN;
            let missing = loop {
                let missing = self.without(hash, &nodes).await?;
                let counts = ((nodes.len() - missing.len()) as u64, nodes.len() as u64);
                if told.replace(counts) != Some(counts) {
                    replies.progress(counts.0, counts.1, "nodes have it");
                }
                if missing.is_empty() || Instant::now() >= again.min(until) {
                    break missing;
                }
                tokio::time::sleep(PREFETCH_LOOK).await;
            };
            if missing.is_empty() || Instant::now() >= until {
                break (nodes, missing);
            }
        };
        let view = self.view().await?;
        let held = u32::try_from(nodes.len() - missing.len()).unwrap_or(u32::MAX);
        let missing = named(led(&view)?, &missing);
        Ok(Reply::Prefetched(PrefetchedItem { hash: hash.to_string(), nodes: held, missing }))
    }

    /// Gives the nodes that fit, which are told where they have it not.
    async fn tell_to_fetch(&self, hash: SourceHash, requirements: Requirements) -> Result<Vec<NodeRef>, Failed> {
        match self.operation(Operation::Prefetch { hash, requirements }).await? {
            Answer::Prefetching { nodes } => Ok(nodes),
            _ => Err(failed(codes::INTERNAL, "the leader does not say who fetches")),
        }
    }

    /// Those of the nodes that have it not.
    async fn without(&self, hash: SourceHash, nodes: &[NodeRef]) -> Result<Vec<NodeRef>, Failed> {
        let (end, held) = oneshot::channel();
        self.event(Event::HeldBy { hash, end }).await?;
        let held: HashSet<NodeRef> = held.await.map_err(|_| super::stopping())?.into_iter().collect();
        Ok(nodes.iter().filter(|node| !held.contains(*node)).copied().collect())
    }
}
