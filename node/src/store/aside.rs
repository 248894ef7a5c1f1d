//! Where files go whose bytes are not what their name says: kept for whoever looks into it, a few of them.

use super::{StoreError, make_private};
use odeon_sourceauth::SourceHash;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are kept aside; the oldest goes when another comes.
const CORRUPT_FILES_MAX: usize = 8;
const FOLDER: &str = "corrupt";

/// Moves a file out of the store. Of one hash the latest is kept.
pub(super) fn move_aside(store: &Path, path: &Path, hash: SourceHash) -> Result<PathBuf, StoreError> {
    let folder = store.join(FOLDER);
    make_private(&folder).map_err(|e| StoreError::write(&folder, e))?;
    let to = folder.join(hash.to_string());
    make_room(&folder, &to)?;
    match fs::rename(path, &to) {
        Ok(()) => Ok(to),
        // Another reader of it was first.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && to.is_file() => Ok(to),
        Err(e) => Err(StoreError::write(&to, e)),
    }
}

fn make_room(folder: &Path, to: &Path) -> Result<(), StoreError> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| StoreError::read(folder, e))? {
        let entry = entry.map_err(|e| StoreError::read(folder, e))?;
        let changed = entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        kept.push((changed, entry.path()));
    }
    kept.retain(|(_, path)| path != to);
    kept.sort();
    let too_many = (kept.len() + 1).saturating_sub(CORRUPT_FILES_MAX);
    for (_, path) in kept.iter().take(too_many) {
        fs::remove_file(path).map_err(|e| StoreError::write(path, e))?;
    }
    Ok(())
}
