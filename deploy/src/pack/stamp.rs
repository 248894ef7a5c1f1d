//! Whether a folder may pack to something else than before, without reading all that goes in.

use super::{MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, read_text};
use odeon_sourceauth::limits::ENTRIES_MAX;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files that go into an image, with what changes when they are written. Two that are equal pack the same, unless a
/// file was written twice within the resolution of the file system's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp(Vec<(PathBuf, Option<(u64, SystemTime)>)>);

/// How a folder is now. What is missing or cannot be looked at counts as such: only packing says why.
pub fn stamp(folder: &Path) -> Stamp {
    let manifest_path = folder.join(MANIFEST_FILE);
    let mut stamp = Stamp::default();
    stamp.add(&manifest_path);
    let manifest =
        read_text(&manifest_path, MANIFEST_BYTES_MAX as u64).ok().and_then(|text| Manifest::parse(&text).ok());
    if let Some(manifest) = &manifest {
        let included = manifest.include.iter().map(String::as_str);
        manifest.code.files().chain(included).for_each(|name| stamp.add(&folder.join(name)));
    }
    stamp.0.sort();
    stamp
}

impl Stamp {
    fn add(&mut self, path: &Path) {
        // No more than this go into an image.
        if self.0.len() > ENTRIES_MAX {
            return;
        }
        let found = std::fs::symlink_metadata(path).ok();
        if found.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    self.add(&entry.path());
                }
            }
        }
        let written = found.and_then(|found| Some((found.len(), found.modified().ok()?)));
        self.0.push((path.to_owned(), written));
    }
}
