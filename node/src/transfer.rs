//! Images on this node: brought from another node, checked, loaded into the runtime, served to others.
//!
//! Bytes are checked against their hash on every arrival and every read. Who may fetch what from whom is the
//! convention's decision; this file moves bytes. A node with signers of its own uses no image that these have not signed,
//! and one with an actor of its own that decides none that this has not approved.

mod asked;
mod carried;
mod examining;
mod fetching;
mod list;
mod moving;
mod own;
mod rate;
mod room;
mod running;
mod serving;
mod stream;

pub(crate) use examining::OwnAuthority;
pub(crate) use fetching::Way;
pub(crate) use list::ChunkList;
pub(crate) use own::OwnSigners;
pub(crate) use rate::Rate;
pub(crate) use room::Room;

use crate::admin::frame::FrameError;
use crate::causes::chain;
use crate::cli::AllowRemoteImages;
use crate::hosting::Hosting;
use crate::link::LinkError;
use crate::process::ProcessRuntime;
use crate::runtimes::{RuntimeError, Runtimes, Usage};
use crate::store::{Store, StoreError};
use asked::Asked;
use carried::Small;
use examining::NotLet;
use fetching::FETCHES_MAX;
use hashbrown::HashSet;
use odeon::{CapabilityMap, Definition, NodeRef, Requirements};
use odeon_convention::limits::UPLOADS_MAX;
use odeon_convention::types::{CheckOutcome, SourceHash};
use odeon_sourceauth::{self as sourceauth, Grants, Image, ImageError, Rejection, Verified};
use running::Running;
use serving::Wholes;
use std::sync::Arc;
use stream::SILENCE_MAX;
use tokio::sync::Semaphore;

/// Why an image is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("this node takes no images from other nodes (--allow-remote-images no)")]
    NotAllowed,
    #[error("image {0} is revoked")]
    Revoked(SourceHash),
    #[error("no node is named that holds image {0}")]
    NoSource(SourceHash),
    #[error("{node} refuses image {hash}: {reason}")]
    Refused { node: NodeRef, hash: SourceHash, reason: String },
    #[error("{node} gives hashes of chunks that are not those of image {hash}")]
    List { node: NodeRef, hash: SourceHash },
    #[error("{node} serves bytes that are not chunk {number} of image {hash}")]
    Rot { node: NodeRef, hash: SourceHash, number: u16 },
    #[error("{node} says something else than it was asked about image {hash}")]
    Nonsense { node: NodeRef, hash: SourceHash },
    #[error("image {0} was unloaded while it was fetched")]
    Unloaded(SourceHash),
    #[error("{here} of {count} chunks of image {hash} are here, and nobody gives another")]
    Incomplete { hash: SourceHash, here: u16, count: u16 },
    #[error("image {hash} of {bytes} bytes cannot be cut into chunks")]
    Unchunkable { hash: SourceHash, bytes: u64 },
    #[error("{node} was silent for {} s", SILENCE_MAX.as_secs())]
    Silent { node: NodeRef },
    #[error("the signers that this node wants to see itself (--image-signers) have not approved image {hash}")]
    NotSigned { hash: SourceHash, source: Box<Rejection> },
    #[error(transparent)]
    NotLet(#[from] NotLet),
    #[error("{signatures} signatures of {bytes} bytes are said to approve image {hash}, more than is looked at")]
    Evidence { hash: SourceHash, signatures: usize, bytes: usize },
    #[error(
        "image {hash} of {bytes} bytes has no room beside the {taken} bytes of images that have to stay: they may take \
         {bytes_max} bytes (--image-store-max)"
    )]
    NoRoom { hash: SourceHash, bytes: u64, taken: u64, bytes_max: u64 },
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
    Runtime(#[from] RuntimeError),
}

impl TransferError {
    /// Whether the image is as it should be, and only this node cannot run it.
    pub(crate) fn is_of_this_node(&self) -> bool {
        matches!(self, Self::Runtime(error) if error.is_of_this_node())
    }
}

/// How fast images go, both ways.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    pub(crate) upload: Rate,
    pub(crate) download: Rate,
}

/// What this node wants to see itself; nothing of it where the leader's word is enough.
#[derive(Default)]
pub(crate) struct Own {
    pub(crate) signers: Option<OwnSigners>,
    pub(crate) authority: Option<OwnAuthority>,
}

