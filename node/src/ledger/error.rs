//! Why a ledger cannot be opened or goes no further.

use super::limits;
use odeon_convention::codes;
use std::io;

/// Why a ledger cannot be opened or goes no further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum LedgerError {
    /// Bytes that no ledger wrote, or that changed since.
    #[error("the ledger is corrupt: {what}")]
    Corrupt { what: String },
    /// An entry is damaged.
    #[error("the ledger is corrupt: entry {index}: {what}")]
    CorruptEntry { index: u64, what: String },
    /// An entry is missing.
    #[error("the ledger is corrupt: entry {expected} is missing, entry {found} is there")]
    Gap { expected: u64, found: u64 },
    /// Entries are missing at the end.
    #[error("the ledger is corrupt: it ends before entry {found}, it was written up to before entry {expected}")]
    Short { expected: u64, found: u64 },
    /// An entry of a later version of Odeon.
    #[error("entry {index} of the ledger is of a kind that this version does not know: {kind:?}")]
    UnknownKind { index: u64, kind: String },
    /// A ledger of another format.
    #[error(
        "the ledger has format {found}, this version reads format {expected}: start with an empty folder, or go on \
         with the version that wrote it"
    )]
    Version { found: u64, expected: u64 },
    /// Another process has the file open.
    #[error("the ledger is in use by another process")]
    InUse,
    /// The record is larger than a ledger takes.
    #[error("record {index} has {found} bytes, a ledger takes {} at most", limits::RECORD_BYTES_MAX)]
    RecordTooLarge { index: u64, found: usize },
    /// The disk, or the other leaders, do not keep up.
    #[error("{records} records ({bytes} bytes) wait to be durable already")]
    QueueFull { records: usize, bytes: usize },
    /// There is no room for another record.
    #[error("the disk of the ledger is full: {what}")]
    DiskFull { what: String },
    /// The file cannot be read or written.
    #[error("the ledger cannot be read or written: {what}")]
    Io { what: String },
    /// The group of leaders is as it was, or will be another one a little later.
    #[error("the group of leaders was not changed: {what}")]
    Unchanged { what: String },
    /// An earlier write failed, or the ledger was closed.
    #[error("the ledger takes no more records: {what}")]
    Stopped { what: String },
}

impl LedgerError {
    /// The code that an operator sees.
    pub fn code(&self) -> u16 {
        match self {
            LedgerError::DiskFull { .. } => codes::DISK_FULL,
            LedgerError::InUse => codes::DATA_IN_USE,
            LedgerError::Unchanged { .. } => codes::NO_MAJORITY,
            LedgerError::RecordTooLarge { .. } | LedgerError::QueueFull { .. } => codes::INTERNAL,
            _ => codes::DATA_UNUSABLE,
        }
    }

    pub(super) fn from_io(e: &io::Error) -> Self {
        let what = e.to_string();
        match e.kind() {
            // A limit on file sizes is a full disk to whoever has to make room.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                LedgerError::DiskFull { what }
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => LedgerError::Corrupt { what },
            _ => LedgerError::Io { what },
        }
    }

    pub(super) fn from_redb(e: redb::Error) -> Self {
        match e {
            redb::Error::Io(e) => Self::from_io(&e),
            redb::Error::DatabaseAlreadyOpen => LedgerError::InUse,
            redb::Error::Corrupted(what) => LedgerError::Corrupt { what },
            redb::Error::TableDoesNotExist(table) => LedgerError::Corrupt { what: format!("it has no {table}") },
            e @ (redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted) => LedgerError::Corrupt { what: e.to_string() },
            e => LedgerError::Io { what: e.to_string() },
        }
    }
}

impl From<LedgerError> for io::Error {
    fn from(error: LedgerError) -> Self {
        io::Error::other(error)
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the store underneath stopped").chars().take(300).collect()
}
