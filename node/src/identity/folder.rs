//! The data folder: one process at a time, and the files of an identity in it.

use super::IdentityError;
use super::private_file::{read, read_private, sync_folder, write};
use odeon::Incarnation;
use odeon_convention::wire::LeaderAt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOCK: &str = "lock";
const IDENTITY: &str = "identity";
const UNFINISHED: &str = "identity.new";
const CA_CERTIFICATE: &str = "ca.pem";
pub(crate) const CA_KEY: &str = "ca.key";
pub(crate) const NODE_CERTIFICATE: &str = "node.pem";
pub(crate) const NODE_KEY: &str = "node.key";
const INCARNATION: &str = "incarnation";
const LEADERS: &str = "leaders.json";

/// A data folder that this process alone uses, for as long as a clone of this lives.
#[derive(Debug, Clone)]
pub struct DataFolder(Arc<Locked>);

#[derive(Debug)]
struct Locked {
    path: PathBuf,
    _lock: File,
}

/// Everything that makes an identity, to be stored at once.
pub(crate) struct Stored<'a> {
    pub(crate) ca_certificate: &'a CertificateDer<'static>,
    pub(crate) ca_key: Option<String>,
    pub(crate) node_certificate: &'a CertificateDer<'static>,
    pub(crate) node_key: String,
    pub(crate) leaders: Leaders,
}

/// Everything that makes an identity, as read.
pub(crate) struct Files {
    pub(crate) ca_certificate: CertificateDer<'static>,
    pub(crate) ca_key: Option<String>,
    pub(crate) node_certificate: CertificateDer<'static>,
    pub(crate) node_key: String,
}

/// Who leads and where they can be dialled.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Leaders {
    pub(crate) leaders: Vec<LeaderAt>,
}

impl DataFolder {
    /// Opens the folder, makes it if there is none, and keeps other processes out.
    ///
    /// # Errors
    /// When another process uses it, or it cannot be read and written.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(IdentityError::unwritable(path))?;
        let lock_path = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(IdentityError::unwritable(&lock_path))?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(IdentityError::InUse { path: path.to_owned(), pid: pid_in(&mut lock) });
            }
            Err(e) => return Err(IdentityError::unwritable(&lock_path)(e.into())),
        }
        let noted = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        noted.map_err(IdentityError::unwritable(&lock_path))?;
        Ok(Self(Arc::new(Locked { path: path.to_owned(), _lock: lock })))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether it holds an identity.
    pub fn has_identity(&self) -> bool {
        self.0.path.join(IDENTITY).exists()
    }

    pub(crate) fn path_of(&self, file: &str) -> PathBuf {
        self.0.path.join(IDENTITY).join(file)
    }

    pub(crate) fn refuse_if_taken(&self) -> Result<(), IdentityError> {
        if self.has_identity() { Err(IdentityError::AlreadyJoined(self.0.path.clone())) } else { Ok(()) }
    }

    /// The key of a join that did not come to its end: the same node may try again.
    pub(crate) fn unfinished_key(&self) -> Result<Option<String>, IdentityError> {
        let path = self.0.path.join(UNFINISHED).join(NODE_KEY);
        if path.exists() { read_private(&path).map(Some) } else { Ok(None) }
    }

    /// Keeps the key that a join is about to use.
    pub(crate) fn keep_unfinished_key(&self, pem: &str) -> Result<(), IdentityError> {
        write(&self.unfinished()?.join(NODE_KEY), pem.as_bytes())
    }

    fn unfinished(&self) -> Result<PathBuf, IdentityError> {
        let folder = self.0.path.join(UNFINISHED);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(IdentityError::unwritable(&folder))?;
        Ok(folder)
    }

    /// Stores a new identity: all of it or, whatever happens, nothing that a later start would take for one.
    pub(crate) fn store(&self, stored: &Stored<'_>) -> Result<(), IdentityError> {
        self.refuse_if_taken()?;
        let unfinished = self.unfinished()?;
        write(&unfinished.join(NODE_KEY), stored.node_key.as_bytes())?;
        write(&unfinished.join(NODE_CERTIFICATE), pem(stored.node_certificate).as_bytes())?;
        write(&unfinished.join(CA_CERTIFICATE), pem(stored.ca_certificate).as_bytes())?;
        let ca_key = unfinished.join(CA_KEY);
        match &stored.ca_key {
            Some(key) => write(&ca_key, key.as_bytes())?,
            // Of a founding that did not come to its end, before this join.
            None if ca_key.exists() => fs::remove_file(&ca_key).map_err(IdentityError::unwritable(&ca_key))?,
            None => {}
        }
        write(&unfinished.join(INCARNATION), b"0\n")?;
        write_leaders(&unfinished.join(LEADERS), &stored.leaders)?;
        let path = self.0.path.join(IDENTITY);
        fs::rename(&unfinished, &path).map_err(IdentityError::unwritable(&path))?;
        sync_folder(&self.0.path)
    }

    pub(crate) fn read(&self) -> Result<Files, IdentityError> {
        if !self.has_identity() {
            return Err(IdentityError::NotJoined(self.0.path.clone()));
        }
        let ca_key = self.path_of(CA_KEY);
        Ok(Files {
            ca_certificate: read_certificate(&self.path_of(CA_CERTIFICATE))?,
            ca_key: if ca_key.exists() { Some(read_private(&ca_key)?) } else { None },
            node_certificate: read_certificate(&self.path_of(NODE_CERTIFICATE))?,
            node_key: read_private(&self.path_of(NODE_KEY))?,
        })
    }

    /// Counts this start, durably, before anybody hears of it.
    pub(crate) fn raise_incarnation(&self) -> Result<Incarnation, IdentityError> {
        let path = self.path_of(INCARNATION);
        let text = read(&path)?;
        let corrupt = || IdentityError::corrupt(&path, format!("{:.20?}", text), "a count of starts below 2^32 - 1");
        // The end of the line shows that the number is whole.
        let last: u32 = text.strip_suffix('\n').and_then(|n| n.parse().ok()).ok_or_else(corrupt)?;
        let next = last.checked_add(1).ok_or_else(corrupt)?;
        write(&path, format!("{next}\n").as_bytes())?;
        Ok(Incarnation(next))
    }

    pub(crate) fn leaders(&self) -> Result<Leaders, IdentityError> {
        let path = self.path_of(LEADERS);
        serde_json::from_str(&read(&path)?)
            .map_err(|e| IdentityError::corrupt(&path, e.to_string(), "the leaders and their addresses"))
    }

    pub(crate) fn keep_leaders(&self, leaders: &Leaders) -> Result<(), IdentityError> {
        write_leaders(&self.path_of(LEADERS), leaders)
    }
}

fn write_leaders(path: &Path, leaders: &Leaders) -> Result<(), IdentityError> {
    let text = serde_json::to_string(leaders).map_err(|e| IdentityError::unwritable(path)(e.into()))?;
    write(path, text.as_bytes())
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, IdentityError> {
    CertificateDer::from_pem_slice(read(path)?.as_bytes())
        .map_err(|e| IdentityError::corrupt(path, e.to_string(), "a certificate in PEM"))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in data_encoding::BASE64.encode(certificate).as_bytes().chunks(64) {
        text.extend(line.iter().map(|b| char::from(*b)));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn pid_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
