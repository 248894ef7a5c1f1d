//! An image: a zip file whose structure, names, sizes and checksums were all checked.
//!
//! Nothing is ever unpacked to a disk here. Start with [`Image::open`]; the checks of the zip's structure are in
//! `image/structure.rs`, those of names in `image/name.rs`.

mod error;
mod name;
mod structure;

pub use error::{HeaderField, ImageError};
pub use name::{NameError, check_name};

use crate::limits::{ENTRY_BYTES_MAX, IMAGE_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::{MANIFEST_FILE, Manifest, SourceHash, hash};
use std::fmt;
use std::io::{Cursor, Read};
use std::sync::Arc;
use structure::Entry;
use zip::ZipArchive;

type Archive = ZipArchive<Cursor<Arc<[u8]>>>;

/// A well-formed image. Cheap to clone: clones share the bytes.
///
/// That it is well formed says nothing about whether it may be used: that is what [`crate::Verified`] says.
#[derive(Clone)]
pub struct Image {
    bytes: Arc<[u8]>,
    hash: SourceHash,
    manifest: Arc<Manifest>,
    entries: Arc<[Entry]>,
    archive: Archive,
}

impl Image {
    /// Checks everything and reads the manifest. Every file is unpacked once, into nothing, so that sizes that lie
    /// and wrong checksums are found here and not when an actor starts.
    pub fn open(bytes: impl Into<Arc<[u8]>>) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        if bytes.len() > IMAGE_BYTES_MAX {
            return Err(ImageError::TooLarge { bytes: bytes.len() as u64 });
        }
        let hash = hash(&bytes);
        Self::open_hashed(bytes, hash)
    }

    /// The same for bytes whose size was checked and whose hash is known.
    pub(crate) fn open_hashed(bytes: Arc<[u8]>, hash: SourceHash) -> Result<Self, ImageError> {
        let entries = structure::scan(&bytes)?;
        let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).map_err(ImageError::library)?;
        for (index, entry) in entries.iter().enumerate() {
            same_reading(&archive, index, entry)?;
            unpack(&mut archive, index, entry, &mut std::io::sink())?;
        }
        let manifest = read_manifest(&mut archive, &entries)?;
        let is_there = |file: &&str| entries.iter().any(|e| !e.is_folder() && e.name == *file);
        if let Some(missing) = manifest.code.files().find(|file| !is_there(file)) {
            return Err(ImageError::CodeMissing { code: missing.to_owned() });
        }
        Ok(Self { bytes, hash, manifest: manifest.into(), entries: entries.into(), archive })
    }

    /// The zip file.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The SHA-256 of the zip file.
    pub fn hash(&self) -> SourceHash {
        self.hash
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The names of its files in the order of the zip.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|e| !e.is_folder()).map(|e| e.name.as_str())
    }

    /// The contents of a file; at most [`ENTRY_BYTES_MAX`] bytes.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ImageError> {
        read(&mut self.archive.clone(), &self.entries, path)
    }

    /// The contents of the file that the manifest names as the code for this machine.
    pub fn code(&self) -> Result<Vec<u8>, ImageError> {
        let architecture = std::env::consts::ARCH;
        let of_here = self.manifest.code.of(architecture);
        self.read(of_here.ok_or_else(|| ImageError::NoSuchFile { path: format!("code.{architecture}") })?)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { name, version, .. } = &*self.manifest;
        write!(f, "Image({name}@{version} {}, {} bytes)", self.hash, self.bytes.len())
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Image {}

/// The library that unpacks must have read the same entry as our own scan: two readings of one zip are an attack.
fn same_reading(archive: &Archive, index: usize, entry: &Entry) -> Result<(), ImageError> {
    let other = archive.by_index_data(index).map_err(ImageError::library)?;
    let same = other.name_raw() == entry.name.as_bytes()
        && other.name().is_ok_and(|n| n == entry.name)
        && other.header_start() == entry.start
        && other.size() == entry.unpacked_bytes
        && other.compressed_size() == entry.packed_bytes
        && other.crc32() == entry.crc;
    if same { Ok(()) } else { Err(ImageError::Ambiguous { name: entry.name.clone() }) }
}

fn read_manifest(archive: &mut Archive, entries: &[Entry]) -> Result<Manifest, ImageError> {
    let entry = entries.iter().find(|e| e.name == MANIFEST_FILE).ok_or(ImageError::ManifestMissing)?;
    if entry.unpacked_bytes > MANIFEST_BYTES_MAX as u64 {
        return Err(ImageError::ManifestTooLarge { bytes: entry.unpacked_bytes });
    }
    let bytes = read(archive, entries, MANIFEST_FILE)?;
    let text = String::from_utf8(bytes).map_err(|_| ImageError::ManifestNotText)?;
    Ok(Manifest::parse(&text)?)
}

fn read(archive: &mut Archive, entries: &[Entry], path: &str) -> Result<Vec<u8>, ImageError> {
    let found = entries.iter().enumerate().find(|(_, e)| !e.is_folder() && e.name == path);
    let (index, entry) = found.ok_or_else(|| ImageError::NoSuchFile { path: path.to_owned() })?;
    let mut bytes = Vec::with_capacity(entry.unpacked_bytes.min(ENTRY_BYTES_MAX) as usize);
    unpack(archive, index, entry, &mut bytes)?;
    Ok(bytes)
}

/// Unpacks one entry, never more than one byte past what its header says.
fn unpack(archive: &mut Archive, index: usize, entry: &Entry, to: &mut impl std::io::Write) -> Result<(), ImageError> {
    let unreadable = |e: std::io::Error| ImageError::Unreadable { name: entry.name.clone(), reason: e.to_string() };
    let file = archive.by_index(index).map_err(ImageError::library)?;
    let unpacked = std::io::copy(&mut file.take(entry.unpacked_bytes + 1), to).map_err(unreadable)?;
    if unpacked != entry.unpacked_bytes {
        return Err(ImageError::SizeLies { name: entry.name.clone(), said: entry.unpacked_bytes, unpacked });
    }
    Ok(())
}
