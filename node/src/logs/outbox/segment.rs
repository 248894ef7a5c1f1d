//! One piece of the spool: a file, or memory while the disk takes no more.
//!
//! An entry is its length, the CRC-32 of its body, and its body; the piece ends at the first entry that is not whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes before an entry's body: length and checksum.
pub(super) const HEAD_BYTES: usize = 8;

enum Place {
    File(File, PathBuf),
    Memory(Vec<u8>),
}

/// One piece of the spool.
pub(super) struct Segment {
    place: Place,
    pub(super) incarnation: u32,
    /// The last number that an entry in it accounts for; 0 while it has none.
    pub(super) last_seq: u64,
    /// Where its bytes end.
    pub(super) end: u64,
    /// Where the first entry begins that is not acknowledged.
    pub(super) start: u64,
}

/// An entry with its length and checksum before it.
pub(super) fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    // A body is a bounded line: its length fits.
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(body).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The first entry's body in `bytes`, if it is whole.
pub(super) fn unframe(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_be_bytes(*length) as usize)?;
    (crc32fast::hash(body) == u32::from_be_bytes(*sum)).then_some(body)
}

impl Segment {
    fn at(place: Place, incarnation: u32, end: u64) -> Self {
        Self { place, incarnation, last_seq: 0, end, start: 0 }
    }

    pub(super) fn create(path: &Path, incarnation: u32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self::at(Place::File(file, path.to_owned()), incarnation, 0))
    }

    pub(super) fn open(path: &Path, incarnation: u32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = file.metadata()?.len();
        Ok(Self::at(Place::File(file, path.to_owned()), incarnation, end))
    }

    pub(super) fn in_memory(incarnation: u32) -> Self {
        Self::at(Place::Memory(Vec::new()), incarnation, 0)
    }

    pub(super) fn is_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            // Written at its place: what a failed write left behind is overwritten by the next.
            Place::File(file, _) => file.write_all_at(bytes, self.end)?,
            Place::Memory(memory) => memory.extend_from_slice(bytes),
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Up to `bytes_max` bytes from `from` on.
    pub(super) fn read(&self, from: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let length = self.end.saturating_sub(from).min(bytes_max as u64) as usize;
        match &self.place {
            Place::File(file, _) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, from)?;
                Ok(bytes)
            }
            Place::Memory(memory) => Ok(memory[from as usize..from as usize + length].to_vec()),
        }
    }

    /// Forgets everything in it.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::File(file, _) => file.set_len(0)?,
            Place::Memory(memory) => *memory = Vec::new(),
        }
        (self.start, self.end) = (0, 0);
        Ok(())
    }

    /// Forgets what comes after `end`: an entry that was cut off by a crash.
    pub(super) fn cut(&mut self, end: u64) -> io::Result<()> {
        self.end = end;
        match &self.place {
            Place::File(file, _) => file.set_len(end),
            Place::Memory(_) => Ok(()),
        }
    }

    pub(super) fn remove(self) -> io::Result<()> {
        match self.place {
            Place::File(_, path) => std::fs::remove_file(path),
            Place::Memory(_) => Ok(()),
        }
    }
}
