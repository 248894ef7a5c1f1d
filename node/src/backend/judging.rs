//! Judging an image that was pushed: what its authority says, whether it may follow what is there, and whether it runs.

use super::failed;
use super::pending::Waits;
use crate::admin::protocol::{Failed, PushImage};
use crate::causes::{chain, of_data, rejection_code};
use crate::logs::time;
use crate::runtimes::RuntimeError;
use crate::transfer::{ChunkList, Images, TransferError};
use odeon_convention::codes;
use odeon_convention::leader::{ImageState, ImageView};
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::{Endorsement, ImageApproval, ImageInfo, NativeActor, SourceHash};
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_sourceauth::{
    Approved, Authority, Image, ImageError, Keyring, KeyringError, Rollback, Verified, Version, may_follow,
};
use std::sync::Arc;

/// The authority that decides here; none where an actor does.
pub(super) fn authority_of(setting: &AuthoritySetting) -> Result<Option<Authority>, Failed> {
    Ok(Some(match setting {
        AuthoritySetting::Actor { .. } => return Ok(None),
        AuthoritySetting::None => Authority::None,
        AuthoritySetting::AcceptAll => Authority::AcceptAll,
        AuthoritySetting::Keyring { allowed_signers, required, .. } => Authority::Keyring(
            keyring(allowed_signers, *required).map_err(|e| failed(codes::BAD_REQUEST, e.to_string()))?,
        ),
    }))
}

pub(super) fn keyring(allowed_signers: &str, required: u8) -> Result<Keyring, KeyringError> {
    Keyring::parse(allowed_signers, usize::from(required))
}

/// What was pushed.
pub(super) struct Pushed {
    pub(super) hash: odeon_sourceauth::SourceHash,
    pub(super) bytes: Arc<[u8]>,
    /// The image that it is, if it is one.
    pub(super) image: Result<Image, Failed>,
    pub(super) evidence: Vec<String>,
    pub(super) allow_older: bool,
}

/// Who decides, and on which image: what was pushed, or what was made out of it.
pub(super) enum Word {
    Judge(Authority, Image),
    Rejected(Failed),
}

impl Pushed {
    /// Hashes it, and opens it where that is possible. Blocks.
    pub(super) fn of(push: PushImage) -> Result<Self, Failed> {
        let bytes: Arc<[u8]> = push.bytes.into();
        if bytes.len() > IMAGE_BYTES_MAX {
            let error = ImageError::TooLarge { bytes: bytes.len() as u64 };
            return Err(failed(codes::IMAGE_TOO_LARGE, error.to_string()));
        }
        let evidence = push.signature.into_iter().chain(push.more_signatures).collect();
        let hash = odeon_sourceauth::hash(&bytes);
        Ok(Self { hash, image: open(bytes.clone()), bytes, evidence, allow_older: push.allow_older })
    }

    pub(super) fn waits(&self) -> Waits {
        let ImageInfo { hash, name, version, size_bytes, .. } = self.info();
        Waits { hash, name, version, size_bytes }
    }

    /// What is known of it before anybody has decided.
    pub(super) fn info(&self) -> ImageInfo {
        let unknown = || ImageInfo {
            hash: SourceHash(self.hash.0),
            name: String::new(),
            version: String::new(),
            size_bytes: self.bytes.len() as u64,
            actors: Vec::new(),
            chunks: None,
        };
        self.image.as_ref().map_or_else(|_| unknown(), info)
    }
}

/// Opens an image that somebody hands over. Blocks.
pub(super) fn open(bytes: Arc<[u8]>) -> Result<Image, Failed> {
    Image::open(bytes).map_err(|e| {
        let code = if e.is_too_large() { codes::IMAGE_TOO_LARGE } else { codes::IMAGE_MALFORMED };
        failed(code, chain(&e))
    })
}

/// What became of an image that was pushed.
pub(super) struct Judged {
    pub(super) image: ImageInfo,
    pub(super) verdict: Result<Verified, Failed>,
    /// Whether this node may use it too: it may have signers of its own, or an actor that decides.
    pub(super) usable_here: bool,
}

impl Judged {
    fn rejected(image: ImageInfo, why: Failed) -> Self {
        Self { image, verdict: Err(why), usable_here: false }
    }
}

/// Neither the bytes nor the code of what is revoked are kept, not even for a moment.
pub(super) fn unless_revoked(hash: SourceHash, known: &[ImageView]) -> Result<(), Failed> {
    match known.iter().find(|view| view.image.hash == hash && view.state == ImageState::Revoked) {
        Some(revoked) => Err(failed(codes::IMAGE_REVOKED, format!("image {hash} was revoked by {}", revoked.by))),
        None => Ok(()),
    }
}

