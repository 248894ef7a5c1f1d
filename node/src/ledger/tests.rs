//! The ledger on real files: order, group commit, damage, and a disk that is full.

use super::entry::seal;
use super::file::{ABOUT, FORMAT_ROW, RECORDS, set_last};
use super::limits::RECORD_BYTES_MAX;
use super::*;
use redb::Database;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(30);

enum Said {
    Committed(u64),
    Failed(LedgerError),
}

type Opened = (RedbLedger, Vec<(u64, Record)>, Receiver<Said>);

fn open(path: &Path) -> Result<Opened, LedgerError> {
    let (said, heard) = channel();
    let failed = said.clone();
    let (ledger, records) = RedbLedger::open(
        path,
        Box::new(move |index| drop(said.send(Said::Committed(index)))),
        Box::new(move |e| drop(failed.send(Said::Failed(e)))),
    )?;
    Ok((ledger, records, heard))
}

fn refused(path: &Path) -> LedgerError {
    match open(path) {
        Err(e) => e,
        Ok((_, records, _)) => panic!("opened with {} records", records.len()),
    }
}

fn record(n: u64) -> Record {
    match n % 3 {
        0 => Record::TermBegan { term: n },
        1 => Record::NameFreed { name: format!("name-{n}-{}", "x".repeat((n % 50) as usize)) },
        _ => Record::AuthoritySet {
            authority: odeon_convention::record::AuthoritySetting::Keyring { allowed_signers: format!("a {n}") },
        },
    }
}

fn wait_for(heard: &Receiver<Said>, index: u64) {
    let mut highest = 0;
    while highest < index {
        match heard.recv_timeout(WAIT).expect("a commit in time") {
            Said::Committed(i) => {
                assert!(i > highest, "commits come in order");
                highest = i;
            }
            Said::Failed(e) => panic!("{e}"),
        }
    }
    assert_eq!(highest, index);
}

fn filled(path: &Path, count: u64) -> Vec<(u64, Record)> {
    let (ledger, old, heard) = open(path).unwrap();
    assert!(old.is_empty());
    for n in 1..=count {
        ledger.append(n, &record(n)).unwrap();
    }
    wait_for(&heard, count);
    (1..=count).map(|n| (n, record(n))).collect()
}

#[test]
fn what_was_committed_is_replayed_in_order_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let expected = filled(&path, 500);
    let (ledger, records, heard) = open(&path).unwrap();
    assert_eq!(records, expected);
    assert_eq!(ledger.next_index(), 501);
    ledger.append(501, &record(501)).unwrap();
    wait_for(&heard, 501);
    drop(ledger);
    assert_eq!(open(&path).unwrap().1.len(), 501);
}

#[test]
fn dropping_a_ledger_first_writes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let (ledger, _, _heard) = open(&path).unwrap();
    for n in 1..=5_000 {
        ledger.append(n, &record(n)).unwrap();
    }
    drop(ledger);
    assert_eq!(open(&path).unwrap().1.len(), 5_000);
}

#[test]
fn many_queued_records_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, heard) = open(&folder.path().join("ledger.redb")).unwrap();
    for n in 1..=20_000 {
        ledger.append(n, &record(n)).unwrap();
    }
    drop(ledger);
    let commits = heard.iter().filter(|s| matches!(s, Said::Committed(_))).count();
    assert!(commits < 2_000, "{commits} commits for 20,000 records");
}

#[test]
#[should_panic(expected = "numbered without holes")]
fn a_hole_in_the_numbers_is_a_bug_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, _heard) = open(&folder.path().join("ledger.redb")).unwrap();
    let _ = ledger.append(2, &record(2));
}

#[test]
fn a_record_that_is_too_large_is_refused_and_its_number_stays_free() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, heard) = open(&folder.path().join("ledger.redb")).unwrap();
    let large = Record::NameFreed { name: "x".repeat(RECORD_BYTES_MAX) };
    assert!(matches!(ledger.append(1, &large), Err(LedgerError::RecordTooLarge { index: 1, .. })));
    ledger.append(1, &record(1)).unwrap();
    wait_for(&heard, 1);
}

#[test]
fn a_queue_that_the_disk_does_not_empty_is_bounded() {
    let queue = Queue::default();
    let large = vec![0; RECORD_BYTES_MAX];
    for n in 0..(limits::QUEUE_BYTES_MAX / RECORD_BYTES_MAX) as u64 {
        queue.push(n, large.clone()).unwrap();
    }
    assert!(matches!(queue.push(99, large), Err(LedgerError::QueueFull { .. })));
}

#[test]
fn a_second_opening_of_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let first = open(&path).unwrap();
    assert_eq!(refused(&path), LedgerError::InUse);
    drop(first);
}

/// Changes a ledger behind its back.
fn alter(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn another_format_is_refused_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 3);
    alter(&path, |t| drop(t.open_table(ABOUT).unwrap().insert(FORMAT_ROW, 2).unwrap()));
    assert_eq!(refused(&path), LedgerError::Version { found: 2, expected: 1 });
}

#[test]
fn a_missing_record_is_named_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 9);
    alter(&path, |t| drop(t.open_table(RECORDS).unwrap().remove(9).unwrap()));
    assert_eq!(refused(&path), LedgerError::Short { expected: 9, found: 8 });
    alter(&path, |t| drop(t.open_table(RECORDS).unwrap().remove(4).unwrap()));
    assert_eq!(refused(&path), LedgerError::Gap { expected: 4, found: 5 });
}

