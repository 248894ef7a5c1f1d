//! The file: its tables, how it is made, and how everything in it is read back.

use super::LedgerError;
use super::entry::{self, COMMITTED, FACTS, PURGED, SNAPSHOT, VOTE};
use super::limits::CACHE_BYTES_MAX;
use super::types::{Entry, LogId, SnapshotMeta, Vote};
use crate::durable;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::collections::BTreeMap;
use std::path::Path;

/// Format of the tables and the entries; another one is refused.
pub(super) const FORMAT: u64 = 2;
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
pub(super) const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
pub(super) const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
pub(super) const FORMAT_ROW: &str = "format";
/// The index that the next entry will have: without it, entries missing at the end would go unnoticed.
pub(super) const NEXT_ROW: &str = "next";

/// Everything in a file but the facts of the snapshot, which are checked and read again when they are wanted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) snapshot: Option<SnapshotMeta>,
    pub(super) entries: BTreeMap<u64, Entry>,
}

/// Makes an empty file, unless there is one.
pub(super) fn prepare(path: &Path) -> Result<(), LedgerError> {
    match path.try_exists().map_err(|e| LedgerError::from_io(&e))? {
        true => Ok(()),
        false => create(path),
    }
}

/// Opens the file, or makes it, checks all of it and reads it.
pub(super) fn open(path: &Path) -> Result<(Database, Content), LedgerError> {
    prepare(path)?;
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES_MAX)
        .set_check_integrity_on_open(true)
        .open(path)
        .map_err(|e| LedgerError::from_redb(e.into()))?;
    let content = read(&database)?;
    Ok((database, content))
}

/// Makes an empty ledger aside and moves it into place whole: a crash on the way leaves no half file.
fn create(path: &Path) -> Result<(), LedgerError> {
    let io = |e: std::io::Error| LedgerError::from_io(&e);
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    if Path::new(&aside).try_exists().map_err(io)? {
        std::fs::remove_file(&aside).map_err(io)?;
    }
    let database = Builder::new().create(&aside).map_err(|e| LedgerError::from_redb(e.into()))?;
    initialise(&database).map_err(LedgerError::from_redb)?;
    drop(database);
    std::fs::rename(&aside, path).map_err(io)?;
    durable::sync_dir(durable::folder_of(path)).map_err(io)
}

fn initialise(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(LOG)?;
    transaction.open_table(STATE)?;
    transaction.open_table(ABOUT)?.insert(FORMAT_ROW, FORMAT)?;
    set_next(&transaction, 0)?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn set_next(transaction: &WriteTransaction, index: u64) -> Result<(), redb::Error> {
    transaction.open_table(ABOUT)?.insert(NEXT_ROW, index)?;
    Ok(())
}

fn begin(database: &Database) -> Result<ReadTransaction, LedgerError> {
    database.begin_read().map_err(|e| LedgerError::from_redb(e.into()))
}

fn read(database: &Database) -> Result<Content, LedgerError> {
    let store = LedgerError::from_redb;
    let transaction = begin(database)?;
    let about = transaction.open_table(ABOUT).map_err(|e| store(e.into()))?;
    let row = |name: &str| -> Result<u64, LedgerError> {
        let found = about.get(name).map_err(|e| store(e.into()))?;
        found
            .map(|value| value.value())
            .ok_or_else(|| LedgerError::Corrupt { what: format!("it does not say its {name}") })
    };
    let format = row(FORMAT_ROW)?;
    if format != FORMAT {
        return Err(LedgerError::Version { found: format, expected: FORMAT });
    }
    let end = row(NEXT_ROW)?;
    let mut content = Content {
        vote: state(&transaction, VOTE)?.map(|bytes| entry::decode_vote(&bytes)).transpose()?,
        committed: state(&transaction, COMMITTED)?.map(|b| entry::decode_log_id(COMMITTED, &b)).transpose()?,
        purged: state(&transaction, PURGED)?.map(|b| entry::decode_log_id(PURGED, &b)).transpose()?,
        snapshot: read_snapshot(database)?.map(|(meta, _)| meta),
        entries: BTreeMap::new(),
    };
    // The log begins with 0, which nobody can tell from a log that is empty but for the number of its last entry.
    let mut next = content.purged.map_or(0, |id| id.index() + 1);
    let table = transaction.open_table(LOG).map_err(|e| store(e.into()))?;
    for row in table.iter().map_err(|e| store(e.into()))? {
        let (index, bytes) = row.map_err(|e| store(e.into()))?;
        let index = index.value();
        if index != next {
            return Err(LedgerError::Gap { expected: next, found: index });
        }
        content.entries.insert(index, entry::decode(index, bytes.value())?);
        next += 1;
    }
    if next != end {
        return Err(LedgerError::Short { expected: end, found: next });
    }
    Ok(content)
}

fn state(transaction: &ReadTransaction, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
    let store = LedgerError::from_redb;
    let table = transaction.open_table(STATE).map_err(|e| store(e.into()))?;
    let found = table.get(name).map_err(|e| store(e.into()))?;
    Ok(found.map(|bytes| bytes.value().to_vec()))
}

/// The snapshot, checked: what it says of itself, and the encoded facts.
pub(super) fn read_snapshot(database: &Database) -> Result<Option<(SnapshotMeta, Vec<u8>)>, LedgerError> {
    let transaction = begin(database)?;
    match (state(&transaction, SNAPSHOT)?, state(&transaction, FACTS)?) {
        (None, None) => Ok(None),
        (Some(meta), Some(facts)) => Ok(Some((entry::decode_meta(&meta)?, entry::unseal_facts(&facts)?))),
        _ => Err(LedgerError::Corrupt { what: "half of its snapshot is missing".into() }),
    }
}
