//! The fetches under way: each image once, stopped when it is revoked, and what has come of one is served from here.

use super::ChunkList;
use crate::store::Part;
use hashbrown::HashMap;
use odeon::NodeRef;
use odeon_convention::spreading::{Fetch, Served, bytes_of};
use odeon_convention::types::SourceHash;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Notify, OwnedMutexGuard};

/// Whom the chunks of a fetch came from, and how many.
#[derive(Debug, Default)]
pub(super) struct Given(BTreeMap<NodeRef, u16>);

impl Given {
    pub(super) fn note(&mut self, by: NodeRef) {
        *self.0.entry(by).or_default() += 1;
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, (node, chunks)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{node}: {chunks}")?;
        }
        Ok(())
    }
}

/// One fetch.
pub(super) struct Arriving {
    pub(super) choosing: Mutex<Fetch>,
    pub(super) list: ChunkList,
    pub(super) part: Part,
    pub(super) size_bytes: u64,
    pub(super) served: Mutex<Served>,
    pub(super) given: Mutex<Given>,
}

/// What is known of an image from when its fetch is asked for until that is over.
#[derive(Default)]
pub(super) struct Entry {
    once: Arc<tokio::sync::Mutex<()>>,
    /// Whom to ask, the leader last.
    sources: Mutex<Vec<NodeRef>>,
    arriving: Mutex<Option<Arc<Arriving>>>,
    stopped: AtomicBool,
    changed: Notify,
}

impl Entry {
    pub(super) fn sources(&self) -> Vec<NodeRef> {
        self.sources.lock().clone()
    }

    /// Names more of those who can be asked; another leader takes the place of the one before.
    pub(super) fn know(&self, sources: &[NodeRef]) {
        let mut known = self.sources.lock();
        *known = sources.to_vec();
        if let Some(arriving) = &*self.arriving.lock() {
            arriving.choosing.lock().know(sources);
        }
        self.changed.notify_one();
    }

    /// From now on what comes is served.
    pub(super) fn begin(&self, arriving: &Arc<Arriving>) {
        let sources = self.sources.lock();
        arriving.choosing.lock().know(&sources);
        *self.arriving.lock() = Some(arriving.clone());
    }

    pub(super) fn arriving(&self) -> Option<Arc<Arriving>> {
        self.arriving.lock().clone()
    }

    pub(super) fn end(&self) {
        *self.arriving.lock() = None;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Something was said from outside.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Each with how many want it.
type Wanted = Arc<Mutex<HashMap<SourceHash, (Arc<Entry>, usize)>>>;

/// The fetches under way, and those that are asked for.
#[derive(Default)]
pub(super) struct Running(Wanted);

/// Somebody wants an image; the last one leaves nothing behind.
struct Want {
    hash: SourceHash,
    all: Wanted,
}

impl Drop for Want {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some((_, wanted)) = all.get_mut(&self.hash) {
            *wanted -= 1;
            if *wanted == 0 {
                all.remove(&self.hash);
            }
        }
    }
}

/// A turn with one image: whoever else wants it waits.
pub(super) struct Turn {
    entry: Arc<Entry>,
    _guard: OwnedMutexGuard<()>,
    _want: Want,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.entry.end();
    }
}

impl Running {
    /// Waits for a turn with an image.
    pub(super) async fn once(&self, hash: SourceHash) -> Turn {
        let entry = {
            let mut all = self.0.lock();
            let (entry, wanted) = all.entry(hash).or_default();
            *wanted += 1;
            entry.clone()
        };
        let want = Want { hash, all: self.0.clone() };
        let guard = entry.once.clone().lock_owned().await;
        entry.stopped.store(false, Ordering::Release);
        Turn { entry, _guard: guard, _want: want }
    }

    pub(super) fn entry(&self, hash: SourceHash) -> Option<Arc<Entry>> {
        self.0.lock().get(&hash).map(|(entry, _)| entry.clone())
    }

    /// What has come of an image that is being fetched.
    pub(super) fn arriving(&self, hash: SourceHash) -> Option<Arc<Arriving>> {
        self.entry(hash)?.arriving()
    }

    /// How many bytes have come of each image of which some may have, and of how many.
    pub(super) fn progress(&self) -> Vec<(SourceHash, u64, u64)> {
        let all: Vec<_> = self.0.lock().iter().map(|(hash, (entry, _))| (*hash, entry.clone())).collect();
        let progress = |(hash, entry): (SourceHash, Arc<Entry>)| {
            let arriving = entry.arriving()?;
            let here = arriving.choosing.lock().here();
            let bytes: usize = here.iter().map(|number| bytes_of(number, arriving.size_bytes)).sum();
            Some((hash, bytes as u64, arriving.size_bytes))
        };
        all.into_iter().filter_map(progress).collect()
    }

    /// Whether an image is being fetched, even if nothing of it is here.
    pub(super) fn expects(&self, hash: SourceHash) -> bool {
        self.0.lock().contains_key(&hash)
    }

    /// Ends the fetch of an image.
    pub(super) fn stop(&self, hash: SourceHash) {
        if let Some(entry) = self.entry(hash) {
            entry.stopped.store(true, Ordering::Release);
            entry.end();
            entry.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_image_is_fetched_once_and_others_beside_it() {
        let running = Arc::new(Running::default());
        let (one, other) = (SourceHash([1; 32]), SourceHash([2; 32]));
        let turn = running.once(one).await;
        drop(running.once(other).await);
        assert!(!running.expects(other), "nothing stays behind");
        let waits = tokio::spawn({
            let running = running.clone();
            async move { drop(running.once(one).await) }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        running.stop(one);
        assert!(running.entry(one).unwrap().is_stopped());
        drop(turn);
        waits.await.unwrap();
        assert!(!running.expects(one));
    }
}
