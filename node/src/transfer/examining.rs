//! What a node lets an actor of its own decide (`--image-authority`), whatever its leader has approved: whether it uses an
//! image. What the actor has said holds until the next start. It only approves or rejects: an image's hash is the
//! convention's, so nothing takes its place.

use super::{Images, TransferError};
use crate::hosting::{Hosting, NoWord, Question};
use hashbrown::HashMap;
use odeon_convention::types::SourceHash;
use odeon_sourceauth::{Image, Verified, Word};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Why an actor of this node does not let it use an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotLet {
    #[error("this node's own Source Authority (--image-authority {actor}) rejects image {hash}, OD-179: {reason}")]
    Rejected { actor: String, hash: SourceHash, reason: String },
    #[error("this node's own Source Authority (--image-authority {actor}) has not spoken on image {hash}, OD-180{why}")]
    Silent { actor: String, hash: SourceHash, why: String },
    #[error(
        "this node's own Source Authority (--image-authority {actor}) {why}, OD-181: it has not approved image {hash}"
    )]
    Absent { actor: String, hash: SourceHash, why: String },
}

impl NotLet {
    /// Whether this was a word, and not the want of one.
    fn is_final(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }
}

/// The actor of this node that decides, as this file knows it.
pub(crate) struct OwnAuthority {
    actor: String,
    answer: Duration,
    /// What came of every image that it was asked about.
    said: Mutex<HashMap<SourceHash, Result<(), NotLet>>>,
    /// It is asked about one image at a time.
    turn: tokio::sync::Mutex<()>,
}

impl OwnAuthority {
    /// An actor of this type, which is given so long for each image.
    pub(crate) fn new(actor: String, answer: Duration) -> Self {
        Self { actor, answer, said: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Whether the image may be used, as far as that is known.
    pub(super) fn lets(&self, hash: SourceHash) -> Result<(), NotLet> {
        let unasked = || NotLet::Silent { actor: self.actor.clone(), hash, why: ": it was not asked yet".to_owned() };
        self.said.lock().get(&hash).cloned().unwrap_or_else(|| Err(unasked()))
    }

    /// Whether it has spoken: it is not asked again then.
    fn has_said(&self, hash: SourceHash) -> bool {
        self.said.lock().get(&hash).is_some_and(|said| said.as_ref().err().is_none_or(NotLet::is_final))
    }

    pub(super) fn forget(&self, hash: SourceHash) {
        self.said.lock().remove(&hash);
    }

    /// Asks about an image, unless it has spoken on it. What comes of it is kept.
    async fn ask(&self, hosting: &Arc<Hosting>, image: &Image, signatures: Vec<String>) -> Result<(), NotLet> {
        let hash = SourceHash(image.hash().0);
        let _turn = self.turn.lock().await;
        if self.has_said(hash) {
            return self.lets(hash);
        }
        let said = self.word(hosting, hash, image, signatures).await;
        match &said {
            Ok(()) => tracing::info!(image = %hash, "this node's own Source Authority approves an image"),
            Err(why) => tracing::warn!(image = %hash, error = %why, "this node does not use an image"),
        }
        self.said.lock().insert(hash, said.clone());
        said
    }

    async fn word(
        &self,
        hosting: &Arc<Hosting>,
        hash: SourceHash,
        image: &Image,
        signatures: Vec<String>,
    ) -> Result<(), NotLet> {
        let absent = |why: &str| NotLet::Absent { actor: self.actor.clone(), hash, why: why.to_owned() };
        let is_gone = || absent("is gone until the next start of the node");
        let who = hosting.own_authority().ok_or_else(is_gone)?;
        let manifest = image.manifest();
        let question = Question {
            bytes: image.bytes().clone(),
            hash: hash.to_string(),
            name: Some(manifest.name.clone()),
            version: Some(manifest.version.to_string()),
            signatures,
        };
        let word = tokio::select! {
            word = hosting.examine(&who, &question, self.answer) => word,
            () = hosting.own_is_gone() => Err(NoWord::Gone),
        };
        match word {
            Ok(Word::Approved) => Ok(()),
            Ok(Word::Rejected { reason }) => Err(NotLet::Rejected { actor: self.actor.clone(), hash, reason }),
            Ok(Word::ApprovedAs(_)) => Err(absent("approves something else in its place, which no node's own may do")),
            Err(NoWord::Gone) => Err(is_gone()),
            Err(NoWord::Silent) => {
                let why = format!(" within {} s", self.answer.as_secs_f32());
                Err(NotLet::Silent { actor: self.actor.clone(), hash, why })
            }
            Err(NoWord::Ended(why)) => Err(absent(&why)),
            Err(NoWord::Unasked(error)) => Err(absent(&format!("cannot be asked ({error})"))),
        }
    }
}

impl Images {
    /// Whether this node's own authority, where it has one, lets it use an image, as far as that is known.
    pub(super) fn is_let(&self, hash: SourceHash) -> Result<(), TransferError> {
        Ok(self.own.authority.as_ref().map_or(Ok(()), |own| own.lets(hash))?)
    }

    /// Runs what blocks and loads an image, once this node's own authority was asked about that.
    pub(crate) fn once_examined(self: &Arc<Self>, image: Option<SourceHash>, work: impl FnOnce() + Send + 'static) {
        let has_said = |hash: &SourceHash| self.own.authority.as_ref().is_none_or(|own| own.has_said(*hash));
        let Some(hash) = image.filter(|hash| !has_said(hash)) else {
            tokio::task::spawn_blocking(work);
            return;
        };
        let images = self.clone();
        tokio::spawn(async move {
            // Where there is no word, the load says why.
            if let Err(error) = images.examine(hash).await {
                tracing::debug!(image = %hash, %error, "an image was not examined");
            }
            let _ = tokio::task::spawn_blocking(work).await;
        });
    }

    /// Has this node's own authority say whether it may use an image that is in the store, and that its signers, where it
    /// has some, have approved.
    pub(super) async fn examine(self: &Arc<Self>, hash: SourceHash) -> Result<(), TransferError> {
        let Some(own) = &self.own.authority else { return Ok(()) };
        if own.has_said(hash) {
            return Ok(own.lets(hash)?);
        }
        let images = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let image = images.read(hash)?;
            images.verify(image.image())?;
            let signers = images.own.signers.as_ref();
            let signatures = signers.map_or(Ok(Vec::new()), |signers| signers.kept(hash))?;
            Ok::<_, TransferError>((image, signatures))
        });
        let (image, signatures) = read.await.map_err(std::io::Error::other)??;
        Ok(own.ask(&self.hosting, image.image(), signatures).await?)
    }

    /// The same of an image that was just approved and is not in the store yet. Blocks until it has spoken.
    pub(super) fn examine_approved(&self, image: &Verified, signatures: Vec<String>) -> Result<(), TransferError> {
        let Some(own) = &self.own.authority else { return Ok(()) };
        Ok(Handle::current().block_on(own.ask(&self.hosting, image.image(), signatures))?)
    }
}
