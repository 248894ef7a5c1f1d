//! Small images that travel with the creation that needs them, so that the first actor of one waits for no fetch.
//!
//! Their bytes are at hand at a leader once it has stored or served them since its start, and wait at a member, in memory,
//! until they are asked for. They are checked then as those that are fetched.

use super::{Images, TransferError};
use crate::store::StoreError;
use odeon_convention::limits::CARRIED_BYTES_MAX;
use odeon_convention::types::{ImageInfo, SourceHash};
use odeon_sourceauth as sourceauth;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Images that are kept in memory, 4 MiB of them at most; the oldest goes.
const KEPT_MAX: usize = 32;

/// A few small images.
#[derive(Default)]
pub(super) struct Small(Mutex<VecDeque<(SourceHash, Arc<[u8]>)>>);

impl Small {
    /// Keeps an image, if it is small.
    pub(super) fn keep(&self, hash: SourceHash, bytes: &[u8]) {
        if bytes.len() as u64 <= CARRIED_BYTES_MAX {
            let mut kept = self.0.lock();
            kept.retain(|(other, _)| *other != hash);
            kept.push_back((hash, bytes.into()));
            if kept.len() > KEPT_MAX {
                kept.pop_front();
            }
        }
    }

    pub(super) fn get(&self, hash: SourceHash) -> Option<Arc<[u8]>> {
        self.0.lock().iter().find(|(other, _)| *other == hash).map(|(_, bytes)| bytes.clone())
    }

    pub(super) fn take(&self, hash: SourceHash) -> Option<Arc<[u8]>> {
        let mut kept = self.0.lock();
        let at = kept.iter().position(|(other, _)| *other == hash)?;
        kept.remove(at).map(|(_, bytes)| bytes)
    }
}

impl Images {
    /// The bytes of a small image, for a member that is about to need them.
    pub(crate) fn at_hand(&self, hash: SourceHash) -> Option<Vec<u8>> {
        self.small.get(hash).map(|bytes| bytes.to_vec())
    }

    /// Bytes came that are said to be an image. Whether they are is seen when the image is asked for.
    pub(crate) fn was_brought(&self, hash: SourceHash, bytes: Vec<u8>) {
        self.brought.keep(hash, &bytes);
    }

    /// Puts what was brought into the store, if it is the image. Gives whether it is there now.
    pub(super) async fn take_brought(self: &Arc<Self>, image: &ImageInfo) -> Result<bool, TransferError> {
        let (hash, size_bytes) = (image.hash, image.size_bytes);
        let Some(bytes) = self.brought.take(hash) else { return Ok(false) };
        let images = self.clone();
        let store = move || {
            let mut incoming = images.store.begin(sourceauth::SourceHash(hash.0), size_bytes)?;
            incoming.write(&bytes)?;
            images.keep(hash, || incoming.finish())
        };
        match tokio::task::spawn_blocking(store).await.map_err(std::io::Error::other)? {
            Ok(()) => {
                tracing::debug!(image = %hash, "an image came with what needs it");
                Ok(true)
            }
            Err(TransferError::Store(error @ (StoreError::HashMismatch { .. } | StoreError::Size { .. }))) => {
                tracing::warn!(image = %hash, %error, "what was brought is something else, and the image is fetched");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_small_images_are_kept_and_the_oldest_goes() {
        let small = Small::default();
        let hash = |n: usize| SourceHash([n as u8; 32]);
        small.keep(hash(200), &vec![0; CARRIED_BYTES_MAX as usize + 1]);
        assert!(small.get(hash(200)).is_none(), "too large");
        (0..=KEPT_MAX).for_each(|n| small.keep(hash(n), &[n as u8]));
        assert!(small.get(hash(0)).is_none());
        assert_eq!(small.get(hash(KEPT_MAX)).as_deref(), Some(&[KEPT_MAX as u8][..]));
        small.keep(hash(1), b"again");
        small.keep(hash(100), b"one more");
        assert_eq!(small.get(hash(1)).as_deref(), Some(&b"again"[..]), "it is not the oldest any more");
        assert_eq!(small.take(hash(1)).as_deref(), Some(&b"again"[..]));
        assert!(small.get(hash(1)).is_none() && small.take(hash(1)).is_none());
    }
}
