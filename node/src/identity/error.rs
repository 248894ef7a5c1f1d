//! What can go wrong with an identity, a token or a join. Every error knows its code.

use odeon_convention::codes;
use std::io;
use std::path::{Path, PathBuf};

/// Why the data folder does not give an identity.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IdentityError {
    #[error("the data folder {} is in use by {}", path.display(), process(.pid))]
    InUse { path: PathBuf, pid: Option<u32> },
    #[error("the data folder {} already belongs to a convention", .0.display())]
    AlreadyJoined(PathBuf),
    #[error("the data folder {} belongs to no convention yet", .0.display())]
    NotJoined(PathBuf),
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} has mode {mode:04o}: a private key must be open to its owner only (0600)", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("{} belongs to user {owner}, but this process runs as user {user}", path.display())]
    ForeignOwner { path: PathBuf, owner: u32, user: u32 },
    #[error("{} is corrupt: found {found}, expected {expected}", path.display())]
    Corrupt { path: PathBuf, found: String, expected: &'static str },
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

fn process(pid: &Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

impl IdentityError {
    pub(crate) fn corrupt(path: &Path, found: impl Into<String>, expected: &'static str) -> Self {
        Self::Corrupt { path: path.to_owned(), found: found.into(), expected }
    }

    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }

    pub(crate) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unwritable { path, source }
    }

    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        match self {
            Self::InUse { .. } => codes::DATA_IN_USE,
            Self::AlreadyJoined(_) => codes::ALREADY_JOINED,
            Self::Unwritable { source, .. } if source.kind() == io::ErrorKind::StorageFull => codes::DISK_FULL,
            Self::Certificate(_) => codes::INTERNAL,
            _ => codes::DATA_UNUSABLE,
        }
    }
}

impl From<rcgen::Error> for IdentityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// Why a text is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokenError {
    #[error("the token is empty")]
    Empty,
    #[error("the token has {found} characters, at most {max} are allowed")]
    TooLong { found: usize, max: usize },
    #[error("the token starts with {found:?}, expected \"odeon1.\"")]
    Prefix { found: String },
    #[error("the token has a character that is not base64url: {0}")]
    Encoding(String),
    #[error("the token's checksum does not fit: it was cut or mistyped")]
    Checksum,
    #[error("the token's content cannot be understood: {0}")]
    Content(&'static str),
}

impl TokenError {
    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        codes::TOKEN_MALFORMED
    }
}

/// Why a node was not let in, or an operator not connected.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum JoinError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("no leader answers at {addresses}: {reason}")]
    Unreachable { addresses: String, reason: String },
    #[error("{address} is not the leader that the token is for: {reason}")]
    NotTheLeader { address: String, reason: String },
    #[error("{reason}")]
    Refused { code: u16, reason: String },
    #[error("the leader's answer cannot be understood: {0}")]
    Answer(String),
}

impl JoinError {
    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        match self {
            Self::Identity(e) => e.code(),
            Self::Unreachable { .. } => codes::LEADER_UNREACHABLE,
            Self::NotTheLeader { .. } => codes::IDENTITY,
            Self::Refused { code, .. } => *code,
            Self::Answer(_) => codes::BAD_REQUEST,
        }
    }
}
