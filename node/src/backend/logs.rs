//! The collected log: read from the leaders' stores, and followed.
//!
//! Each leader holds what came in while it led. The one that leads puts all of it together.

use super::{NodeBackend, Outcome};
use crate::admin::Replies;
use crate::admin::protocol::{Failed, Item, LogGap, LogQuery, Reply, Request};
use crate::causes::of_data;
use crate::driver::View;
use crate::ledger::Place;
use crate::logs::Query;
use odeon_convention::codes;
use tokio::sync::mpsc::{self, Receiver};

/// Items that were read and wait for a client that reads slowly.
const READ_AHEAD_MAX: usize = 256;

impl NodeBackend {
    pub(super) async fn logs(&self, view: &View, query: LogQuery, replies: &Replies) -> Outcome {
        let Some(store) = &self.log_store else {
            return self.at_leader(view, &Request::Logs(query), Some(replies)).await;
        };
        let (stored, mut follower) = if query.follow {
            let (stored, follower) = store.follow(&query).map_err(unusable)?;
            (stored, Some(follower))
        } else {
            (store.query(&query).map_err(unusable)?, None)
        };
        let mut sources = vec![read(stored)];
        let group = self.ledger.as_ref().map(|ledger| ledger.group()).unwrap_or_default();
        let others = group.into_iter().filter(|place| place.node != self.me.id);
        sources.extend(others.map(|place| self.collected_by(place, &query)));
        if !give(by_time(sources), replies).await {
            return Ok(Reply::Done);
        }
        while let Some(follower) = &mut follower {
            let item = tokio::select! {
                item = follower.next() => item,
                () = replies.client_gone() => None,
            };
            let Some(item) = item else { break };
            if replies.send(Reply::Item(item)).await.is_err() {
                break;
            }
        }
        Ok(Reply::Done)
    }

    /// What this leader has collected itself, for another one.
    pub(super) async fn collected_logs(&self, query: &LogQuery, replies: &Replies) -> Outcome {
        if let Some(store) = &self.log_store {
            give(read(store.query(query).map_err(unusable)?), replies).await;
        }
        Ok(Reply::Done)
    }

    /// What another leader has collected; a gap where it does not say.
    fn collected_by(&self, leader: Place, query: &LogQuery) -> Receiver<Item> {
        let (sender, items) = mpsc::channel(READ_AHEAD_MAX);
        let (backend, query) = (self.clone(), LogQuery { follow: false, ..query.clone() });
        tokio::spawn(async move {
            let (replies, mut queue) = Replies::channel();
            let asked = async {
                // The queue ends when this is over.
                let replies = replies;
                let node = backend.links.connected(leader.node).ok_or("it cannot be reached".to_owned())?;
                let asked = backend.hand_on(node, &Request::CollectedLogs(query), Some(&replies)).await;
                asked.map_err(|failed| failed.message)
            };
            let carried = async {
                while let Some(Reply::Item(item)) = queue.recv().await {
                    // Whoever reads has gone.
                    let _ = sender.send(item).await;
                }
            };
            if let (Err(why), ()) = tokio::join!(asked, carried) {
                let reason = format!("what this leader has collected is missing: {why}");
                let _ = sender.send(Item::Gap(LogGap { node: leader.seat.name, from: 0, to: 0, reason })).await;
            }
        });
        items
    }
}

/// Reads from the disk, off the I/O threads; a client that reads slowly holds up this reader alone.
fn read(stored: Query) -> Receiver<Item> {
    let (sender, items) = mpsc::channel(READ_AHEAD_MAX);
    tokio::task::spawn_blocking(move || {
        for item in stored {
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
    items
}

/// Puts the items of all sources into one, by time as far as each of them is; a gap comes where its source has it.
fn by_time(mut sources: Vec<Receiver<Item>>) -> Receiver<Item> {
    if sources.len() == 1 {
        return sources.remove(0);
    }
    let (sender, items) = mpsc::channel(READ_AHEAD_MAX);
    tokio::spawn(async move {
        let mut heads = Vec::with_capacity(sources.len());
        for mut source in sources {
            if let Some(head) = source.recv().await {
                heads.push((head, source));
            }
        }
        while let Some(first) = (0..heads.len()).min_by(|a, b| time_of(&heads[*a].0).cmp(&time_of(&heads[*b].0))) {
            let (head, source) = &mut heads[first];
            let item = match source.recv().await {
                Some(next) => std::mem::replace(head, next),
                None => heads.swap_remove(first).0,
            };
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    items
}

/// None sorts before every time.
fn time_of(item: &Item) -> Option<&str> {
    match item {
        Item::Log(line) => Some(&line.time),
        Item::Gap(_) => None,
    }
}

/// Gives all of it. False: the client is gone.
async fn give(mut items: Receiver<Item>, replies: &Replies) -> bool {
    while let Some(item) = items.recv().await {
        if replies.send(Reply::Item(item)).await.is_err() {
            return false;
        }
    }
    true
}

fn unusable(error: impl std::error::Error + 'static) -> Failed {
    of_data(codes::DATA_UNUSABLE, &error)
}
