//! Compiled code on disk, by the image's source hash and the engine that compiled it.
//!
//! A file is the SHA-256 of the component, the SHA-256 of the compiled code, and the code. Code that does not match
//! is never run: it is compiled again and the file replaced. Losing the folder costs time only.

use super::{WasmError, trusted};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of one digest.
const DIGEST_BYTES: usize = 32;
/// Bytes of a file of compiled code.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The folder of compiled code.
pub(super) struct Cache {
    folder: PathBuf,
    /// Stands for the engine's version and settings, in the files' names.
    engine: u64,
    compilations: AtomicU64,
}

impl Cache {
    pub(super) fn open(folder: &Path, engine: &Engine) -> Result<Cache, WasmError> {
        let unusable = |source| WasmError::Cache { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(unusable)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { folder: folder.to_owned(), engine: hasher.finish(), compilations: AtomicU64::new(0) })
    }

    /// The component, ready to be linked: from the folder, or compiled and put there.
    pub(super) fn compiled(&self, engine: &Engine, hash: &str, component: &[u8]) -> Result<Component, WasmError> {
        let path = self.path(hash);
        let of: [u8; DIGEST_BYTES] = Sha256::digest(component).into();
        if let Some(code) = read(&path, &of) {
            match trusted::component(engine, &code) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(image = hash, %error, "compiled code is of another engine: compiling again")
                }
            }
        }
        if Engine::detect_precompiled(component).is_some() {
            return Err(WasmError::Malformed { reason: "it is compiled already, expected portable code".into() });
        }
        self.compilations.fetch_add(1, Relaxed);
        let compiled =
            Component::from_binary(engine, component).map_err(|e| WasmError::Malformed { reason: format!("{e:#}") })?;
        let stored = compiled.serialize().map_err(io::Error::other).and_then(|code| self.write(&path, &of, &code));
        if let Err(error) = stored {
            tracing::warn!(image = hash, %error, "compiled code cannot be kept: the next start compiles again");
        }
        Ok(compiled)
    }

    /// How often this has compiled.
    pub(super) fn compilations(&self) -> u64 {
        self.compilations.load(Relaxed)
    }

    /// Removes what was compiled of an image, by this engine or an earlier one.
    pub(super) fn forget(&self, hash: &str) -> Result<(), WasmError> {
        let unusable = |source| WasmError::Cache { path: self.folder.clone(), source };
        for entry in fs::read_dir(&self.folder).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            if entry.file_name().to_string_lossy().starts_with(&format!("{hash}-")) {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{hash}-{:016x}", self.engine))
    }

    /// Writes a file whole: a reader finds the old one, the new one or none.
    fn write(&self, path: &Path, of: &[u8; DIGEST_BYTES], code: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(of)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.as_file().sync_data()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }
}

/// The code in a file, when it is the undamaged code of this component.
fn read(path: &Path, of: &[u8; DIGEST_BYTES]) -> Option<Vec<u8>> {
    let length = fs::metadata(path).ok()?.len();
    if length > FILE_BYTES_MAX {
        tracing::warn!(path = %path.display(), length, "compiled code is larger than any can be: compiling again");
        return None;
    }
    let mut bytes = fs::read(path).ok()?;
    let header = bytes.get(..2 * DIGEST_BYTES)?;
    let digest: [u8; DIGEST_BYTES] = Sha256::digest(&bytes[2 * DIGEST_BYTES..]).into();
    if header[..DIGEST_BYTES] != of[..] || header[DIGEST_BYTES..] != digest {
        tracing::warn!(path = %path.display(), "compiled code is damaged or of other code: compiling again");
        return None;
    }
    bytes.drain(..2 * DIGEST_BYTES);
    Some(bytes)
}
