//! Why the store cannot do what was asked. After an error nothing half-written is visible.

use super::INCOMING_MAX;
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_sourceauth::{ImageError, SourceHash};
use std::io;
use std::path::{Path, PathBuf};

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    /// Retrying helps once there is room.
    #[error("no room on the disk for {}", path.display())]
    DiskFull { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("image {hash} is not in the store")]
    Unknown { hash: SourceHash },
    /// It is not in the store any more; fetching it again helps.
    #[error("image {hash} has the hash {found} on disk: moved to {}", moved_to.display())]
    Corrupt { hash: SourceHash, found: SourceHash, moved_to: PathBuf },
    #[error("image {hash} has the right hash and is no image that this version reads")]
    NotAnImage { hash: SourceHash, source: ImageError },
    #[error("image {hash} of {bytes} bytes is larger than {IMAGE_BYTES_MAX} bytes")]
    TooLarge { hash: SourceHash, bytes: u64 },
    #[error("more than {INCOMING_MAX} images are coming in at one time")]
    TooManyIncoming,
    #[error("image {hash}: {received} bytes came in, expected {expected}")]
    Size { hash: SourceHash, expected: u64, received: u64 },
    #[error("bytes with the hash {found} came in, expected {expected}")]
    HashMismatch { expected: SourceHash, found: SourceHash },
    #[error("image {hash}: writing failed before, so it cannot be finished")]
    Broken { hash: SourceHash },
}

impl StoreError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as K;
        let path = path.to_owned();
        match source.kind() {
            // A quota or a limit on file sizes is a full disk to whoever meets it.
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Self::DiskFull { path, source },
            _ => Self::Write { path, source },
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}
