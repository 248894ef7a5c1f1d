//! The collected log: read from the leader's store, and followed.

use super::{NodeBackend, Outcome};
use crate::admin::Replies;
use crate::admin::protocol::{Failed, Item, LogQuery, Reply, Request};
use crate::causes::of_data;
use crate::driver::View;
use crate::logs::Query;
use odeon_convention::codes;
use tokio::sync::mpsc;

/// Items that were read from the disk and wait for a client that reads slowly.
const READ_AHEAD_MAX: usize = 256;

impl NodeBackend {
    pub(super) async fn logs(&self, view: &View, query: LogQuery, replies: &Replies) -> Outcome {
        let Some(store) = &self.log_store else {
            let leader = self.leader(view)?;
            let request = Request::Logs(query);
            return tokio::select! {
                outcome = self.hand_on(leader, &request, Some(replies)) => outcome,
                () = replies.client_gone() => Ok(Reply::Done),
            };
        };
        let (stored, mut follower) = if query.follow {
            let (stored, follower) = store.follow(&query).map_err(unusable)?;
            (stored, Some(follower))
        } else {
            (store.query(&query).map_err(unusable)?, None)
        };
        if !give(stored, replies).await {
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
}

/// Gives what is stored. False: the client is gone.
async fn give(stored: Query, replies: &Replies) -> bool {
    let (sender, mut items) = mpsc::channel::<Item>(READ_AHEAD_MAX);
    // The disk is read off the I/O threads; a client that reads slowly holds up this reader alone.
    tokio::task::spawn_blocking(move || {
        for item in stored {
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
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
