//! Draining an image: nothing new comes from it, and its actors exit, on every node, until none is left.
//!
//! The leader unloads it and asks every node how many are left, until that is nobody. A node answers for itself: what it
//! has begun to create counts as well.

use super::images::parse_hash;
use super::nodes::living;
use super::{NodeBackend, Outcome, PEER_TIME_MAX, failed, led};
use crate::admin::protocol::{DrainedItem, Failed, Reply, Request};
use crate::driver::{Event, View};
use hashbrown::{HashMap, HashSet};
use odeon::NodeRef;
use odeon_convention::codes;
use odeon_convention::leader::Operation;
use odeon_convention::types::SourceHash;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long actors may take at most.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often nodes with actors of the image are asked how many are left.
const DRAIN_LOOK: Duration = Duration::from_millis(200);
/// How long each has to answer, however little time is left.
const ANSWER_MIN: Duration = Duration::from_millis(500);
/// How many nodes a failure names.
const NAMED_MAX: usize = 8;

/// What one node has answered.
enum Left {
    /// With those that may still come.
    Actors(u64),
    Unknown(String),
}

impl NodeBackend {
    pub(super) async fn drain_image(&self, view: &View, image: &str, timeout_ms: u64) -> Outcome {
        led(view)?;
        let hash = match parse_hash(image) {
            Some(hash) => hash,
            None => self.find_image(view, image).await?,
        };
        match self.operation(Operation::UnloadImage { hash }).await {
            // It was drained before, perhaps not to its end, or unloaded.
            Err(failed) if failed.code == codes::IMAGE_UNKNOWN && parse_hash(image).is_some() => {}
            other => drop(other?),
        }
        let timeout = Duration::from_millis(timeout_ms).min(DRAIN_TIME_MAX);
        let until = Instant::now() + timeout;
        let mut empty = HashSet::new();
        let mut most = HashMap::new();
        loop {
            let left = self.left_of(hash, until, &mut empty, &mut most).await?;
            if left.is_empty() {
                return Ok(Reply::Drained(DrainedItem {
                    hash: hash.to_string(),
                    actors: most.values().sum(),
                    nodes: u32::try_from(most.len()).unwrap_or(u32::MAX),
                }));
            }
            if Instant::now() >= until {
                return Err(failed(codes::IMAGE_NOT_DRAINED, left_over(hash, &left, timeout)));
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    /// The nodes that have not said that nothing is left, by name. `empty` are those that have, and `most` the most actors
    /// that each of the others had at any look.
    async fn left_of(
        &self,
        hash: SourceHash,
        until: Instant,
        empty: &mut HashSet<NodeRef>,
        most: &mut HashMap<NodeRef, u64>,
    ) -> Result<Vec<(String, Left)>, Failed> {
        let view = self.view().await?;
        let members = &led(&view)?.members;
        let here = |member: &&odeon_convention::leader::MemberView| living(&member.name, member.state).is_ok();
        let open = members.iter().filter(here).filter(|member| !empty.contains(&member.node));
        let open = open.map(|member| (member.node, member.name.clone()));
        let (mine, others): (Vec<_>, Vec<_>) = open.partition(|(node, _)| *node == self.me);
        let within = until.saturating_duration_since(Instant::now()).clamp(ANSWER_MIN, PEER_TIME_MAX);
        let mut answers = self.ask_each(others, within, |_| Request::EndImage { hash }).await;
        for (node, name) in mine {
            answers.push((node, name, self.end_image(hash).await));
        }
        let mut left = Vec::new();
        for (node, name, answer) in answers {
            match answer {
                Ok(Reply::Left { actors: 0, awaited: 0 }) => drop(empty.insert(node)),
                Ok(Reply::Left { actors, awaited }) => {
                    if actors > 0 {
                        let seen = most.entry(node).or_insert(0);
                        *seen = actors.max(*seen);
                    }
                    left.push((name, Left::Actors(actors + awaited)));
                }
                Ok(_) => left.push((name, Left::Unknown("it answers something else".to_owned()))),
                Err(error) => left.push((name, Left::Unknown(error.message))),
            }
        }
        left.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(left)
    }

    /// Asks the actors of an image on this node to exit, and says how many are left or about to be.
    pub(super) async fn end_image(&self, hash: SourceHash) -> Outcome {
        // What is being created is counted before what is there, so that none is missed in between.
        let (end, awaited) = oneshot::channel();
        self.event(Event::ImageAwaited { hash, end }).await?;
        let awaited = awaited.await.map_err(|_| super::stopping())?;
        let hosting = self.hosting.clone();
        let asked = tokio::task::spawn_blocking(move || hosting.ask_image_to_exit(&hash.to_string())).await;
        let left = asked.map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
        Ok(Reply::Left { actors: left as u64, awaited: awaited as u64 })
    }
}

fn left_over(hash: SourceHash, left: &[(String, Left)], timeout: Duration) -> String {
    let of_node = |(name, left): &(String, Left)| match left {
        Left::Actors(1) => format!("1 actor on {name}"),
        Left::Actors(actors) => format!("{actors} actors on {name}"),
        Left::Unknown(reason) => format!("what is on {name} is not known ({reason})"),
    };
    let named: Vec<String> = left.iter().take(NAMED_MAX).map(of_node).collect();
    let more = left.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(", and {more} more nodes") } else { String::new() };
    let (named, seconds) = (named.join(", "), timeout.as_secs_f32());
    format!("image {hash} gives no new actors, but some are left after {seconds} s: {named}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_who_has_what_and_does_not_grow_with_the_fleet() {
        let hash = SourceHash([0xab; 32]);
        let few = [
            ("db".to_owned(), Left::Actors(1)),
            ("gpu".to_owned(), Left::Actors(3)),
            ("web".to_owned(), Left::Unknown("no link in time".to_owned())),
        ];
        let text = left_over(hash, &few, Duration::from_millis(1500));
        let expected = "some are left after 1.5 s: 1 actor on db, 3 actors on gpu, what is on web is not known \
                        (no link in time)";
        assert!(text.ends_with(expected), "{text}");
        let many: Vec<_> = (0..1000).map(|n| (format!("n{n:04}"), Left::Actors(2))).collect();
        let text = left_over(hash, &many, Duration::from_secs(60));
        assert!(text.ends_with("2 actors on n0007, and 992 more nodes"), "{text}");
    }
}
