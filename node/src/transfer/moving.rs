//! How an image comes to this node: what approved it is kept, its bytes are fetched, it is loaded.

use super::stream::SILENCE_MAX;
use super::{Images, TransferError, Way, own};
use crate::cli::AllowRemoteImages;
use crate::link::Links;
use odeon::NodeRef;
use odeon_convention::types::{ImageInfo, SourceHash};
use odeon_sourceauth::Rejection;
use std::sync::Arc;

impl Images {
    /// Brings an image into the store, from whoever has some of it; loads it.
    ///
    /// `evidence` is what approved it, where this node knows that from its own ledger; else the last of the sources, which
    /// is the leader, is asked where this node wants to see it.
    pub(crate) async fn ensure(
        self: &Arc<Self>,
        way: &Way,
        image: &ImageInfo,
        sources: &[NodeRef],
        evidence: Option<Vec<String>>,
    ) -> Result<(), TransferError> {
        let _once = self.running.once(image.hash).await;
        let last = match self.load_aside(image.hash).await {
            Ok(()) => return Ok(()),
            Err(error @ (TransferError::Runtime(_) | TransferError::Revoked(_) | TransferError::NotLet(_))) => {
                return Err(error);
            }
            Err(error) => error,
        };
        if self.own.signers.is_some() {
            self.keep_evidence(way.links(), image.hash, sources, evidence).await?;
            if matches!(last, TransferError::NotSigned { .. }) {
                return self.load_aside(image.hash).await;
            }
        }
        self.fetch_from_any(way, image, sources).await?;
        self.load_aside(image.hash).await
    }

    /// Brings an image into the store, whether this node may use it or not: a leader has every image.
    pub(crate) async fn hold(
        self: &Arc<Self>,
        way: &Way,
        image: &ImageInfo,
        sources: &[NodeRef],
    ) -> Result<(), TransferError> {
        let _once = self.running.once(image.hash).await;
        let (images, hash) = (self.clone(), image.hash);
        let read = tokio::task::spawn_blocking(move || images.read(hash).map(|_| ()));
        match read.await.map_err(std::io::Error::other)? {
            Ok(()) => Ok(()),
            Err(revoked @ TransferError::Revoked(_)) => Err(revoked),
            Err(_missing) => self.fetch_from_any(way, image, sources).await,
        }
    }

    async fn keep_evidence(
        self: &Arc<Self>,
        links: &Links,
        hash: SourceHash,
        sources: &[NodeRef],
        evidence: Option<Vec<String>>,
    ) -> Result<(), TransferError> {
        let leader = sources.last().copied().filter(|leader| *leader != self.hosting.me());
        let evidence = match (evidence, leader) {
            (Some(evidence), _) => evidence,
            (None, Some(leader)) => {
                let silent = |_| TransferError::Silent { node: leader };
                tokio::time::timeout(SILENCE_MAX, own::ask(links, leader, hash)).await.map_err(silent)??
            }
            (None, None) => return Err(TransferError::NoSource(hash)),
        };
        if evidence.is_empty() {
            // Its bytes would be of no use.
            return Err(TransferError::NotSigned { hash, source: Box::new(Rejection::SignatureMissing) });
        }
        let images = self.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let signers = images.own.signers.as_ref();
            signers.map(|signers| signers.keep(hash, &evidence))
        });
        kept.await.map_err(std::io::Error::other)?.unwrap_or(Ok(()))
    }

    async fn fetch_from_any(
        self: &Arc<Self>,
        way: &Way,
        image: &ImageInfo,
        sources: &[NodeRef],
    ) -> Result<(), TransferError> {
        if self.allow == AllowRemoteImages::No {
            return Err(TransferError::NotAllowed);
        }
        let (images, hash, bytes) = (self.clone(), image.hash, image.size_bytes);
        let kept = tokio::task::spawn_blocking(move || images.make_room(hash, bytes)).await;
        let _kept = kept.map_err(std::io::Error::other)??;
        if self.take_brought(image).await? {
            return Ok(());
        }
        // This node is asked for what it is known to hold, which it just found that it has not.
        let others = self.others(sources);
        if others.is_empty() {
            return Err(TransferError::NoSource(image.hash));
        }
        self.fetch(way, image, &others).await
    }

    async fn load_aside(self: &Arc<Self>, hash: SourceHash) -> Result<(), TransferError> {
        self.examine(hash).await?;
        let images = self.clone();
        tokio::task::spawn_blocking(move || images.load(hash))
            .await
            .unwrap_or_else(|panic| Err(std::io::Error::other(panic.to_string()).into()))
    }
}
