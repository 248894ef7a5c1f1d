//! Why the process of an image cannot be had.

use odeon_sourceauth::ImageError;
use std::path::PathBuf;

/// Why a process cannot be started, or a node cannot run any. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProcessError {
    #[error("this node runs no code of images as processes (--allow-process no), OD-166")]
    NotAllowed,
    #[error("this node has no {name}, which the image names as its interpreter, OD-167")]
    NoInterpreter { name: String },
    #[error("the image has no code for {architecture}, OD-167")]
    NoCode { architecture: &'static str },
    #[error("the image's process cannot say which actors it has: {reason}, OD-167")]
    Describe { reason: String },
    #[error("the image's process has {found}, and its odeon.toml has {expected}, OD-167")]
    Disagrees { found: String, expected: String },
    #[error("the image's files cannot be unpacked to {path}: {source}")]
    Unpack { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("the folder for processes {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("no user {name:?} is in /etc/passwd")]
    NoUser { name: String },
    #[error("a node that is run by root needs --process-user NAME, OD-168")]
    UserMissing,
    #[error("only a node that is run by root can run processes as {name:?}")]
    UserNotOurs { name: String },
    #[error("the cage of processes cannot be tried: {reason}")]
    Probe { reason: String },
    #[error("the thread for processes cannot start: {0}")]
    Thread(std::io::Error),
}

impl ProcessError {
    /// Whether another node may run the image's code all the same.
    pub fn is_of_this_node(&self) -> bool {
        matches!(self, Self::NotAllowed | Self::NoInterpreter { .. } | Self::NoCode { .. })
    }
}
