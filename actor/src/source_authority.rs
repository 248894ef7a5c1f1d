//! What a Source Authority that is an actor is asked, and what it answers. [`crate::Context::register_source_authority`]
//! asks to be one.
//!
//! An image is not in the question: it may be larger than all the memory that an actor has. It is read piece by piece,
//! and what is to be used in its place, a decrypted one, is handed over piece by piece. All of this is messages, so an
//! authority is the same on every runtime and on any node. Each question comes from an address of its own: answers go
//! there, as [`crate::Context::reply`] sends them, and count for that image only.

use serde::{Deserialize, Serialize};

/// Bytes of an image in one [`SourceBytes`] at most.
pub const SOURCE_PIECE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the reason for a rejection at most; a longer one is cut.
pub const REJECTION_BYTES_MAX: usize = 1_024;

/// An image waits for the authority's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateSource {
    /// The SHA-256 of the bytes that were pushed, in hexadecimal digits.
    pub hash: String,
    /// How many bytes these are.
    pub size_bytes: u64,
    /// From its manifest; none where the bytes are no image, because they are encrypted, say.
    pub name: Option<String>,
    /// From its manifest.
    pub version: Option<String>,
    /// The signatures and statements that came along, as they were given. Nobody has looked at them.
    pub signatures: Vec<String>,
    /// How long the verdict is waited for.
    pub answer_ms: u64,
}

/// Asks for a piece of the image that waits for a verdict; answered by [`SourceBytes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSource {
    /// As in the question.
    pub hash: String,
    /// Where the piece begins.
    pub offset: u64,
    /// How many bytes it has at most. It never has more than [`SOURCE_PIECE_BYTES_MAX`], and none behind the end.
    pub bytes_max: u64,
}

/// A piece of an image: to the authority what it asked for, from the authority a part of what is to be used in its place.
///
/// The authority hands over one piece behind the other. One that begins at 0 begins anew, so an actor that failed and was
/// rebuilt may do so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBytes {
    /// As in the question; empty from an actor that has an image loaded ([`crate::LoadSource`]).
    pub hash: String,
    /// Where the piece begins.
    pub offset: u64,
    /// The piece.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
}

/// The authority's verdict. The first one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedSource {
    /// As in the question.
    pub hash: String,
    /// What it says.
    pub verdict: SourceVerdict,
}

/// What an authority says of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceVerdict {
    /// It may be used as it is.
    Approved,
    /// What was handed over may be used in its place, and has the hash that its bytes have.
    ApprovedAs {
        /// How many bytes were handed over, so that none of them is missing.
        size_bytes: u64,
    },
    /// It may not be used.
    Rejected {
        /// Why, for people to read.
        reason: String,
    },
}

impl ValidatedSource {
    /// The image may be used as it is.
    pub fn approved(hash: impl Into<String>) -> Self {
        Self { hash: hash.into(), verdict: SourceVerdict::Approved }
    }

    /// What was handed over, so many bytes, may be used in its place.
    pub fn approved_as(hash: impl Into<String>, size_bytes: u64) -> Self {
        Self { hash: hash.into(), verdict: SourceVerdict::ApprovedAs { size_bytes } }
    }

    /// The image may not be used.
    pub fn rejected(hash: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { hash: hash.into(), verdict: SourceVerdict::Rejected { reason: reason.into() } }
    }
}
