//! A folder with `odeon.toml` becomes an image: the same bytes for the same contents, wherever and whenever.
//!
//! In go `odeon.toml`, the file that it names as `code`, and what it lists under `include`. Nothing else, so that
//! nothing slips in. The result is opened as every reader opens it before anybody gets it.

mod collect;
mod stamp;

pub use stamp::{Stamp, stamp};

use crate::FileError;
use crate::file::{read_text, write};
use odeon_sourceauth::limits::MANIFEST_BYTES_MAX;
use odeon_sourceauth::{Image, ImageError, MANIFEST_FILE, Manifest, ManifestError, SourceHash, Version};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// Fixed, so that two machines pack the same bytes.
const DEFLATE_LEVEL: i64 = 6;
const FILE_MODE: u32 = 0o644;

/// Files by their name in the image.
type Files = BTreeMap<String, Vec<u8>>;

/// An image that was packed into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub path: PathBuf,
    /// Its source hash.
    pub hash: SourceHash,
    /// From the manifest.
    pub name: String,
    /// From the manifest.
    pub version: Version,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// What went in.
    pub files: Vec<String>,
}

/// Why a folder cannot be packed. No file was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PackError {
    #[error("no odeon.toml in {}: `odeon image new DIR` writes a project to start from", .0.display())]
    NoManifest(PathBuf),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("no file {}, which odeon.toml names as its code: build it first", .0.display())]
    NoCode(PathBuf),
    #[error("no file or folder {}, which odeon.toml includes", .0.display())]
    NoInclude(PathBuf),
    #[error("{} is a symbolic link: an image holds regular files only", .0.display())]
    Link(PathBuf),
    #[error("{} is neither a regular file nor a folder", .0.display())]
    NotAFile(PathBuf),
    #[error("{} has a name that is not UTF-8", .0.display())]
    Name(PathBuf),
    #[error("more than {max} files")]
    TooManyFiles { max: usize },
    #[error("files of more than {max} bytes together")]
    FilesTooLarge { max: u64 },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the zip cannot be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("what was packed is refused by every node: {0}")]
    Refused(#[from] ImageError),
}

/// Packs a folder into a file, replacing it in one step.
pub fn pack(folder: &Path, to: &Path) -> Result<Packed, PackError> {
    pack_with(folder, to, None)
}

/// The same with a file somewhere else as the code, in the place of the one that the manifest names.
pub fn pack_with(folder: &Path, to: &Path, code: Option<&Path>) -> Result<Packed, PackError> {
    let image = assemble_without(folder, Some(to), code)?;
    write(to, image.bytes())?;
    Ok(Packed {
        path: to.to_owned(),
        hash: image.hash(),
        name: image.manifest().name.clone(),
        version: image.manifest().version.clone(),
        size_bytes: image.bytes().len() as u64,
        files: image.files().map(str::to_owned).collect(),
    })
}

/// Packs a folder in memory.
pub fn assemble(folder: &Path) -> Result<Image, PackError> {
    assemble_without(folder, None, None)
}

/// The file name for an image when none is given: `NAME-VERSION.zip`.
pub fn default_file_name(manifest: &Manifest) -> String {
    match manifest.version.as_str() {
        "" => format!("{}.zip", manifest.name),
        version => format!("{}-{version}.zip", manifest.name),
    }
}

/// The manifest of a folder.
pub fn manifest(folder: &Path) -> Result<Manifest, PackError> {
    read_manifest(folder).map(|(_, manifest)| manifest)
}

fn read_manifest(folder: &Path) -> Result<(String, Manifest), PackError> {
    let manifest_path = folder.join(MANIFEST_FILE);
    if !manifest_path.is_file() {
        return Err(PackError::NoManifest(folder.to_owned()));
    }
    let text = read_text(&manifest_path, MANIFEST_BYTES_MAX as u64)?;
    let manifest = Manifest::parse(&text)?;
    Ok((text, manifest))
}

fn assemble_without(folder: &Path, output: Option<&Path>, code: Option<&Path>) -> Result<Image, PackError> {
    let (text, manifest) = read_manifest(folder)?;
    let files = collect::collect(folder, text, &manifest, output, code)?;
    Ok(Image::open(zip(&files)?)?)
}

fn zip(files: &Files) -> Result<Vec<u8>, PackError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(DEFLATE_LEVEL))
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(FILE_MODE);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes).map_err(zip::result::ZipError::from)?;
    }
    Ok(writer.finish()?.into_inner())
}
