//! Images on this node: brought from another node, checked, loaded into the runtime, served to others.
//!
//! Bytes are checked against their hash on every arrival and every read. Who may fetch what from whom is the
//! convention's decision; this file moves bytes.

use crate::admin::frame::{FrameError, read_frame, write_frame};
use crate::cli::AllowRemoteImages;
use crate::hosting::Hosting;
use crate::link::{LinkError, Links};
use crate::purpose;
use crate::store::{Store, StoreError};
use crate::wasm::{WasmError, WasmRuntime};
use odeon::{CapabilityMap, Definition, NodeRef, Requirements};
use odeon_convention::types::{CheckOutcome, ImageInfo, SourceHash};
use odeon_sourceauth::{self as sourceauth, ImageError, Verified};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a source may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(10);
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

/// Why an image is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("this node takes no images from other nodes (--allow-remote-images no)")]
    NotAllowed,
    #[error("no node is named that holds image {0}")]
    NoSource(SourceHash),
    #[error("{node} refuses image {hash}: {reason}")]
    Refused { node: NodeRef, hash: SourceHash, reason: String },
    #[error("{node} offers {found} bytes for image {hash} of {expected} bytes")]
    Size { node: NodeRef, hash: SourceHash, found: u64, expected: u64 },
    #[error("{node} was silent for {} s", SILENCE_MAX.as_secs())]
    Silent { node: NodeRef },
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the transfer broke off: {0}")]
    Broken(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Wasm(#[from] WasmError),
}

/// The images of one node.
pub(crate) struct Images {
    store: Store,
    runtime: Arc<WasmRuntime>,
    allow: AllowRemoteImages,
    /// One image is fetched or loaded once however many ask.
    fetching: tokio::sync::Mutex<()>,
    loading: parking_lot::Mutex<()>,
    hosting: Arc<Hosting>,
}

impl Images {
    pub(crate) fn new(
        store: Store,
        runtime: Arc<WasmRuntime>,
        allow: AllowRemoteImages,
        hosting: Arc<Hosting>,
    ) -> Self {
        Self {
            store,
            runtime,
            allow,
            fetching: tokio::sync::Mutex::new(()),
            loading: parking_lot::Mutex::new(()),
            hosting,
        }
    }

    /// The hashes of everything in the store that is whole; what is not is moved aside. Reads all of it.
    pub(crate) fn held(&self) -> Result<Vec<SourceHash>, TransferError> {
        let mut held = Vec::new();
        for stored in self.store.list()? {
            match self.store.read(stored.hash) {
                Ok(_) => held.push(SourceHash(stored.hash.0)),
                Err(error) => tracing::warn!(image = %stored.hash, %error, "an image in the store cannot be used"),
            }
        }
        Ok(held)
    }

    /// Whether the image is in the store, whole or not.
    pub(crate) fn contains(&self, hash: SourceHash) -> bool {
        self.store.contains(sourceauth::SourceHash(hash.0))
    }

    /// Puts an approved image into the store. Blocks on the disk.
    pub(crate) fn put(&self, image: &Verified) -> Result<(), TransferError> {
        Ok(self.store.put(image)?)
    }

    /// Compiles an image's code without keeping it in the store: whether it can run at all. Blocks.
    pub(crate) fn try_code(&self, hash: &str, code: &[u8]) -> Result<Vec<Definition>, TransferError> {
        Ok(self.runtime.load(hash, code)?)
    }

    /// Makes the actor types of a stored image ready to be created from. Blocks on the disk and the compiler.
    pub(crate) fn load(&self, hash: SourceHash) -> Result<(), TransferError> {
        let text = hash.to_string();
        if self.hosting.has_image(&text) {
            return Ok(());
        }
        let _one_at_a_time = self.loading.lock();
        if self.hosting.has_image(&text) {
            return Ok(());
        }
        let image = self.store.read(sourceauth::SourceHash(hash.0))?;
        let definitions = self.runtime.load(&text, &image.image().code()?)?;
        self.hosting.add_image(&text, definitions);
        Ok(())
    }

    /// What an actor's own check says; `Unknown` where its code is not here. Blocks.
    pub(crate) fn check(
        &self,
        hosting: &Hosting,
        image: Option<SourceHash>,
        actor: &str,
        capabilities: &Arc<CapabilityMap>,
        requirements: &Requirements,
    ) -> CheckOutcome {
        match image.map(|hash| (hash, self.load(hash))) {
            Some((hash, Err(TransferError::Store(StoreError::Unknown { .. })))) => {
                tracing::debug!(image = %hash, "the code for a check is not here");
            }
            Some((hash, Err(error))) => tracing::warn!(image = %hash, %error, "an image in the store cannot be used"),
            _ => {}
        }
        hosting.check(image.map(|h| h.to_string()).as_deref(), actor, capabilities, requirements)
    }

    pub(crate) fn remove(&self, hash: SourceHash) {
        if let Err(error) = self.store.remove(sourceauth::SourceHash(hash.0)) {
            tracing::warn!(image = %hash, %error, "an unloaded image stays on disk");
        }
    }

    /// Brings an image into the store, from the first source that has it whole; loads it.
    pub(crate) async fn ensure(
        self: &Arc<Self>,
        links: &Links,
        image: &ImageInfo,
        sources: &[NodeRef],
    ) -> Result<(), TransferError> {
        let _one_at_a_time = self.fetching.lock().await;
        let mut last = match self.load_aside(image.hash).await {
            Ok(()) => return Ok(()),
            Err(error @ TransferError::Wasm(_)) => return Err(error),
            Err(error) => error,
        };
        if self.allow == AllowRemoteImages::No {
            return Err(TransferError::NotAllowed);
        }
        // This node is asked for what it is known to hold, which it just found that it has not.
        let others = sources.iter().filter(|source| **source != self.hosting.me());
        if others.clone().next().is_none() {
            last = TransferError::NoSource(image.hash);
        }
        for source in others {
            match self.fetch(links, image, *source).await {
                Ok(()) => return self.load_aside(image.hash).await,
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
        incoming.finish()?;
        Ok(())
    }

    /// Answers a node that asks for an image.
    pub(crate) async fn serve(
        self: Arc<Self>,
        mut send: quinn::SendStream,
        mut recv: quinn::RecvStream,
    ) -> Result<(), TransferError> {
        let Some(question) = read_frame::<Question>(&mut recv).await? else { return Ok(()) };
        let images = self.clone();
        let read = tokio::task::spawn_blocking(move || images.store.read(sourceauth::SourceHash(question.hash.0)));
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
