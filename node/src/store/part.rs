//! An image that comes in chunk by chunk, in any order: kept on disk until it is whole, also over a restart.
//!
//! The file has the image's bytes where they belong and, behind them, the hashes of its chunks. What is in it is believed
//! only once it is hashed again. Of these files a few are kept, for a while.

use super::{Place, Store, StoreError, Stored};
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_sourceauth::{Hashing, SourceHash};
use parking_lot::Mutex;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Images that are kept in part; the one goes of which nothing came for longest.
pub const PARTS_MAX: usize = 16;
/// How long a part is kept to which nothing comes.
pub const PART_AGE_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Bytes behind the image: the hashes of as many chunks as an image has at most.
const TAIL_BYTES_MAX: u64 = 32 * 1024;

pub(super) const PART_EXTENSION: &str = "fetch";

/// An image that is on its way. Dropping it keeps what has come.
#[derive(Debug)]
pub struct Part {
    store: Store,
    expected: Stored,
    path: PathBuf,
    file: Mutex<File>,
    _place: Place,
}

impl Store {
    /// Goes on with an image that comes in chunks, or begins one.
    pub fn part(&self, expected: SourceHash, size_bytes: u64) -> Result<Part, StoreError> {
        if size_bytes > IMAGE_BYTES_MAX as u64 {
            return Err(StoreError::TooLarge { hash: expected, bytes: size_bytes });
        }
        let place = Place::take(&self.incoming).ok_or(StoreError::TooManyIncoming)?;
        let path = self.part_path(expected);
        if !path.exists() {
            self.prune_parts(PARTS_MAX - 1)?;
        }
        let open = || {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            if file.metadata()?.len() < size_bytes || file.metadata()?.len() > size_bytes + TAIL_BYTES_MAX {
                file.set_len(size_bytes)?;
            }
            Ok(file)
        };
        let file = open().map_err(|e| StoreError::write(&path, e))?;
        let expected = Stored { hash: expected, size_bytes };
        Ok(Part { store: self.clone(), expected, path, file: Mutex::new(file), _place: place })
    }

    /// Removes what has come of an image that is not whole.
    pub fn remove_part(&self, hash: SourceHash) -> Result<(), StoreError> {
        let path = self.part_path(hash);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::write(&path, e)),
            _ => Ok(()),
        }
    }

    /// Removes parts that are too old, and of the others the oldest, until there are no more than these.
    pub(super) fn prune_parts(&self, parts_max: usize) -> Result<(), StoreError> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|e| StoreError::read(&self.folder, e))? {
            let path = entry.map_err(|e| StoreError::read(&self.folder, e))?.path();
            if path.extension().is_some_and(|e| e == PART_EXTENSION) {
                let changed = fs::metadata(&path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                parts.push((changed, path));
            }
        }
        parts.sort();
        let too_many = parts.len().saturating_sub(parts_max);
        for (n, (changed, path)) in parts.iter().enumerate() {
            let old = changed.elapsed().is_ok_and(|age| age > PART_AGE_MAX);
            if n < too_many || old {
                remove_if_there(path)?;
            }
        }
        Ok(())
    }

    fn part_path(&self, hash: SourceHash) -> PathBuf {
        self.folder.join(format!("{hash}.{PART_EXTENSION}"))
    }
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::write(path, e)),
        _ => Ok(()),
    }
}

impl Part {
    /// What is kept behind the image; nothing at first.
    pub fn tail(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let mut file = self.file.lock();
        let read = file.seek(SeekFrom::Start(self.expected.size_bytes));
        read.and_then(|_| (&mut *file).take(TAIL_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|e| StoreError::read(&self.path, e))?;
        Ok(bytes)
    }

    /// Keeps something behind the image, in place of what was there.
    pub fn set_tail(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.lock().set_len(self.expected.size_bytes).map_err(|e| StoreError::write(&self.path, e))?;
        self.write(self.expected.size_bytes, bytes)
    }

    /// Keeps bytes of the image where they belong.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.file.lock();
        let wrote = file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes));
        wrote.map_err(|e| StoreError::write(&self.path, e))
    }

    /// Reads bytes of the image, whether they have come or not.
    pub fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        let mut file = self.file.lock();
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| StoreError::read(&self.path, e))?;
        Ok(bytes)
    }

    /// Checks the hash of the whole, and makes the bytes durable. What has another hash is removed.
    pub fn check(&self) -> Result<(), StoreError> {
        let Stored { hash: expected, size_bytes } = self.expected;
        let failed = |e| StoreError::write(&self.path, e);
        let mut file = self.file.lock();
        file.set_len(size_bytes).map_err(failed)?;
        let found = hash_of(&mut file).map_err(|e| StoreError::read(&self.path, e))?;
        if found != expected {
            drop(file);
            self.store.remove_part(expected)?;
            return Err(StoreError::HashMismatch { expected, found });
        }
        file.sync_all().map_err(failed)
    }

    /// Gives the file its name, once it is checked.
    pub fn finish(&self) -> Result<(), StoreError> {
        let path = self.store.path(self.expected.hash);
        fs::rename(&self.path, &path).map_err(|e| StoreError::write(&path, e))?;
        self.store.sync_folder()
    }
}

fn hash_of(file: &mut File) -> io::Result<SourceHash> {
    let (mut hashing, mut buffer) = (Hashing::new(), vec![0; 64 * 1024]);
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hashing.finish()),
            n => hashing.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bytes: &[u8]) -> SourceHash {
        odeon_sourceauth::hash(bytes)
    }

    #[test]
    fn what_has_come_is_there_after_a_restart_and_becomes_the_image_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
        let hash = expected(&bytes);
        let store = Store::open(dir.path()).unwrap();
        let part = store.part(hash, 1000).unwrap();
        assert!(part.tail().unwrap().is_empty());
        part.set_tail(b"hashes").unwrap();
        part.write(600, &bytes[600..]).unwrap();
        drop((part, store));
        let store = Store::open(dir.path()).unwrap();
        let part = store.part(hash, 1000).unwrap();
        assert_eq!((part.tail().unwrap(), part.read(600, 400).unwrap()), (b"hashes".to_vec(), bytes[600..].to_vec()));
        assert!(!store.contains(hash) && store.list().unwrap().is_empty());
        part.write(0, &bytes[..600]).unwrap();
        part.check().unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read(dir.path().join(format!("{hash}.zip"))).unwrap(), bytes);
        assert!(store.contains(hash) && !store.part_path(hash).exists());
    }

    #[test]
    fn a_part_that_is_another_image_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let part = store.part(expected(b"right"), 5).unwrap();
        part.write(0, b"wrong").unwrap();
        assert!(matches!(part.check(), Err(StoreError::HashMismatch { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn parts_are_few_and_not_old() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let hashes: Vec<SourceHash> = (0..PARTS_MAX as u8 + 3).map(|n| expected(&[n])).collect();
        for (n, hash) in hashes.iter().enumerate() {
            let part = store.part(*hash, 1).unwrap();
            let changed = SystemTime::now() - Duration::from_secs(1000 - n as u64);
            part.file.lock().set_modified(changed).unwrap();
        }
        let kept: Vec<bool> = hashes.iter().map(|hash| store.part_path(*hash).exists()).collect();
        assert_eq!(kept, (0..PARTS_MAX + 3).map(|n| n >= 3).collect::<Vec<_>>());
        let aged = File::options().write(true).open(store.part_path(hashes[5])).unwrap();
        aged.set_modified(SystemTime::now() - PART_AGE_MAX - Duration::from_secs(1)).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert!(!store.part_path(hashes[5]).exists() && store.part_path(hashes[6]).exists());
    }
}
