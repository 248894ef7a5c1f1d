//! The outbox on real files: numbers, bounds, restarts and storms.

use super::*;
use crate::logs::limits::SOURCE_LINES_PER_SECOND_MAX;
use odeon::{Incarnation, Level};
use std::collections::BTreeMap;

pub(in crate::logs) fn line(message: &str) -> LogLine {
    LogLine {
        time: "2026-05-01T12:00:00.250Z".into(),
        level: Level::Warn,
        node: "member-1".into(),
        incarnation: 3,
        actor: None,
        image: None,
        target: "test".into(),
        message: message.into(),
        fields: BTreeMap::new(),
        seq: 0,
    }
}

pub(in crate::logs) fn origin(incarnation: u32) -> Origin {
    Origin { name: "member-1".into(), incarnation: Incarnation(incarnation) }
}

fn open(folder: &Path, incarnation: u32) -> Outbox {
    Outbox::open(folder, origin(incarnation), OutboxLimits::default()).unwrap()
}

/// Ships everything as a driver does: what came out, as ranges with their reason.
fn drain(outbox: &Outbox) -> Vec<(u32, u64, u64, Option<String>)> {
    let mut shipped = Vec::new();
    while let Some(batch) = outbox.batch(64 * 1024) {
        batch.check().unwrap();
        for piece in batch.items() {
            let (from, to) = piece.range();
            let reason = match piece {
                crate::logs::batch::Piece::Gap(gap) => Some(gap.reason.clone()),
                crate::logs::batch::Piece::Line(line) => {
                    assert_eq!(line.incarnation, batch.incarnation);
                    None
                }
            };
            shipped.push((batch.incarnation, from, to, reason));
        }
        outbox.acknowledge(batch.incarnation, batch.last_seq());
    }
    shipped
}

fn assert_no_hole(shipped: &[(u32, u64, u64, Option<String>)], to: u64) {
    let mut next = 1;
    for (_, from, to, _) in shipped {
        assert_eq!(*from, next);
        next = to + 1;
    }
    assert_eq!(next, to + 1);
}

#[test]
fn lines_are_numbered_from_one_and_shipped_until_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path(), 3);
    assert_eq!(outbox.batch(1000), None);
    for n in 1..=5 {
        outbox.push(line(&format!("line {n}")));
    }
    let batch = outbox.batch(100_000).unwrap();
    assert_eq!((batch.incarnation, batch.first_seq, batch.last_seq()), (3, 1, 5));
    assert_eq!(outbox.batch(100_000).unwrap(), batch, "the same again until it is acknowledged");
    outbox.acknowledge(3, 2);
    let rest = outbox.batch(100_000).unwrap();
    assert_eq!((rest.first_seq, rest.lines[0].message.as_str()), (3, "line 3"));
    outbox.acknowledge(3, 5);
    assert_eq!(outbox.batch(100_000), None);
    outbox.push(line("line 6"));
    assert_eq!(outbox.batch(100_000).unwrap().first_seq, 6);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a quiet node keeps one file");
}

#[test]
fn a_small_batch_holds_one_line_at_least() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path(), 3);
    outbox.push(line(&"x".repeat(5_000)));
    outbox.push(line("second"));
    assert_eq!(outbox.batch(10).unwrap().lines.len(), 1);
}

#[test]
fn lines_that_were_not_acknowledged_survive_a_restart_under_their_own_incarnation() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), 3);
    (0..10).for_each(|_| first.push(line("before")));
    first.acknowledge(3, 4);
    drop(first);
    let second = open(folder.path(), 4);
    second.push(line("after"));
    let shipped = drain(&second);
    // What was acknowledged may come once more: the leader knows it by its number.
    assert_eq!(shipped.iter().filter(|s| s.0 == 3).map(|s| s.1).max(), Some(10));
    assert!(shipped.iter().filter(|s| s.0 == 3).count() >= 6);
    assert_eq!(shipped.last(), Some(&(4, 1, 1, None)));
    drop(second);
    assert_eq!(drain(&open(folder.path(), 5)), []);
}

#[test]
fn an_entry_that_a_crash_cut_off_is_cut_and_the_rest_is_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), 3);
    (0..10).for_each(|n| first.push(line(&format!("line {n}"))));
    drop(first);
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let shipped = drain(&open(folder.path(), 4));
    assert_eq!(shipped.len(), 9);
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x41;
        std::fs::write(&path, &bad).unwrap();
        assert!(drain(&open(folder.path(), 4)).len() < 10, "a flipped byte {at} went unnoticed");
    }
}

