//! Images on their way between nodes: fetched from the first source that has one whole, served to whoever asks.

use super::{Images, TransferError, own};
use crate::admin::frame::{read_frame, write_frame};
use crate::cli::AllowRemoteImages;
use crate::link::Links;
use crate::purpose;
use odeon::NodeRef;
use odeon_convention::types::{ImageInfo, SourceHash};
use odeon_sourceauth::{self as sourceauth, Rejection};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a source may be silent.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(10);
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Question {
    hash: SourceHash,
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Follows { size_bytes: u64 },
    Refused { reason: String },
}

impl Images {
    /// Brings an image into the store, from the first source that has it whole; loads it.
    ///
    /// `evidence` is what approved it, where this node knows that from its own ledger; else the last of the sources, which
    /// is the leader, is asked where this node wants to see it.
    pub(crate) async fn ensure(
        self: &Arc<Self>,
        links: &Links,
        image: &ImageInfo,
        sources: &[NodeRef],
        evidence: Option<Vec<String>>,
    ) -> Result<(), TransferError> {
        let _one_at_a_time = self.fetching.lock().await;
        let last = match self.load_aside(image.hash).await {
            Ok(()) => return Ok(()),
            Err(error @ (TransferError::Wasm(_) | TransferError::Revoked(_))) => return Err(error),
            Err(error) => error,
        };
        if self.own.is_some() {
            self.keep_evidence(links, image.hash, sources, evidence).await?;
            if matches!(last, TransferError::NotSigned { .. }) {
                return self.load_aside(image.hash).await;
            }
        }
        self.fetch_from_any(links, image, sources, last).await?;
        self.load_aside(image.hash).await
    }

    /// Brings an image into the store, whether this node may use it or not: a leader has every image.
    pub(crate) async fn hold(
        self: &Arc<Self>,
        links: &Links,
        image: &ImageInfo,
        sources: &[NodeRef],
    ) -> Result<(), TransferError> {
        let _one_at_a_time = self.fetching.lock().await;
        let (images, hash) = (self.clone(), image.hash);
        let read = tokio::task::spawn_blocking(move || images.read(hash).map(|_| ()));
        match read.await.map_err(std::io::Error::other)? {
            Ok(()) => Ok(()),
            Err(revoked @ TransferError::Revoked(_)) => Err(revoked),
            Err(missing) => self.fetch_from_any(links, image, sources, missing).await,
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
        let kept = tokio::task::spawn_blocking(move || images.own.as_ref().map(|own| own.keep(hash, &evidence)));
        kept.await.map_err(std::io::Error::other)?.unwrap_or(Ok(()))
    }

    /// Why it was not there before stands for why it cannot be had, where nobody else is to be asked.
    async fn fetch_from_any(
        self: &Arc<Self>,
        links: &Links,
        image: &ImageInfo,
        sources: &[NodeRef],
        mut last: TransferError,
    ) -> Result<(), TransferError> {
        if self.allow == AllowRemoteImages::No {
            return Err(TransferError::NotAllowed);
        }
        let (images, hash, bytes) = (self.clone(), image.hash, image.size_bytes);
        let kept = tokio::task::spawn_blocking(move || images.make_room(hash, bytes)).await;
        let _kept = kept.map_err(std::io::Error::other)??;
        // This node is asked for what it is known to hold, which it just found that it has not.
        let others = sources.iter().filter(|source| **source != self.hosting.me());
        if others.clone().next().is_none() {
            last = TransferError::NoSource(image.hash);
        }
        for source in others {
            match self.fetch(links, image, *source).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(image = %image.hash, %source, %error, "a source failed");
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn load_aside(self: &Arc<Self>, hash: SourceHash) -> Result<(), TransferError> {
        let images = self.clone();
        tokio::task::spawn_blocking(move || images.load(hash))
            .await
            .unwrap_or_else(|panic| Err(std::io::Error::other(panic.to_string()).into()))
    }

    async fn fetch(&self, links: &Links, image: &ImageInfo, source: NodeRef) -> Result<(), TransferError> {
        let (mut send, mut recv) = links.open(source, purpose::IMAGE).await?;
        write_frame(&mut send, &Question { hash: image.hash }).await?;
        let silent = |_| TransferError::Silent { node: source };
        let reply = tokio::time::timeout(SILENCE_MAX, read_frame(&mut recv)).await.map_err(silent)??;
        let size = match reply {
            Some(Reply::Follows { size_bytes }) => size_bytes,
            Some(Reply::Refused { reason }) => {
                return Err(TransferError::Refused { node: source, hash: image.hash, reason });
            }
            None => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        };
        if size != image.size_bytes {
            return Err(TransferError::Size {
                node: source,
                hash: image.hash,
                found: size,
                expected: image.size_bytes,
            });
        }
        let mut incoming = self.store.begin(sourceauth::SourceHash(image.hash.0), size)?;
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = tokio::time::timeout(SILENCE_MAX, AsyncReadExt::read(&mut recv, &mut buffer));
            match read.await.map_err(silent)?? {
                0 => break,
                n => incoming.write(&buffer[..n])?,
            }
        }
        self.keep(image.hash, || incoming.finish())
    }

    /// Answers a node that asks for an image.
    pub(crate) async fn serve(
        self: Arc<Self>,
        mut send: quinn::SendStream,
        mut recv: quinn::RecvStream,
    ) -> Result<(), TransferError> {
        let Some(question) = read_frame::<Question>(&mut recv).await? else { return Ok(()) };
        let images = self.clone();
        let read = tokio::task::spawn_blocking(move || images.read(question.hash));
        match read.await.map_err(std::io::Error::other)? {
            Ok(image) => {
                let bytes = image.image().bytes();
                write_frame(&mut send, &Reply::Follows { size_bytes: bytes.len() as u64 }).await?;
                send.write_all(bytes).await.map_err(std::io::Error::from)?;
            }
            Err(error) => {
                tracing::warn!(image = %question.hash, %error, "cannot serve an image");
                write_frame(&mut send, &Reply::Refused { reason: error.to_string() }).await?;
            }
        }
        send.shutdown().await?;
        // The stream is done when the peer has read it, not when it is dropped here.
        let _ = send.stopped().await;
        Ok(())
    }
}