/// Judges and, where approved, compiles and stores an image. Blocks.
pub(super) fn judge(images: &Images, known: &[ImageView], pushed: &Pushed, word: Word) -> Result<Judged, Failed> {
    let (authority, image) = match word {
        Word::Judge(authority, image) => (authority, image),
        Word::Rejected(why) => return Ok(Judged::rejected(pushed.info(), why)),
    };
    let info = info(&image);
    unless_revoked(info.hash, known)?;
    images
        .has_room_for(info.hash, info.size_bytes)
        .map_err(|error| failed(codes::IMAGE_STORE_FULL, format!("at the leader, {error}")))?;
    let verdict = authority.judge(image, &pushed.evidence, time::now_ms() / 1000);
    let verified = match verdict {
        Ok(verified) => verified,
        Err(rejection) => {
            return Ok(Judged::rejected(info, failed(rejection_code(&rejection), rejection.to_string())));
        }
    };
    if !pushed.allow_older
        && let Err(why) = follows(verified.image(), known)
    {
        return Ok(Judged::rejected(info, failed(codes::IMAGE_OLDER, why.to_string())));
    }
    let usable_here = match images.may_use(&verified) {
        Ok(()) => true,
        Err(error @ (TransferError::NotSigned { .. } | TransferError::NotLet(_))) => {
            tracing::warn!(image = %info.hash, error = chain(&error), "this node approves an image that it does not use");
            false
        }
        Err(error) => return Err(of_data(codes::DATA_UNUSABLE, &error)),
    };
    // Its code is looked at by running a part of it.
    if usable_here {
        images.try_code(info.hash, verified.image()).map_err(unkept(codes::IMAGE_MALFORMED))?;
    }
    images.put(&verified).map_err(unkept(codes::DATA_UNUSABLE))?;
    Ok(Judged { image: info, verdict: Ok(verified), usable_here })
}

/// Whether an image may follow those of its name that are approved, run out or not.
fn follows(image: &Image, known: &[ImageView]) -> Result<(), Rollback> {
    let approved = |view: &&ImageView| matches!(view.state, ImageState::Approved | ImageState::Expired);
    let of_name = known.iter().filter(|view| view.image.name == image.manifest().name);
    let before: Vec<Approved> = of_name
        .filter(approved)
        .map(|view| Approved {
            version: version_of(&view.image.version),
            hash: odeon_sourceauth::SourceHash(view.image.hash.0),
        })
        .collect();
    may_follow(&Approved { version: image.manifest().version.clone(), hash: image.hash() }, &before)
}

/// What is kept of the word on an image that was pushed as `pushed`.
pub(super) fn approval(verified: &Verified, pushed: odeon_sourceauth::SourceHash) -> ImageApproval {
    let word = verified.approval();
    let kept = |e: &odeon_sourceauth::Endorsement| Endorsement {
        by: e.by.clone(),
        fingerprint: e.fingerprint.clone(),
        statement: e.statement.is_some(),
        not_before_unix_s: e.statement.as_ref().and_then(|s| s.not_before_unix_s),
        not_after_unix_s: e.statement.as_ref().and_then(|s| s.not_after_unix_s),
        text: e.text.clone(),
    };
    ImageApproval {
        at_unix_s: time::now_ms() / 1000,
        until_unix_s: word.until_unix_s,
        endorsements: word.endorsements.iter().map(kept).collect(),
        pushed: (pushed != verified.hash()).then_some(SourceHash(pushed.0)),
    }
}

/// What is wrong with an image that was to be kept: that it was revoked meanwhile, or what `code` says.
fn unkept(code: u16) -> impl Fn(TransferError) -> Failed {
    move |error| match error {
        TransferError::Revoked(_) => failed(codes::IMAGE_REVOKED, error.to_string()),
        TransferError::Runtime(RuntimeError::Process(_)) => failed(codes::PROCESS_UNUSABLE, chain(&error)),
        error if code == codes::DATA_UNUSABLE => of_data(code, &error),
        error => failed(code, chain(&error)),
    }
}

fn info(image: &Image) -> ImageInfo {
    let manifest = image.manifest();
    ImageInfo {
        hash: SourceHash(image.hash().0),
        name: manifest.name.clone(),
        version: manifest.version.to_string(),
        size_bytes: image.bytes().len() as u64,
        actors: manifest
            .actors
            .iter()
            .map(|a| NativeActor { name: a.name.clone(), required: manifest.required(a) })
            .collect(),
        chunks: Some(ChunkList::of(image.bytes()).digest()),
    }
}

/// A version; a text that is none, as of no image that was ever opened, is the lowest.
pub(super) fn version_of(text: &str) -> Version {
    text.parse().unwrap_or_else(|_| Version::none())
}