impl Own {
    fn forget(&self, hash: SourceHash) {
        if let Some(signers) = &self.signers {
            signers.forget(hash);
        }
        if let Some(authority) = &self.authority {
            authority.forget(hash);
        }
    }
}

/// The images of one node.
pub(crate) struct Images {
    store: Store,
    runtimes: Runtimes,
    allow: AllowRemoteImages,
    own: Own,
    /// One image is fetched once however many ask,
    running: Running,
    /// and no more than so many at once.
    fetches: Semaphore,
    wholes: Wholes,
    /// Those that this node may send along with a creation, and those that came so.
    small: Small,
    brought: Small,
    uploads: Semaphore,
    rates: Rates,
    /// One image is loaded at a time.
    loading: parking_lot::Mutex<()>,
    /// Of these nothing comes into the store or is loaded any more. Held while a file appears.
    revoked: parking_lot::Mutex<HashSet<SourceHash>>,
    room: Room,
    asked: Asked,
    hosting: Arc<Hosting>,
}

impl Images {
    pub(crate) fn new(
        store: Store,
        runtimes: Runtimes,
        allow: AllowRemoteImages,
        own: Own,
        room: Room,
        hosting: Arc<Hosting>,
        rates: Rates,
    ) -> Self {
        Self {
            store,
            runtimes,
            allow,
            own,
            running: Running::default(),
            fetches: Semaphore::new(FETCHES_MAX),
            wholes: Wholes::default(),
            small: Small::default(),
            brought: Small::default(),
            uploads: Semaphore::new(UPLOADS_MAX),
            rates,
            loading: parking_lot::Mutex::new(()),
            revoked: parking_lot::Mutex::default(),
            room,
            asked: Asked::default(),
            hosting,
        }
    }

    /// The hashes of everything in the store. Reads none of it.
    pub(crate) fn stored(&self) -> Result<Vec<SourceHash>, TransferError> {
        Ok(self.store.list()?.into_iter().map(|stored| SourceHash(stored.hash.0)).collect())
    }

