//! Images whose authority has not spoken: pushes that wait for their turn, and the one whose turn it is.
//!
//! They wait in memory, where the leader is: another leader knows nothing of them, and their commands fail or ask it
//! anew. Unloading or revoking such an image withdraws its push.

use super::failed;
use crate::admin::protocol::{Failed, ImageItem};
use odeon_convention::codes;
use odeon_convention::types::SourceHash;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Pushes that wait at once.
const PUSHES_MAX: usize = 32;
/// Bytes of all of their images: they are in memory.
const PUSHES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a list shows of an image that waits.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    pub(super) hash: SourceHash,
    /// Empty where nobody can tell, because it is encrypted, say.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) size_bytes: u64,
}

/// All that wait, in the order in which they came.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Line>);

#[derive(Default)]
struct Line {
    count: u64,
    bytes: usize,
    places: BTreeMap<u64, (Waits, oneshot::Sender<Failed>)>,
}

/// A place in the line; left when it is dropped.
pub(super) struct Place {
    pending: Arc<Pending>,
    number: u64,
    bytes: usize,
    withdrawn: oneshot::Receiver<Failed>,
}

impl Pending {
    pub(super) fn enter(self: &Arc<Self>, waits: Waits) -> Result<Place, Failed> {
        let mut line = self.0.lock();
        let bytes = usize::try_from(waits.size_bytes).unwrap_or(usize::MAX);
        if line.places.len() >= PUSHES_MAX || line.bytes.saturating_add(bytes) > PUSHES_BYTES_MAX {
            let (count, held) = (line.places.len(), line.bytes);
            let reason = format!("{count} pushes of {held} bytes wait for their verdict: push it again later");
            return Err(failed(codes::PUSHES_WAITING, reason));
        }
        let (end, withdrawn) = oneshot::channel();
        line.count += 1;
        line.bytes += bytes;
        let number = line.count;
        line.places.insert(number, (waits, end));
        Ok(Place { pending: self.clone(), number, bytes, withdrawn })
    }

    /// Ends the pushes of an image that wait. Gives whether there were any.
    pub(super) fn withdraw(&self, hash: SourceHash, why: &Failed) -> bool {
        let mut line = self.0.lock();
        let numbers: Vec<u64> = line.places.iter().filter(|(_, (w, _))| w.hash == hash).map(|(n, _)| *n).collect();
        for number in &numbers {
            if let Some((_, end)) = line.places.remove(number) {
                // One that has just been judged hears of it from the leader.
                let _ = end.send(why.clone());
            }
        }
        !numbers.is_empty()
    }

    /// What waits, an image that was pushed twice once, as a list shows it.
    pub(super) fn list(&self) -> Vec<ImageItem> {
        let line = self.0.lock();
        let mut shown = Vec::new();
        for (waits, _) in line.places.values() {
            if !shown.iter().any(|known: &Waits| known.hash == waits.hash) {
                shown.push(waits.clone());
            }
        }
        shown.into_iter().map(item).collect()
    }
}

fn item(waits: Waits) -> ImageItem {
    let Waits { hash, name, version, size_bytes } = waits;
    ImageItem {
        hash: hash.to_string(),
        name,
        version,
        size: size_bytes,
        state: "pending".to_owned(),
        by: "its authority has not spoken".to_owned(),
        nodes: 0,
        actors: 0,
        pushed: None,
    }
}

impl Place {
    /// Waits for something, unless the push is withdrawn before.
    pub(super) async fn unless_withdrawn<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Failed> {
        tokio::select! {
            Ok(why) = &mut self.withdrawn => Err(why),
            done = what => Ok(done),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.pending.0.lock();
        line.places.remove(&self.number);
        line.bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(n: u8, size_bytes: u64) -> Waits {
        Waits { hash: SourceHash([n; 32]), name: String::new(), version: String::new(), size_bytes }
    }

    #[test]
    fn so_many_wait_and_no_more_until_one_leaves() {
        let pending = Arc::new(Pending::default());
        let mut places: Vec<Place> = (0..PUSHES_MAX as u8).map(|n| pending.enter(waits(n, 1)).unwrap()).collect();
        assert_eq!(pending.enter(waits(99, 1)).map(|_| ()).unwrap_err().code, codes::PUSHES_WAITING);
        assert_eq!(pending.list().len(), PUSHES_MAX);
        places.pop();
        assert!(pending.enter(waits(99, 1)).is_ok());
    }

    #[test]
    fn their_bytes_are_bounded_as_well() {
        let pending = Arc::new(Pending::default());
        let all = PUSHES_BYTES_MAX as u64;
        let place = pending.enter(waits(1, all)).unwrap();
        assert_eq!(pending.enter(waits(2, 1)).map(|_| ()).unwrap_err().code, codes::PUSHES_WAITING);
        drop(place);
        assert!(pending.enter(waits(3, all + 1)).is_err());
        assert!(pending.enter(waits(2, all)).is_ok());
    }

    #[tokio::test]
    async fn who_withdraws_an_image_ends_every_push_of_it_and_no_other() {
        let pending = Arc::new(Pending::default());
        let mut places: Vec<Place> = [1, 2, 1].map(|n| pending.enter(waits(n, 1)).unwrap()).into();
        assert_eq!(pending.list().len(), 2, "one image is shown once");
        let why = failed(codes::IMAGE_REVOKED, "it leaks");
        assert!(pending.withdraw(SourceHash([1; 32]), &why));
        assert!(!pending.withdraw(SourceHash([1; 32]), &why), "nobody waits any more");
        assert_eq!(pending.list().len(), 1);
        let never = std::future::pending::<()>;
        assert_eq!(places[0].unless_withdrawn(never()).await, Err(why.clone()));
        assert_eq!(places[2].unless_withdrawn(never()).await, Err(why));
        assert_eq!(places[1].unless_withdrawn(std::future::ready(5)).await, Ok(5));
        drop(places);
        assert!(pending.enter(waits(3, PUSHES_BYTES_MAX as u64)).is_ok(), "all of their bytes are gone");
    }
}
