//! Which files of a folder go into its image.

use super::{Files, PackError};
use crate::file::read;
use odeon_sourceauth::limits::{ENTRIES_MAX, ENTRY_BYTES_MAX, UNPACKED_BYTES_MAX};
use odeon_sourceauth::{MANIFEST_FILE, Manifest, NameError, check_name};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Reads the manifest's own text, its code, and what it includes.
pub(super) fn collect(
    folder: &Path,
    manifest_text: String,
    manifest: &Manifest,
    output: Option<&Path>,
    code: Option<&Path>,
) -> Result<Files, PackError> {
    let output = output.and_then(|o| std::fs::canonicalize(o).ok());
    let mut collecting = Collecting { folder, output, files: Files::new(), bytes: manifest_text.len() as u64 };
    collecting.files.insert(MANIFEST_FILE.into(), manifest_text.into_bytes());
    for name in manifest.code.files() {
        match code {
            Some(elsewhere) => collecting.add_file(name, elsewhere)?,
            None => collecting.add(name, PackError::NoCode)?,
        }
    }
    for included in &manifest.include {
        collecting.add(included, PackError::NoInclude)?;
    }
    Ok(collecting.files)
}

struct Collecting<'a> {
    folder: &'a Path,
    /// The file that is being written, when it is there already.
    output: Option<PathBuf>,
    files: Files,
    bytes: u64,
}

impl Collecting<'_> {
    /// Adds a file, or a folder with everything in it that is not hidden.
    fn add(&mut self, name: &str, missing: fn(PathBuf) -> PackError) -> Result<(), PackError> {
        let mut path = self.folder.to_owned();
        let mut found = None;
        // Every part is looked at, so that no folder on the way is a link out of here.
        for part in name.split('/') {
            path.push(part);
            found = Some(look_at(&path)?.ok_or_else(|| missing(self.folder.join(name)))?);
        }
        match found {
            Some(found) if found.is_dir() => self.add_folder(name, &path),
            _ => self.add_file(name, &path),
        }
    }

    fn add_folder(&mut self, name: &str, path: &Path) -> Result<(), PackError> {
        // The depth of a name bounds how deep this goes.
        check_name(name).map_err(|reason| refused(name, reason))?;
        let failed = |source| crate::FileError::Read { path: path.to_owned(), source };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let part = entry.file_name().into_string().map_err(|_| PackError::Name(entry.path()))?;
            inside.push((part, entry.path()));
        }
        inside.retain(|(part, _)| !part.starts_with('.'));
        for (part, path) in inside {
            let name = format!("{name}/{part}");
            match look_at(&path)? {
                Some(found) if found.is_dir() => self.add_folder(&name, &path)?,
                Some(_) => self.add_file(&name, &path)?,
                None => {}
            }
        }
        Ok(())
    }

    fn add_file(&mut self, name: &str, path: &Path) -> Result<(), PackError> {
        let is_output = self.output.is_some() && std::fs::canonicalize(path).ok() == self.output;
        if is_output || self.files.contains_key(name) {
            return Ok(());
        }
        check_name(name).map_err(|reason| refused(name, reason))?;
        if self.files.len() == ENTRIES_MAX {
            return Err(PackError::TooManyFiles { max: ENTRIES_MAX });
        }
        let bytes = read(path, ENTRY_BYTES_MAX)?;
        self.bytes += bytes.len() as u64;
        if self.bytes > UNPACKED_BYTES_MAX {
            return Err(PackError::FilesTooLarge { max: UNPACKED_BYTES_MAX });
        }
        self.files.insert(name.to_owned(), bytes);
        Ok(())
    }
}

/// What is at a path: a regular file or a folder, nothing, or an error.
fn look_at(path: &Path) -> Result<Option<Metadata>, PackError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(PackError::Link(path.to_owned())),
        Ok(found) if found.is_file() || found.is_dir() => Ok(Some(found)),
        Ok(_) => Err(PackError::NotAFile(path.to_owned())),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(crate::FileError::Read { path: path.to_owned(), source }.into()),
    }
}

fn refused(name: &str, reason: NameError) -> PackError {
    odeon_sourceauth::ImageError::Name { entry: format!("{name:?}"), reason }.into()
}
