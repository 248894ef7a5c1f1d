//! Files that were damaged, cut short, or written by another version: a named error or the whole ledger, never less.

use super::super::entry::{self, seal};
use super::super::file::{ABOUT, FORMAT, FORMAT_ROW, LOG, NEXT_ROW};
use super::super::log::Log;
use super::super::types::Entry;
use super::{LedgerError, filled};
use odeon_convention::codes;
use redb::{Database, TableDefinition, WriteTransaction};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A ledger with that many records, and its path.
async fn ledger(records: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, records).await;
    (folder, path)
}

fn open(path: &Path) -> Result<Vec<Entry>, LedgerError> {
    Log::open(path, Box::new(|e| panic!("{e}"))).map(|log| log.entries())
}

fn refused(path: &Path) -> LedgerError {
    match open(path) {
        Err(e) => e,
        Ok(entries) => panic!("opened with {} entries", entries.len()),
    }
}

/// Changes a ledger behind its back.
fn alter(path: &Path, change: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[tokio::test]
async fn another_format_is_refused_by_number() {
    let (_folder, path) = ledger(3).await;
    alter(&path, |t| drop(t.open_table(ABOUT).unwrap().insert(FORMAT_ROW, 3).unwrap()));
    assert_eq!(refused(&path), LedgerError::Version { found: 3, expected: FORMAT });
}

#[tokio::test]
async fn a_ledger_of_the_version_before_is_refused_by_number_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, &[u8]>::new("records")).unwrap();
    transaction.open_table(ABOUT).unwrap().insert(FORMAT_ROW, 1).unwrap();
    transaction.open_table(ABOUT).unwrap().insert("last", 0).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refused(&path);
    assert_eq!(error, LedgerError::Version { found: 1, expected: FORMAT });
    assert_eq!(refused(&path), error, "it is as it was");
}

#[tokio::test]
async fn a_missing_entry_is_named_wherever_it_is() {
    let (_folder, path) = ledger(9).await;
    let end = open(&path).unwrap().last().unwrap().log_id.index() + 1;
    alter(&path, |t| drop(t.open_table(LOG).unwrap().remove(end - 1).unwrap()));
    assert_eq!(refused(&path), LedgerError::Short { expected: end, found: end - 1 });
    alter(&path, |t| drop(t.open_table(LOG).unwrap().remove(4).unwrap()));
    assert_eq!(refused(&path), LedgerError::Gap { expected: 4, found: 5 });
}

#[tokio::test]
async fn an_entry_of_a_kind_from_the_future_is_named_not_skipped() {
    let (_folder, path) = ledger(2).await;
    #[derive(serde::Serialize)]
    enum Future {
        MoonRose { on: u64 },
    }
    #[derive(serde::Serialize)]
    enum What {
        Record(Future),
    }
    #[derive(serde::Serialize)]
    struct Kept {
        term: u64,
        what: What,
    }
    let end = open(&path).unwrap().last().unwrap().log_id.index() + 1;
    let kept = Kept { term: 1, what: What::Record(Future::MoonRose { on: 7 }) };
    let body = rmp_serde::to_vec_named(&kept).unwrap();
    alter(&path, |t| {
        t.open_table(LOG).unwrap().insert(end, seal(end, &body).as_slice()).unwrap();
        t.open_table(ABOUT).unwrap().insert(NEXT_ROW, end + 1).unwrap();
    });
    assert_eq!(refused(&path), LedgerError::UnknownKind { index: end, kind: "MoonRose".into() });
}

#[tokio::test]
async fn an_entry_that_is_damaged_or_in_the_wrong_place_is_named() {
    let (_folder, path) = ledger(4).await;
    let entries = open(&path).unwrap();
    let good = entry::encode(&entries[2]).unwrap();
    let mut flipped = good.clone();
    flipped[9] ^= 1;
    for bytes in [flipped, entry::encode(&entries[3]).unwrap(), vec![1, 2], seal(2, b"\xc1")] {
        alter(&path, |t| drop(t.open_table(LOG).unwrap().insert(2, bytes.as_slice()).unwrap()));
        assert!(matches!(refused(&path), LedgerError::CorruptEntry { index: 2, .. }));
    }
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_an_error_or_changes_nothing() {
    let (_folder, path) = ledger(40).await;
    let expected = open(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut errors = 0;
    // Every other byte of the header and a spread over all the rest.
    for at in (0..320).step_by(2).chain((320..good.len()).step_by(good.len() / 100)) {
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        std::fs::write(&path, &bad).unwrap();
        match open(&path) {
            // Bytes that nothing uses may change.
            Ok(entries) => assert_eq!(entries, expected, "byte {at}"),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 50, "only {errors} flips were noticed");
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_an_error() {
    let (_folder, path) = ledger(200).await;
    let good = std::fs::read(&path).unwrap();
    for keep in [1, 63, 320, 4_096, good.len() / 2, good.len() - 1] {
        std::fs::write(&path, &good[..keep]).unwrap();
        let e = refused(&path);
        assert_eq!(e.code(), codes::DATA_UNUSABLE, "cut to {keep}: {e}");
    }
    std::fs::write(&path, b"this was never a ledger").unwrap();
    assert_eq!(refused(&path).code(), codes::DATA_UNUSABLE);
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    std::fs::write(folder.path().join("ledger.redb.new"), b"half").unwrap();
    filled(&path, 3).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