#[test]
fn a_record_of_a_kind_from_the_future_is_named_not_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 2);
    #[derive(serde::Serialize)]
    enum Future {
        MoonRose { on: u64 },
    }
    let body = rmp_serde::to_vec_named(&Future::MoonRose { on: 7 }).unwrap();
    alter(&path, |t| {
        t.open_table(RECORDS).unwrap().insert(3, seal(3, &body).unwrap().as_slice()).unwrap();
        set_last(t, 3).unwrap();
    });
    assert_eq!(refused(&path), LedgerError::UnknownKind { index: 3, kind: "MoonRose".into() });
}

#[test]
fn an_entry_that_is_damaged_or_in_the_wrong_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 4);
    let good = encode(2, &record(2)).unwrap();
    let mut flipped = good.clone();
    flipped[9] ^= 1;
    for bytes in [flipped, encode(3, &record(2)).unwrap(), vec![1, 2], seal(2, b"\xc1").unwrap()] {
        alter(&path, |t| drop(t.open_table(RECORDS).unwrap().insert(2, bytes.as_slice()).unwrap()));
        assert!(matches!(refused(&path), LedgerError::CorruptRecord { index: 2, .. }));
    }
}

#[test]
fn a_flipped_byte_anywhere_is_an_error_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let expected = filled(&path, 40);
    let good = std::fs::read(&path).unwrap();
    let mut errors = 0;
    // Every other byte of the header and a spread over all the rest.
    for at in (0..320).step_by(2).chain((320..good.len()).step_by(good.len() / 100)) {
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        std::fs::write(&path, &bad).unwrap();
        match open(&path) {
            // Bytes that nothing uses may change.
            Ok((_, records, _)) => assert_eq!(records, expected, "byte {at}"),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 50, "only {errors} flips were noticed");
}

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 200);
    let good = std::fs::read(&path).unwrap();
    for keep in [1, 63, 320, 4_096, good.len() / 2, good.len() - 1] {
        std::fs::write(&path, &good[..keep]).unwrap();
        let e = refused(&path);
        assert_eq!(e.code(), odeon_convention::codes::DATA_UNUSABLE, "cut to {keep}: {e}");
    }
    std::fs::write(&path, b"this was never a ledger").unwrap();
    assert_eq!(refused(&path).code(), odeon_convention::codes::DATA_UNUSABLE);
}

#[test]
fn a_creation_that_was_cut_off_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    std::fs::write(folder.path().join("ledger.redb.new"), b"half").unwrap();
    filled(&path, 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

const FULL: &str = "ODEON_TEST_FULL_LEDGER";

/// Runs in a child process whose files may not grow beyond a few MiB: writes until the disk is full, then says what
/// was acknowledged.
#[test]
fn a_full_disk_is_reported_once_and_nothing_later_is_acknowledged() {
    if let Ok(path) = std::env::var(FULL) {
        return fill_the_disk(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let name = std::thread::current().name().unwrap().to_owned();
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(FULL, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: u64 =
        text.lines().find_map(|l| l.split("acknowledged=").nth(1)).expect("the child's word").trim().parse().unwrap();
    assert!(acknowledged > 0);
    // With room again, every acknowledged record is there.
    let (ledger, records, heard) = open(&path).unwrap();
    assert!(records.len() as u64 >= acknowledged, "{} of {acknowledged} are left", records.len());
    let next = ledger.next_index();
    ledger.append(next, &record(next)).unwrap();
    loop {
        match heard.recv_timeout(WAIT).unwrap() {
            Said::Committed(index) if index == next => break,
            Said::Committed(_) => {}
            Said::Failed(e) => panic!("{e}"),
        }
    }
}

fn fill_the_disk(path: &Path) {
    let (ledger, _, heard) = open(path).unwrap();
    let mut acknowledged = 0;
    let mut failures = Vec::new();
    let mut n = 1;
    while failures.is_empty() {
        let large = Record::NameFreed { name: "x".repeat(100_000) };
        if ledger.append(n, &large).is_err() {
            break;
        }
        n += 1;
        match heard.recv_timeout(WAIT).unwrap() {
            Said::Committed(index) => acknowledged = index,
            Said::Failed(e) => failures.push(e),
        }
    }
    for _ in 0..3 {
        assert!(matches!(ledger.append(n, &record(n)), Err(LedgerError::Stopped { .. })));
    }
    drop(ledger);
    for said in heard {
        match said {
            Said::Committed(index) => panic!("{index} was acknowledged after the failure"),
            Said::Failed(e) => failures.push(e),
        }
    }
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(matches!(failures[0], LedgerError::DiskFull { .. }), "{failures:?}");
    assert_eq!(failures[0].code(), odeon_convention::codes::DISK_FULL);
    println!("acknowledged={acknowledged}");
}

const KILLED: &str = "ODEON_TEST_KILLED_LEDGER";

#[test]
fn a_killed_process_leaves_every_record_that_it_acknowledged() {
    if let Ok(path) = std::env::var(KILLED) {
        return write_until_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let name = std::thread::current().name().unwrap().to_owned();
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(KILLED, &path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let mut said =
            lines.filter_map(|l| l.unwrap().split("acknowledged=").nth(1).and_then(|n| n.parse::<u64>().ok()));
        let enough = acknowledged + 50;
        acknowledged = said.find(|n| *n >= enough).expect("the child goes on until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = said.last().unwrap_or(acknowledged);
        let (_, records, _) = open(&path).unwrap();
        assert!(records.len() as u64 >= acknowledged, "{} of {acknowledged}", records.len());
        assert!(records.iter().all(|(n, found)| *found == record(*n)));
    }
}

fn write_until_killed(path: &Path) {
    let (ledger, _, heard) = open(path).unwrap();
    loop {
        let next = ledger.next_index();
        ledger.append(next, &record(next)).unwrap();
        match heard.recv_timeout(WAIT).unwrap() {
            Said::Committed(index) => println!("\nacknowledged={index}"),
            Said::Failed(e) => panic!("{e}"),
        }
    }
}
