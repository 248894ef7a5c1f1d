//! The one type whose values may be executed. Only this crate can build one.

use crate::limits::IMAGE_BYTES_MAX;
use crate::{Image, ImageError, SourceHash, Statement};
use std::sync::Arc;

/// An image that an authority approved, or whose hash was approved elsewhere and whose bytes have that hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    image: Image,
    approval: Approval,
}

/// Who approved an image, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The authority, or the signer's principals.
    pub by: String,
    /// For people to read.
    pub reason: String,
    /// Every signature that counted; none from an authority that asks for none.
    pub endorsements: Vec<Endorsement>,
    /// The last second in which enough of them count, in seconds since 1970; none for always.
    pub until_unix_s: Option<u64>,
}

/// A signature that approves an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// The signer's principals.
    pub by: String,
    /// Of the key, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// For people to read.
    pub reason: String,
    /// What was signed, if not the image's file.
    pub statement: Option<Statement>,
    /// As it came: the signature, behind the statement if there is one.
    pub text: String,
}

impl Approval {
    pub(crate) fn unsigned(by: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { by: by.into(), reason: reason.into(), endorsements: Vec::new(), until_unix_s: None }
    }

    pub(crate) fn signed(endorsements: Vec<Endorsement>, until_unix_s: Option<u64>) -> Self {
        let mut by: Vec<&str> = Vec::new();
        for one in &endorsements {
            if !by.contains(&one.by.as_str()) {
                by.push(&one.by);
            }
        }
        let by = by.join(" and ");
        let reasons: Vec<&str> = endorsements.iter().map(|e| e.reason.as_str()).collect();
        Self { by, reason: reasons.join(", and "), endorsements, until_unix_s }
    }
}

/// Why bytes are not the approved image. Fetching them again may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ApprovedError {
    #[error("bytes have the source hash {found}: expected {expected}")]
    HashMismatch { expected: SourceHash, found: SourceHash },
    #[error("approved image {hash} is not well formed")]
    Malformed { hash: SourceHash, source: ImageError },
}

impl Verified {
    pub(crate) fn new(image: Image, approval: Approval) -> Self {
        Self { image, approval }
    }

    /// Builds it again from bytes that came over a network or from a disk and the hash that was approved.
    ///
    /// The caller vouches that `expected` comes from whoever approves images, never from where the bytes come from.
    pub fn from_approved(bytes: impl Into<Arc<[u8]>>, expected: SourceHash) -> Result<Self, ApprovedError> {
        let bytes = bytes.into();
        let malformed = |source| ApprovedError::Malformed { hash: expected, source };
        let found = crate::hash(&bytes);
        if found != expected {
            return Err(ApprovedError::HashMismatch { expected, found });
        }
        // After the hash: of a file that grew on disk the hash is what is wrong.
        if bytes.len() > IMAGE_BYTES_MAX {
            return Err(malformed(ImageError::TooLarge { bytes: bytes.len() as u64 }));
        }
        let image = Image::open_hashed(bytes, found).map_err(malformed)?;
        let approval = Approval::unsigned("convention", format!("{expected} was approved earlier"));
        Ok(Self { image, approval })
    }

    /// The image.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Its source hash.
    pub fn hash(&self) -> SourceHash {
        self.image.hash()
    }

    /// Who approved it, and why.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }
}
