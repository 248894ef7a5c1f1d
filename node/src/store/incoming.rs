//! An image that comes in piece by piece: hashed on the way, visible only when it is whole.

use super::{PART_PREFIX, PART_SUFFIX, Place, Store, StoreError, Stored};
use odeon_sourceauth::Hashing;
use std::io::Write;
use tempfile::NamedTempFile;

/// An image that is coming in. Dropping it removes what was written.
#[derive(Debug)]
pub struct Incoming {
    store: Store,
    expected: Stored,
    file: NamedTempFile,
    hashing: HashingState,
    received_bytes: u64,
    broken: bool,
    _place: Place,
}

/// A hash in progress says nothing that is worth printing.
struct HashingState(Hashing);

impl std::fmt::Debug for HashingState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashing")
    }
}

impl Incoming {
    pub(super) fn begin(store: &Store, place: Place, expected: Stored) -> Result<Self, StoreError> {
        let file = tempfile::Builder::new()
            .prefix(PART_PREFIX)
            .suffix(PART_SUFFIX)
            .tempfile_in(&store.folder)
            .map_err(|e| StoreError::write(&store.folder, e))?;
        Ok(Self {
            store: store.clone(),
            expected,
            file,
            hashing: HashingState(Hashing::new()),
            received_bytes: 0,
            broken: false,
            _place: place,
        })
    }

    /// Takes the next bytes. After an error it cannot be finished any more.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let received = self.received_bytes + chunk.len() as u64;
        if received > self.expected.size_bytes {
            self.broken = true;
            return Err(self.wrong_size(received));
        }
        if let Err(e) = self.file.write_all(chunk) {
            self.broken = true;
            return Err(StoreError::write(&self.store.path(self.expected.hash), e));
        }
        self.hashing.0.update(chunk);
        self.received_bytes = received;
        Ok(())
    }

    /// How many bytes came in.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Checks size and hash, makes the bytes durable, and only then gives the file its name.
    pub fn finish(self) -> Result<(), StoreError> {
        let Stored { hash: expected, size_bytes } = self.expected;
        if self.broken {
            return Err(StoreError::Broken { hash: expected });
        }
        if self.received_bytes != size_bytes {
            return Err(self.wrong_size(self.received_bytes));
        }
        let found = self.hashing.0.finish();
        if found != expected {
            return Err(StoreError::HashMismatch { expected, found });
        }
        let path = self.store.path(expected);
        let failed = |e| StoreError::write(&path, e);
        self.file.as_file().sync_all().map_err(failed)?;
        self.file.persist(&path).map_err(|e| failed(e.error))?;
        self.store.sync_folder()
    }

    fn wrong_size(&self, received: u64) -> StoreError {
        StoreError::Size { hash: self.expected.hash, expected: self.expected.size_bytes, received }
    }
}
