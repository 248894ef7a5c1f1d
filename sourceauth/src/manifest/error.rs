//! Why a manifest is refused: the line, the key, what was found and what was expected.

use crate::limits::MANIFEST_BYTES_MAX;

/// Why a text is not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ManifestError {
    #[error("odeon.toml of {bytes} bytes is larger than {MANIFEST_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("odeon.toml line {line}: {reason}")]
    Toml { line: usize, reason: String },
    #[error("odeon.toml line {line}, {key}: found {found:?}, expected {expected}")]
    Value { line: usize, key: &'static str, found: String, expected: String },
    #[error("odeon.toml line {line}, {key}: found {bytes} bytes, expected at most {max}")]
    TooLong { line: usize, key: &'static str, bytes: usize, max: usize },
    #[error("odeon.toml line {line}, {key}: found {found} entries, expected at most {max}")]
    TooMany { line: usize, key: &'static str, found: usize, max: usize },
    #[error("odeon.toml: found no actor, expected at least one [[actor]]")]
    NoActor,
}