    /// The hashes of everything in the store that is whole and may be used; what is not whole is moved aside. Reads all of
    /// it.
    pub(crate) fn held(&self) -> Result<Vec<SourceHash>, TransferError> {
        let mut held = Vec::new();
        for stored in self.store.list()? {
            let usable = self.store.read(stored.hash).map_err(TransferError::from);
            match usable.and_then(|image| self.verify(image.image())) {
                Ok(()) => held.push(SourceHash(stored.hash.0)),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(image = %stored.hash, error, "an image in the store cannot be used");
                }
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
        let hash = SourceHash(image.hash().0);
        self.keep(hash, || self.store.put(image))?;
        self.asked.note(hash, &image.image().manifest().grants);
        self.small.keep(hash, image.image().bytes());
        Ok(())
    }

    /// What a stored image asks for. Blocks on the disk.
    pub(crate) fn grants(&self, hash: SourceHash) -> Result<Arc<Grants>, TransferError> {
        self.asked.known_or(hash, || Ok(self.read(hash)?.image().manifest().grants.clone()))
    }

    /// Lets a file appear in the store, unless its image is revoked.
    fn keep(&self, hash: SourceHash, put: impl FnOnce() -> Result<(), StoreError>) -> Result<(), TransferError> {
        let revoked = self.revoked.lock();
        if revoked.contains(&hash) { Err(TransferError::Revoked(hash)) } else { Ok(put()?) }
    }

    fn unless_revoked(&self, hash: SourceHash) -> Result<(), TransferError> {
        if self.revoked.lock().contains(&hash) { Err(TransferError::Revoked(hash)) } else { Ok(()) }
    }

    /// Reads a stored image. Blocks on the disk.
    fn read(&self, hash: SourceHash) -> Result<Verified, TransferError> {
        self.unless_revoked(hash)?;
        let image = self.store.read(sourceauth::SourceHash(hash.0))?;
        self.small.keep(hash, image.image().bytes());
        Ok(image)
    }

    /// Whether this node may use an image that its leader, itself perhaps, has just approved. Blocks on the disk, and on
    /// this node's own authority.
    pub(crate) fn may_use(&self, image: &Verified) -> Result<(), TransferError> {
        let evidence: Vec<String> = image.approval().endorsements.iter().map(|one| one.text.clone()).collect();
        if let Some(signers) = &self.own.signers {
            signers.keep(SourceHash(image.hash().0), &evidence)?;
            signers.verify(image.image())?;
        }
        self.examine_approved(image, evidence)
    }

    /// Whether this node's own signers, where it has some, have approved an image.
    fn verify(&self, image: &Image) -> Result<(), TransferError> {
        self.own.signers.as_ref().map_or(Ok(()), |signers| signers.verify(image))
    }

    /// Whether nothing stands against what was loaded before.
    fn may_run(&self, hash: SourceHash) -> bool {
        self.own.signers.as_ref().is_none_or(|signers| signers.knows(hash)) && self.is_let(hash).is_ok()
    }

    /// Loads an image's code without keeping it in the store: whether it can run at all. What only this node cannot run
    /// is not tried. Blocks.
    pub(crate) fn try_code(&self, hash: SourceHash, image: &Image) -> Result<Vec<Definition>, TransferError> {
        let text = hash.to_string();
        let definitions = match self.runtimes.attempt(&text, image) {
            Err(error) if error.is_of_this_node() => {
                tracing::info!(image = %hash, %error, "the code of an image is not tried here");
                Vec::new()
            }
            loaded => loaded?,
        };
        if let Err(error) = self.unless_revoked(hash) {
            // It was revoked meanwhile, perhaps before its code was kept.
            self.runtimes.forget(&text)?;
            return Err(error);
        }
        Ok(definitions)
    }

    /// The runtime of processes, where they are allowed.
    pub(crate) fn processes(&self) -> Option<&ProcessRuntime> {
        self.runtimes.process()
    }

    /// What the actors of images use here, in no order.
    pub(crate) fn usage(&self) -> Usage {
        self.runtimes.usage()
    }

    /// Makes the actor types of a stored image ready to be created from, if this node may use it: what its own authority
    /// has not been asked about it may not. Blocks on the disk and the compiler.
    pub(crate) fn load(&self, hash: SourceHash) -> Result<(), TransferError> {
        let text = hash.to_string();
        self.room.note_use(hash);
        let is_loaded = || self.hosting.has_image(&text);
        if is_loaded() && self.may_run(hash) {
            return Ok(());
        }
        let _one_at_a_time = self.loading.lock();
        if is_loaded() && self.may_run(hash) {
            return Ok(());
        }
        self.is_let(hash)?;
        let image = self.read(hash)?;
        self.verify(image.image())?;
        if is_loaded() {
            return Ok(());
        }
        let definitions = self.runtimes.load(&text, image.image())?;
        self.hosting.add_image(&text, definitions);
        if let Err(error) = self.store.note_use(image.hash()) {
            tracing::debug!(image = %hash, %error, "it is not noted that an image is used");
        }
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
            Some((hash, Err(TransferError::Revoked(_)))) => {
                tracing::debug!(image = %hash, "the image of a check was revoked");
            }
            Some((hash, Err(error))) if error.is_of_this_node() || matches!(error, TransferError::NotLet(_)) => {
                tracing::debug!(image = %hash, %error, "this node cannot run the code for a check");
            }
            Some((hash, Err(error))) => tracing::warn!(image = %hash, %error, "an image in the store cannot be used"),
            _ => {}
        }
        hosting.check(image.map(|h| h.to_string()).as_deref(), actor, capabilities, requirements)
    }

    pub(crate) fn remove(&self, hash: SourceHash) {
        self.room.forget(hash);
        self.asked.forget(hash);
        self.running.stop(hash);
        self.wholes.forget(hash);
        self.small.take(hash);
        self.brought.take(hash);
        if let Err(error) = self.store.remove(sourceauth::SourceHash(hash.0)) {
            tracing::warn!(image = %hash, %error, "an unloaded image stays on disk");
        }
        self.own.forget(hash);
    }

    /// Nothing is created from an image any more once this returns, its bytes and its code are gone, and they do not
    /// come back. Its actors go on, unless they are to `end`: then they are asked to exit. Blocks, and may be repeated.
    pub(crate) fn revoke(&self, hash: SourceHash, end: bool) -> Result<(), TransferError> {
        self.revoked.lock().insert(hash);
        self.room.forget(hash);
        self.asked.forget(hash);
        self.running.stop(hash);
        self.wholes.forget(hash);
        self.small.take(hash);
        self.brought.take(hash);
        // A load that has begun ends first; later ones find it revoked.
        let _one_at_a_time = self.loading.lock();
        let text = hash.to_string();
        self.hosting.revoke_image(&text, end);
        self.runtimes.forget(&text)?;
        self.store.remove(sourceauth::SourceHash(hash.0))?;
        self.own.forget(hash);
        Ok(())
    }
}