#[test]
fn a_full_spool_drops_the_oldest_and_accounts_for_every_line() {
    let folder = tempfile::tempdir().unwrap();
    let limits = OutboxLimits { spool_bytes_max: 64 * 1024, memory_bytes_max: 16 * 1024 };
    let outbox = Outbox::open(folder.path(), origin(3), limits).unwrap();
    for n in 1..=2_000 {
        outbox.push(line(&format!("line {n} {}", "x".repeat(100))));
        assert!(outbox.waiting_bytes() <= limits.spool_bytes_max);
    }
    let on_disk: u64 = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= limits.spool_bytes_max, "{on_disk}");
    let shipped = drain(&outbox);
    assert_no_hole(&shipped, 2_000);
    let gaps: Vec<_> = shipped.iter().filter(|s| s.3.is_some()).collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].1, gaps[0].3.as_deref()), (1, Some("spool full")));
    let kept = shipped.len() as u64 - 1;
    assert_eq!(gaps[0].2, 2_000 - kept);
    assert!(kept > 200);
}

#[test]
fn what_is_dropped_while_a_batch_is_under_way_is_a_gap_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let limits = OutboxLimits { spool_bytes_max: 32 * 1024, memory_bytes_max: 16 * 1024 };
    let outbox = Outbox::open(folder.path(), origin(3), limits).unwrap();
    (0..3).for_each(|_| outbox.push(line("early")));
    let under_way = outbox.batch(64 * 1024).unwrap();
    (0..1_000).for_each(|_| outbox.push(line(&"x".repeat(100))));
    outbox.acknowledge(3, under_way.last_seq());
    let next = outbox.batch(64 * 1024).unwrap();
    assert!(next.gaps[0].from <= 4 && next.gaps[0].to > 4, "{:?}", next.gaps);
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_newest_lines_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let limits = OutboxLimits { spool_bytes_max: 64 * 1024, memory_bytes_max: 32 * 1024 };
    let outbox = Outbox::open(&spool, origin(3), limits).unwrap();
    // No file can be made in a folder that is gone.
    std::fs::remove_dir_all(&spool).unwrap();
    (0..1_000).for_each(|_| outbox.push(line(&"x".repeat(100))));
    assert!(outbox.waiting_bytes() <= limits.memory_bytes_max);
    std::fs::create_dir(&spool).unwrap();
    outbox.push(line("the disk is back"));
    let shipped = drain(&outbox);
    assert_no_hole(&shipped, 1_001);
    assert_eq!(shipped[0].3.as_deref(), Some("disk and memory full"));
    assert!(shipped.len() > 50);
    outbox.push(line("after"));
    assert_eq!(drain(&outbox), [(3, 1_002, 1_002, None)]);
}

#[test]
fn many_short_starts_leave_a_bounded_number_of_files() {
    let folder = tempfile::tempdir().unwrap();
    for incarnation in 1..=200 {
        open(folder.path(), incarnation).push(line("started and died"));
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().count() <= 65);
    let shipped = drain(&open(folder.path(), 201));
    assert!(shipped.iter().any(|s| s.0 == 200));
}

#[test]
fn a_storm_of_100_000_lines_is_bounded_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path(), 3);
    let started = Instant::now();
    let mut admitted = 0;
    for n in 0..100_000 {
        if outbox.admit("storm") {
            admitted += 1;
            outbox.push(line(&format!("line {n}")));
        }
    }
    assert!(outbox.admit("another"), "a storm of one source leaves room for another");
    outbox.push(line("another"));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    let seconds = took.as_secs() + 1;
    assert!(admitted <= u64::from(SOURCE_LINES_PER_SECOND_MAX) * (seconds + 1), "{admitted} in {took:?}");
    assert!(outbox.waiting_bytes() < 16 * 1024 * 1024);
    let shipped = drain(&outbox);
    assert_no_hole(&shipped, 100_001);
    let refused: u64 = shipped.iter().filter(|s| s.3.as_deref() == Some("rate")).map(|s| s.2 - s.1 + 1).sum();
    assert_eq!(refused, 100_000 - admitted);
}

#[tokio::test]
async fn a_driver_is_woken_by_a_line_that_came_before_it_waited() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path(), 3);
    outbox.push(line("first"));
    tokio::time::timeout(Duration::from_secs(10), outbox.changed().notified()).await.unwrap();
    let waiting = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.changed().notified().await }
    });
    outbox.push(line("second"));
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
}
