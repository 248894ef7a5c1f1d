//! What an actor says to its node to have an image loaded or unloaded, and what it is answered.
//! [`crate::Context::load_source`] and [`crate::Context::unload_source`] say it.
//!
//! It is said to [`crate::Address::NODE`], and all of it is messages: so it is the same on every runtime and in every
//! language. The file goes in pieces, as a Source Authority hands them over: an actor need not have all of it in memory.
//!
//! ```
//! use odeon::{Address, Context, LoadSource, SOURCE_PIECE_BYTES_MAX, SourceBytes};
//!
//! /// What `cx.load_source` does, with a file that is read a piece at a time.
//! fn load(mut file: impl std::io::Read, cx: &Context) -> std::io::Result<()> {
//!     let mut offset = 0;
//!     loop {
//!         let mut bytes = vec![0; SOURCE_PIECE_BYTES_MAX];
//!         let length = file.read(&mut bytes)?;
//!         if length == 0 {
//!             break;
//!         }
//!         bytes.truncate(length);
//!         cx.send(Address::NODE, SourceBytes { hash: String::new(), offset, bytes });
//!         offset += length as u64;
//!     }
//!     cx.send(Address::NODE, LoadSource { size_bytes: offset, signatures: Vec::new() });
//!     Ok(())
//! }
//! ```

use serde::{Deserialize, Serialize};

/// What was handed over before, by [`crate::SourceBytes`] without a hash, is to be loaded. Answered by [`SourceLoaded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSource {
    /// How many bytes were handed over, so that none of them is missing.
    pub size_bytes: u64,
    /// Signatures and signed statements on it, as their files have them.
    #[serde(default)]
    pub signatures: Vec<String>,
}

/// An image is to be unloaded. Answered by [`SourceUnloaded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnloadSource {
    /// Its source hash, in hexadecimal digits.
    pub hash: String,
}

/// What became of an image that the actor had loaded. Images are loaded, and answered, in the order in which they were
/// handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLoaded {
    /// The SHA-256 of the bytes that were handed over, in hexadecimal digits; empty where they were not all there.
    pub pushed: String,
    /// What became of it.
    pub outcome: LoadOutcome,
}

/// What became of an image that an actor had loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadOutcome {
    /// It may be used from now on, as with any push.
    Approved {
        /// Its source hash, as a creation names it: that of the bytes, unless the authority made something else of them.
        hash: String,
        /// From its manifest.
        name: String,
        /// From its manifest.
        version: String,
    },
    /// It may not be used. The same file meets the same refusal, until somebody changes what the authority goes by.
    Rejected {
        /// The number of the error: 125 is OD-125.
        code: u16,
        /// Why, for people to read.
        reason: String,
    },
    /// Nobody has decided: the leader was not reached, say. To load it again may help.
    Failed {
        /// The number of the error.
        code: u16,
        /// Why, for people to read.
        reason: String,
    },
}

/// What became of an image that the actor wanted to be unloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceUnloaded {
    /// As it was asked for.
    pub hash: String,
    /// Why it is not unloaded: the number of the error, and words for people to read. None where it is.
    pub refusal: Option<(u16, String)>,
}
