//! Files that are replaced as a whole, and keys that only their owner may read.

use super::IdentityError;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of any file of an identity at most.
pub(crate) const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Nobody but the owner.
const PRIVATE: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// Writes a file that is complete or absent, whatever happens, and durable once this returns.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let temporary = path.with_extension("new");
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(IdentityError::unwritable(path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), IdentityError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(IdentityError::unwritable(path))
}

/// Reads a file that anyone may know.
pub(crate) fn read(path: &Path) -> Result<String, IdentityError> {
    read_open(File::open(path).map_err(IdentityError::unreadable(path))?, path)
}

/// Reads a private key, unless others than this user may have read or written it.
pub(crate) fn read_private(path: &Path) -> Result<String, IdentityError> {
    let file = File::open(path).map_err(IdentityError::unreadable(path))?;
    let metadata = file.metadata().map_err(IdentityError::unreadable(path))?;
    check_owner(path, metadata.uid(), rustix::process::geteuid().as_raw(), metadata.mode() & 0o7777)?;
    read_open(file, path)
}

pub(crate) fn check_owner(path: &Path, owner: u32, user: u32, mode: u32) -> Result<(), IdentityError> {
    if owner != user {
        return Err(IdentityError::ForeignOwner { path: path.to_owned(), owner, user });
    }
    if mode & OTHERS != 0 {
        return Err(IdentityError::TooOpen { path: path.to_owned(), mode });
    }
    Ok(())
}

fn read_open(file: File, path: &Path) -> Result<String, IdentityError> {
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(IdentityError::unreadable(path))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(IdentityError::corrupt(path, "more than 64 KiB", "a small text file"));
    }
    Ok(text)
}
