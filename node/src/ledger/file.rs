//! The file: its tables, how it is made, and how everything in it is read back.

use super::LedgerError;
use super::entry::decode;
use super::limits::CACHE_BYTES_MAX;
use crate::durable;
use odeon_convention::record::Record;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::path::Path;

/// Format of the tables and the entries; another one is refused.
pub(super) const FORMAT: u64 = 1;
pub(super) const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
pub(super) const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
pub(super) const FORMAT_ROW: &str = "format";
/// The last record's index: without it, records missing at the end would go unnoticed.
pub(super) const LAST_ROW: &str = "last";

/// Opens the file, or makes it, checks all of it and reads every record.
pub(super) fn open(path: &Path) -> Result<(Database, Vec<(u64, Record)>), LedgerError> {
    if !path.try_exists().map_err(|e| LedgerError::from_io(&e))? {
        create(path)?;
    }
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES_MAX)
        .set_check_integrity_on_open(true)
        .open(path)
        .map_err(|e| LedgerError::from_redb(e.into()))?;
    let records = replay(&database)?;
    Ok((database, records))
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
    transaction.open_table(RECORDS)?;
    transaction.open_table(ABOUT)?.insert(FORMAT_ROW, FORMAT)?;
    set_last(&transaction, 0)?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn set_last(transaction: &WriteTransaction, index: u64) -> Result<(), redb::Error> {
    transaction.open_table(ABOUT)?.insert(LAST_ROW, index)?;
    Ok(())
}

fn replay(database: &Database) -> Result<Vec<(u64, Record)>, LedgerError> {
    let store = LedgerError::from_redb;
    let transaction = database.begin_read().map_err(|e| store(e.into()))?;
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
    let last = row(LAST_ROW)?;
    let table = transaction.open_table(RECORDS).map_err(|e| store(e.into()))?;
    let mut records = Vec::new();
    for entry in table.iter().map_err(|e| store(e.into()))? {
        let (index, bytes) = entry.map_err(|e| store(e.into()))?;
        let (index, expected) = (index.value(), records.len() as u64 + 1);
        if index != expected {
            return Err(LedgerError::Gap { expected, found: index });
        }
        records.push((index, decode(index, bytes.value())?));
    }
    let found = records.len() as u64;
    if found != last {
        return Err(LedgerError::Short { expected: last, found });
    }
    Ok(records)
}
