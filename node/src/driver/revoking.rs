//! A revoked image goes from this node, however often that has to be tried.

use super::{Driver, Event};
use crate::causes::chain;
use odeon_convention::types::SourceHash;
use std::time::Duration;

/// The pause after a try that the disk did not allow.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Driver {
    /// The member confirms only what is so: until its bytes are gone the image is refused, but not confirmed.
    pub(super) fn revoke_image(&self, hash: SourceHash, end: bool) {
        tracing::info!(image = %hash, end, "an image is revoked");
        let (images, events) = (self.means.images.clone(), self.means.events.clone());
        tokio::spawn(async move {
            let mut warned = false;
            while !events.is_closed() {
                let images = images.clone();
                let revoked = tokio::task::spawn_blocking(move || images.revoke(hash, end)).await;
                let error = match revoked {
                    Ok(Ok(())) => {
                        // Where the driver has ended nobody has to know.
                        let _ = events.send(Event::ImageRevoked { hash, end }).await;
                        return;
                    }
                    Ok(Err(error)) => chain(&error),
                    Err(error) => error.to_string(),
                };
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!(image = %hash, error, "a revoked image cannot be removed; trying again");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
    }
}
