//! How much room images take on this node: those that were used longest ago go first, and never one that actors run from.
//!
//! A node that may lead lets go of nothing, since every other node fetches from it in the end: it refuses what is
//! pushed beyond its limit.

use super::{Images, TransferError};
use crate::driver::Event;
use hashbrown::HashMap;
use odeon_convention::types::SourceHash;
use odeon_sourceauth as sourceauth;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::mpsc;

/// The limit of a node, and what counts towards it beside the store.
pub(crate) struct Room {
    bytes_max: u64,
    /// Who hears that an image is gone; none on a node that may lead.
    lost: Option<mpsc::Sender<Event>>,
    /// Bytes that are on their way into the store.
    expected: AtomicU64,
    /// Last uses in this start of the node; of others the time of the file tells.
    used: Mutex<HashMap<SourceHash, SystemTime>>,
    /// One makes room at a time.
    clearing: Mutex<()>,
}

impl Room {
    pub(crate) fn new(bytes_max: u64, lost: Option<mpsc::Sender<Event>>) -> Self {
        Self { bytes_max, lost, expected: AtomicU64::new(0), used: Mutex::default(), clearing: Mutex::default() }
    }

    /// Whether the node lets go of no image.
    pub(super) fn keeps_all(&self) -> bool {
        self.lost.is_none()
    }

    pub(super) fn note_use(&self, hash: SourceHash) {
        self.used.lock().insert(hash, SystemTime::now());
    }

    pub(super) fn forget(&self, hash: SourceHash) {
        self.used.lock().remove(&hash);
    }
}

/// Room for an image that is on its way. Given back when it is dropped: then the image is in the store, or does not come.
pub(super) struct Kept {
    images: Arc<Images>,
    bytes: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.images.room.expected.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Images {
    /// Makes room for an image that is to come, and keeps it. Blocks on the disk.
    pub(super) fn make_room(self: Arc<Self>, hash: SourceHash, bytes: u64) -> Result<Kept, TransferError> {
        let room = &self.room;
        let one_at_a_time = room.clearing.lock();
        if let Some(lost) = &room.lost {
            let needed = bytes + room.expected.load(Ordering::Acquire);
            let mut stored = self.store.list_by_age()?;
            let used = room.used.lock().clone();
            stored.sort_by_key(|(at, stored)| used.get(&SourceHash(stored.hash.0)).copied().unwrap_or(*at).max(*at));
            let mut taken: u64 = stored.iter().map(|(_, stored)| stored.size_bytes).sum();
            for (_, stored) in stored {
                if taken + needed <= room.bytes_max {
                    break;
                }
                let old = SourceHash(stored.hash.0);
                if old != hash && !self.hosting.runs_image(&old.to_string()) {
                    self.let_go(old)?;
                    // Where the driver has ended nobody has to know.
                    let _ = lost.blocking_send(Event::ImageLost(old));
                    tracing::info!(image = %old, "an image that was not used for long made room for another");
                    taken -= stored.size_bytes;
                }
            }
            if taken + needed > room.bytes_max {
                return Err(TransferError::NoRoom { hash, bytes, taken, bytes_max: room.bytes_max });
            }
        }
        room.expected.fetch_add(bytes, Ordering::AcqRel);
        drop(one_at_a_time);
        Ok(Kept { images: self, bytes })
    }

    /// Whether an image of so many bytes may come to those that this leader keeps. Blocks on the disk.
    pub(crate) fn has_room_for(&self, hash: SourceHash, bytes: u64) -> Result<(), TransferError> {
        if self.contains(hash) {
            return Ok(());
        }
        let taken: u64 = self.store.list()?.iter().map(|stored| stored.size_bytes).sum();
        let bytes_max = self.room.bytes_max;
        if taken + bytes <= bytes_max { Ok(()) } else { Err(TransferError::NoRoom { hash, bytes, taken, bytes_max }) }
    }

    fn let_go(&self, hash: SourceHash) -> Result<(), TransferError> {
        let text = hash.to_string();
        self.hosting.remove_image(&text);
        self.runtimes.forget(&text)?;
        self.store.remove(sourceauth::SourceHash(hash.0))?;
        self.room.forget(hash);
        // What this node's own authority has said of it holds on.
        if let Some(signers) = &self.own.signers {
            signers.forget(hash);
        }
        Ok(())
    }
}
