//! The files of an image on the disk, for its process to read, and its folder to write to.
//!
//! Everything below `process/` in the node's folder is made by this start of the node: what an earlier one left is removed
//! first. A folder appears whole, by a rename, and goes with the last that holds it.

use super::ProcessError;
use super::user::User;
use odeon_sourceauth::Image;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the folders of all images are.
pub(super) struct Folders {
    images: PathBuf,
    scratch: PathBuf,
    user: Option<User>,
    made: AtomicU64,
}

/// The two folders of an image.
pub(super) struct Folder {
    /// Its files, which nobody may change.
    pub(super) image: PathBuf,
    /// What its process may write to.
    pub(super) scratch: PathBuf,
    user: Option<User>,
}

impl Folders {
    /// Makes them anew in `path`, which is in the node's folder `data`.
    pub(super) fn open(data: &Path, path: &Path, user: Option<User>) -> Result<Self, ProcessError> {
        let unusable = |source| ProcessError::Folder { path: path.to_owned(), source };
        let (images, scratch) = (path.join("images"), path.join("scratch"));
        let make = || {
            remove(path)?;
            for folder in [path, &images, &scratch] {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let Some(user) = user else { return Ok(()) };
            shut(data, path)?;
            // And so for what is made from now on.
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
            // Its group may go through to what is its own, and see nothing else on the way.
            for folder in [data, path, &images, &scratch] {
                chown(folder, None, Some(user.gid))?;
                fs::set_permissions(folder, Permissions::from_mode(0o710))?;
            }
            Ok(())
        };
        make().map_err(unusable)?;
        Ok(Self { images, scratch, user, made: AtomicU64::new(0) })
    }

    /// Unpacks an image, whose names and sizes were checked when it was opened.
    pub(super) fn unpack(&self, hash: &str, image: &Image) -> Result<Folder, ProcessError> {
        let name = format!("{hash}.{}", self.made.fetch_add(1, Ordering::Relaxed));
        let (new, path) = (self.images.join(format!(".{name}")), self.images.join(&name));
        let unusable = |path: &Path, source| ProcessError::Unpack { path: path.to_owned(), source };
        let folder = Folder { image: path.clone(), scratch: self.scratch.join(&name), user: self.user };
        let unpacked = self.unpack_to(&new, image).and_then(|()| {
            fs::rename(&new, &path).map_err(|source| unusable(&path, source))?;
            folder.renew_scratch().map_err(|source| unusable(&folder.scratch, source))
        });
        match unpacked {
            Ok(()) => Ok(folder),
            Err(error) => {
                // What cannot be removed is at the next start.
                let _ = remove(&new);
                Err(error)
            }
        }
    }

    fn unpack_to(&self, new: &Path, image: &Image) -> Result<(), ProcessError> {
        let unusable = |source| ProcessError::Unpack { path: new.to_owned(), source };
        DirBuilder::new().mode(0o700).create(new).map_err(unusable)?;
        let mut folders = vec![new.to_owned()];
        for file in image.files() {
            let path = new.join(file);
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != new) {
                if !folders.iter().any(|known| known == folder) {
                    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
                    folders.push(folder.to_owned());
                }
            }
            let is_code = image.manifest().code.files().any(|code| code == file);
            let mode = if is_code { 0o550 } else { 0o440 };
            let bytes = image.read(file)?;
            let write = || {
                let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
                to.write_all(&bytes)?;
                self.give(&path)?;
                fs::set_permissions(&path, Permissions::from_mode(mode))
            };
            write().map_err(unusable)?;
        }
        // Those inside first: afterwards nothing can be changed in them.
        for folder in folders.iter().rev() {
            let close = || {
                self.give(folder)?;
                fs::set_permissions(folder, Permissions::from_mode(0o550))
            };
            close().map_err(unusable)?;
        }
        Ok(())
    }

    /// Lets the user of processes read something by its group. It stays the node's.
    fn give(&self, path: &Path) -> io::Result<()> {
        self.user.map_or(Ok(()), |user| chown(path, None, Some(user.gid)))
    }
}

impl Folder {
    /// Empties the folder that a process may write to.
    pub(super) fn renew_scratch(&self) -> io::Result<()> {
        remove(&self.scratch)?;
        DirBuilder::new().mode(0o700).create(&self.scratch)?;
        self.user.map_or(Ok(()), |user| chown(&self.scratch, Some(user.uid), Some(user.gid)))
    }

    /// Removes both. May be repeated.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.image).and(remove(&self.scratch))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(path = %self.image.display(), %error, "the files of an image stay on disk until the next start");
        }
    }
}

/// The first folder above the node's own that a user may not pass through, by its mode.
pub(super) fn barrier(data: &Path, user: User) -> Option<PathBuf> {
    let passes = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|found| {
            let bit = match (found.uid() == user.uid, found.gid() == user.gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            found.mode() & bit != 0
        })
    };
    data.ancestors().skip(1).find(|folder| !passes(folder)).map(Path::to_owned)
}

/// Removes a folder with all that is in it, also where nobody may write.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// Makes the folders below a path writable for their owner. Links are not followed.
fn open(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes everything in the node's folder but what is for processes from whoever is not its owner.
fn shut(data: &Path, except: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if entry.path() != except && (kind.is_file() || kind.is_dir()) {
            let mode = entry.metadata()?.permissions().mode();
            fs::set_permissions(entry.path(), Permissions::from_mode(mode & 0o700))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image::open(include_bytes!("../../../fuzz/corpus/image/stored").as_slice()).unwrap()
    }

    #[test]
    fn an_image_is_unpacked_for_reading_and_goes_with_its_holder() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("process");
        let folders = Folders::open(data.path(), &path, None).unwrap();
        let (first, second) = (folders.unpack("ab", &image()).unwrap(), folders.unpack("ab", &image()).unwrap());
        assert_ne!(first.image, second.image);
        for file in image().files() {
            assert_eq!(fs::read(first.image.join(file)).unwrap(), image().read(file).unwrap());
            let mode = fs::metadata(first.image.join(file)).unwrap().permissions().mode() & 0o777;
            let is_code = image().manifest().code.files().any(|code| code == file);
            assert_eq!(mode, if is_code { 0o550 } else { 0o440 }, "{file}");
        }
        fs::write(first.scratch.join("left"), "x").unwrap();
        first.renew_scratch().unwrap();
        assert_eq!(fs::read_dir(&first.scratch).unwrap().count(), 0);
        let (image, scratch) = (first.image.clone(), first.scratch.clone());
        drop(first);
        assert!(!image.exists() && !scratch.exists() && second.image.exists());
    }

    #[test]
    fn a_folder_above_that_somebody_may_not_enter_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let stranger = User { uid: 4_000_000, gid: 4_000_000 };
        let above = |mode: u32| {
            fs::set_permissions(outer.path(), Permissions::from_mode(mode)).unwrap();
            barrier(&outer.path().join("data"), stranger)
        };
        assert_eq!(above(0o700).as_deref(), Some(outer.path()));
        assert_ne!(above(0o711).as_deref(), Some(outer.path()));
    }

    #[test]
    fn what_an_earlier_start_left_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("process");
        let folders = Folders::open(data.path(), &path, None).unwrap();
        std::mem::forget(folders.unpack("ab", &image()).unwrap());
        fs::create_dir(path.join("images/.half")).unwrap();
        Folders::open(data.path(), &path, None).unwrap();
        assert_eq!(fs::read_dir(path.join("images")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(path.join("scratch")).unwrap().count(), 0);
    }
}
