//! Why bytes are not an image.

use super::NameError;
use crate::ManifestError;
use crate::limits::{ENTRIES_MAX, ENTRY_BYTES_MAX, IMAGE_BYTES_MAX, MANIFEST_BYTES_MAX, RATIO_MAX, UNPACKED_BYTES_MAX};
use std::fmt;

/// Why bytes are not an image, or why a file of one cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ImageError {
    #[error("image of {bytes} bytes is larger than {IMAGE_BYTES_MAX} bytes")]
    TooLarge { bytes: u64 },
    #[error("not a zip file: {bytes} bytes are fewer than the 22 of an empty one")]
    TooShort { bytes: usize },
    #[error("not a whole zip file: its last 22 bytes are not an end record without a comment")]
    NoEndRecord,
    #[error("zip in several parts: expected a single file")]
    SeveralParts,
    #[error("zip64 file: expected the plain format, which holds every image of up to {IMAGE_BYTES_MAX} bytes")]
    Zip64,
    #[error("zip with {found} entries: expected at most {ENTRIES_MAX}")]
    TooManyEntries { found: u64 },
    #[error("zip directory at bytes {start} to {end}: expected it to end where the end record begins, at {expected}")]
    DirectoryPlace { start: u64, end: u64, expected: u64 },
    #[error("zip directory broken at byte {at}: expected entry {entry} of {count}")]
    DirectoryBroken { at: u64, entry: usize, count: usize },
    #[error("zip directory goes on after its {count} entries, at byte {at}")]
    DirectoryLonger { at: u64, count: usize },
    #[error("entry {entry} of the zip: its name {reason}")]
    Name { entry: String, reason: NameError },
    #[error("two entries are named {name:?}")]
    Duplicate { name: String },
    #[error("entries {first:?} and {second:?} differ only in upper and lower case")]
    CaseCollision { first: String, second: String },
    #[error("entry {file:?} is a file, and {inside:?} would be inside it")]
    FileAsFolder { file: String, inside: String },
    #[error("entry {name:?} is a {found}: expected regular files and folders only")]
    NotAFile { name: String, found: &'static str },
    #[error("entry {name:?} is encrypted")]
    Encrypted { name: String },
    #[error("entry {name:?} has the flags {flags:#06x}: expected sizes in its header and no other feature")]
    Flags { name: String, flags: u16 },
    #[error("entry {name:?} is packed by method {method}: expected 0 (stored) or 8 (deflate)")]
    Method { name: String, method: u16 },
    #[error("entry {name:?} has the extra field {id:#06x}, which would change its name, size or contents")]
    ExtraField { name: String, id: u16 },
    #[error("entry {name:?} has extra fields that are cut off")]
    ExtraBroken { name: String },
    #[error("entry {name:?} of {bytes} bytes unpacked is larger than {ENTRY_BYTES_MAX} bytes")]
    EntryTooLarge { name: String, bytes: u64 },
    #[error("entries of {bytes} bytes unpacked are larger than {UNPACKED_BYTES_MAX} bytes")]
    UnpackedTooLarge { bytes: u64 },
    #[error("entry {name:?} unpacks from {packed} to {unpacked} bytes: expected at most {RATIO_MAX} times")]
    Ratio { name: String, packed: u64, unpacked: u64 },
    #[error("folder {name:?} has {bytes} bytes of contents")]
    FolderWithContents { name: String, bytes: u64 },
    #[error("stored entry {name:?} has {packed} bytes packed and {unpacked} unpacked: expected the same")]
    StoredSize { name: String, packed: u64, unpacked: u64 },
    #[error("entry {name:?}: no header at byte {at}")]
    HeaderMissing { name: String, at: u64 },
    #[error("entry {name:?}: its own header and the zip directory disagree on its {field}")]
    HeadersDisagree { name: String, field: HeaderField },
    #[error("entries {first:?} and {second:?} overlap at byte {at}")]
    Overlap { first: String, second: String, at: u64 },
    #[error("bytes {start} to {end} of the zip belong to no entry")]
    UnlistedBytes { start: u64, end: u64 },
    #[error("entry {name:?} can be read in two ways")]
    Ambiguous { name: String },
    #[error("zip cannot be read: {reason}")]
    Zip { reason: String },
    #[error("entry {name:?} cannot be unpacked: {reason}")]
    Unreadable { name: String, reason: String },
    #[error("entry {name:?} says {said} bytes and unpacks to {unpacked} or more")]
    SizeLies { name: String, said: u64, unpacked: u64 },
    #[error("no odeon.toml at the top of the zip")]
    ManifestMissing,
    #[error("odeon.toml of {bytes} bytes is larger than {MANIFEST_BYTES_MAX} bytes")]
    ManifestTooLarge { bytes: u64 },
    #[error("odeon.toml is not UTF-8 text")]
    ManifestNotText,
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("no file {code:?} in the image, which odeon.toml names as its code")]
    CodeMissing { code: String },
    #[error("no file {path:?} in the image")]
    NoSuchFile { path: String },
}

/// What the two headers of one entry can disagree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HeaderField {
    Name,
    Flags,
    Method,
    Checksum,
    PackedSize,
    UnpackedSize,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Flags => "flags",
            Self::Method => "packing method",
            Self::Checksum => "checksum",
            Self::PackedSize => "packed size",
            Self::UnpackedSize => "unpacked size",
        })
    }
}

impl ImageError {
    /// Whether the image is beyond a limit on size or count, rather than malformed.
    pub fn is_too_large(&self) -> bool {
        use ImageError as E;
        matches!(
            self,
            E::TooLarge { .. }
                | E::TooManyEntries { .. }
                | E::EntryTooLarge { .. }
                | E::UnpackedTooLarge { .. }
                | E::Ratio { .. }
                | E::ManifestTooLarge { .. }
                | E::Manifest(ManifestError::TooLarge { .. } | ManifestError::TooLong { .. })
                | E::Manifest(ManifestError::TooMany { .. })
        )
    }

    pub(super) fn library(error: zip::result::ZipError) -> Self {
        Self::Zip { reason: error.to_string() }
    }
}
