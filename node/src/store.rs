//! Approved images on disk, one file each, named by their source hash.
//!
//! A file appears whole or not at all, and its bytes are hashed on every read: what does not match is moved aside
//! and reported, so that it can be fetched again. It decides nothing about approval: what is put here was verified.
//! All calls block on the disk; asynchronous callers move them to a blocking thread.
//! The folder belongs to one process, which is the one that holds the data folder's lock.

mod aside;
mod error;
mod incoming;
mod part;

pub use error::StoreError;
pub use incoming::Incoming;
pub use part::{PART_AGE_MAX, PARTS_MAX, Part};

use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_sourceauth::{ApprovedError, SourceHash, Verified};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// Images that may be coming in at one time.
pub const INCOMING_MAX: usize = 64;

const EXTENSION: &str = "zip";
const PART_PREFIX: &str = ".incoming-";
const PART_SUFFIX: &str = ".part";

/// A folder of images by source hash. Cheap to clone: clones share the folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    incoming: Arc<AtomicUsize>,
}

/// An image that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its source hash, as its file is named.
    pub hash: SourceHash,
    /// Bytes of its file.
    pub size_bytes: u64,
}

impl Store {
    /// Opens a folder, making it if it is not there, and removes what a crash left half-written.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        make_private(&folder).map_err(|e| StoreError::write(&folder, e))?;
        for entry in fs::read_dir(&folder).map_err(|e| StoreError::read(&folder, e))? {
            let entry = entry.map_err(|e| StoreError::read(&folder, e))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PART_PREFIX) && name.ends_with(PART_SUFFIX) {
                fs::remove_file(entry.path()).map_err(|e| StoreError::write(&entry.path(), e))?;
            }
        }
        let store = Self { folder, incoming: Arc::default() };
        store.prune_parts(PARTS_MAX)?;
        Ok(store)
    }

    /// Stores an image that is all there. Storing it again repairs it.
    pub fn put(&self, image: &Verified) -> Result<(), StoreError> {
        let bytes = image.image().bytes();
        let mut incoming = self.begin(image.hash(), bytes.len() as u64)?;
        incoming.write(bytes)?;
        incoming.finish()
    }

    /// Begins to store an image that comes in pieces. Nothing is visible before [`Incoming::finish`].
    ///
    /// `expected` is the approved hash and `size_bytes` the size that came with it.
    pub fn begin(&self, expected: SourceHash, size_bytes: u64) -> Result<Incoming, StoreError> {
        if size_bytes > IMAGE_BYTES_MAX as u64 {
            return Err(StoreError::TooLarge { hash: expected, bytes: size_bytes });
        }
        let place = Place::take(&self.incoming).ok_or(StoreError::TooManyIncoming)?;
        Incoming::begin(self, place, Stored { hash: expected, size_bytes })
    }

    /// Reads an image and checks its bytes against its hash.
    ///
    /// After [`StoreError::Corrupt`] the store does not have the image any more: fetching it again helps.
    pub fn read(&self, hash: SourceHash) -> Result<Verified, StoreError> {
        let path = self.path(hash);
        let bytes = read_bounded(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => StoreError::Unknown { hash },
            _ => StoreError::read(&path, e),
        })?;
        match Verified::from_approved(bytes, hash) {
            Ok(image) => Ok(image),
            Err(ApprovedError::HashMismatch { found, .. }) => {
                let moved_to = aside::move_aside(&self.folder, &path, hash)?;
                Err(StoreError::Corrupt { hash, found, moved_to })
            }
            Err(ApprovedError::Malformed { source, .. }) => Err(StoreError::NotAnImage { hash, source }),
        }
    }

    /// Reads a piece of an image as it is on disk: whoever gets it checks it.
    pub fn read_piece(&self, hash: SourceHash, at: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let path = self.path(hash);
        let read = || {
            let mut file = File::open(&path)?;
            let mut bytes = vec![0; length];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => StoreError::Unknown { hash },
            _ => StoreError::read(&path, e),
        })
    }

    /// Whether a file of this hash is there. Its bytes are only checked by [`Store::read`].
    pub fn contains(&self, hash: SourceHash) -> bool {
        self.path(hash).is_file()
    }

    /// Everything that is there, sorted by hash.
    pub fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let mut stored = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|e| StoreError::read(&self.folder, e))? {
            let entry = entry.map_err(|e| StoreError::read(&self.folder, e))?;
            let Some(hash) = hash_of(&entry.path()) else { continue };
            match entry.metadata() {
                Ok(found) if found.is_file() => stored.push(Stored { hash, size_bytes: found.len() }),
                Ok(_) => {}
                // It was removed since the folder was read.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(StoreError::read(&entry.path(), e)),
            }
        }
        stored.sort();
        Ok(stored)
    }

    /// The same with the time at which each was last noted to be used, the oldest first.
    pub fn list_by_age(&self) -> Result<Vec<(SystemTime, Stored)>, StoreError> {
        let aged = self.list()?.into_iter().filter_map(|stored| {
            let used = fs::metadata(self.path(stored.hash)).and_then(|file| file.modified());
            match used {
                Ok(used) => Some(Ok((used, stored))),
                // It was removed since the folder was read.
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(e) => Some(Err(StoreError::read(&self.path(stored.hash), e))),
            }
        });
        let mut aged = aged.collect::<Result<Vec<_>, StoreError>>()?;
        aged.sort();
        Ok(aged)
    }

    /// Notes that an image is used now, so that a later start of the node knows.
    pub fn note_use(&self, hash: SourceHash) -> Result<(), StoreError> {
        let path = self.path(hash);
        let noted = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        noted.map_err(|e| StoreError::write(&path, e))
    }

    /// Removes an image and what has come of it, and says whether it was there.
    pub fn remove(&self, hash: SourceHash) -> Result<bool, StoreError> {
        self.remove_part(hash)?;
        let path = self.path(hash);
        match fs::remove_file(&path) {
            Ok(()) => {
                self.sync_folder()?;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(StoreError::write(&path, e)),
        }
    }

    fn path(&self, hash: SourceHash) -> PathBuf {
        self.folder.join(format!("{hash}.{EXTENSION}"))
    }

    /// A new name or a removed one is durable only when the folder is.
    fn sync_folder(&self) -> Result<(), StoreError> {
        File::open(&self.folder).and_then(|f| f.sync_all()).map_err(|e| StoreError::write(&self.folder, e))
    }
}

/// One of [`INCOMING_MAX`] places, given back when it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let one_more = |n| (n < INCOMING_MAX).then_some(n + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Self(count.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Makes a folder that only its owner may look into.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// One byte past the limit is enough to know that a file is not what it was.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let bytes_max = IMAGE_BYTES_MAX as u64 + 1;
    let expected = file.metadata()?.len().min(bytes_max);
    let mut bytes = Vec::with_capacity(expected as usize);
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hash_of(path: &Path) -> Option<SourceHash> {
    let has_extension = path.extension().is_some_and(|e| e == EXTENSION);
    let hash: SourceHash = path.file_stem()?.to_str()?.parse().ok()?;
    (has_extension && path.file_stem()?.to_str()? == hash.to_string()).then_some(hash)
}
