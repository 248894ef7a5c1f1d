//! Who was told of what is awaited, and when.

use odeon::{NodeRef, Value};
use odeon_convention::types::SourceHash;
use odeon_convention::watching::News;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The capability that members of a swarm change: each change has a number of its own.
pub(super) const CHANGING: &str = "news";

/// Something that every member is told that watches.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fact {
    Available(SourceHash),
    Unavailable(SourceHash),
    Revoked(SourceHash),
    Changed(i64),
}

/// What is awaited now, and who was told of it.
#[derive(Default)]
pub(super) struct Told(Mutex<Option<Awaited>>);

struct Awaited {
    fact: Fact,
    since: Instant,
    told: BTreeMap<NodeRef, Instant>,
    /// How often somebody was told again.
    again: u64,
}

/// How that came round.
pub(super) struct Came {
    pub(super) after: Vec<Duration>,
    pub(super) again: u64,
}

impl Told {
    /// From now on this is awaited, and nothing else.
    pub(super) fn await_fact(&self, fact: Fact) {
        *self.0.lock() = Some(Awaited { fact, since: Instant::now(), told: BTreeMap::new(), again: 0 });
    }

    /// A member was told something.
    pub(super) fn hear(&self, by: NodeRef, news: &News) {
        if let Some(fact) = fact_of(news) {
            self.hear_of(by, &fact);
        }
    }

    pub(super) fn hear_of(&self, by: NodeRef, fact: &Fact) {
        let mut awaited = self.0.lock();
        let Some(awaited) = awaited.as_mut().filter(|awaited| awaited.fact == *fact) else { return };
        if awaited.told.insert(by, Instant::now()).is_some() {
            awaited.again += 1;
        }
    }

    /// How many were told so far.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().as_ref().map_or(0, |awaited| awaited.told.len() as u64)
    }

    /// Ends the wait.
    pub(super) fn take(&self) -> Came {
        let Some(Awaited { since, told, again, .. }) = self.0.lock().take() else {
            return Came { after: Vec::new(), again: 0 };
        };
        Came { after: told.into_values().map(|at| at.duration_since(since)).collect(), again }
    }
}

fn fact_of(news: &News) -> Option<Fact> {
    match news {
        News::Available(image) => Some(Fact::Available(image.hash)),
        News::Unavailable(image) => Some(Fact::Unavailable(image.hash)),
        News::Changed { member, .. } => match member.capabilities.value(CHANGING) {
            Some(Value::Integer(number)) => Some(Fact::Changed(*number)),
            _ => None,
        },
        News::Joined(_) | News::Lost { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};
    use odeon_convention::watching::ImageEntry;

    #[test]
    fn only_what_is_awaited_counts_and_each_member_once() {
        let node = |n| NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) };
        let image = |n| ImageEntry { hash: SourceHash([n; 32]), name: "i".to_owned(), version: "1".to_owned() };
        let told = Told::default();
        told.hear(node(1), &News::Available(image(1)));
        told.await_fact(Fact::Available(SourceHash([1; 32])));
        for news in [News::Available(image(1)), News::Available(image(1)), News::Unavailable(image(1))] {
            told.hear(node(1), &news);
        }
        told.hear(node(2), &News::Available(image(2)));
        assert_eq!(told.count(), 1);
        let Came { after, again } = told.take();
        assert_eq!((after.len(), again, told.count()), (1, 1, 0));
    }
}
