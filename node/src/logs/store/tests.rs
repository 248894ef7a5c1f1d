//! The store on real files: once each, rotation, restarts, filters, damage and followers.

use super::*;
use crate::admin::protocol::LogLine;
use crate::logs::outbox::tests::{line, origin};
use crate::logs::{Outbox, OutboxLimits};
use odeon::{Address, Incarnation, Level, NodeRef};
use std::time::{Duration, Instant};

fn id(n: u8) -> NodeId {
    NodeId([n; 16])
}

fn numbered(seq: u64) -> LogLine {
    LogLine { seq, ..line(&format!("line {seq}")) }
}

fn batch(incarnation: u32, seqs: impl IntoIterator<Item = u64>) -> Batch {
    let lines: Vec<_> = seqs.into_iter().map(numbered).collect();
    Batch { incarnation, first_seq: lines[0].seq, lines, gaps: vec![], acknowledged: 0 }
}

fn everything() -> LogQuery {
    LogQuery { level: Level::Trace, node: None, actor: None, image: None, since_ms: None, follow: false }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, StoreLimits::default()).unwrap()
}

/// What a query gives, as `node seq` for lines and `node from-to reason` for gaps.
fn shown(items: impl IntoIterator<Item = Item>) -> Vec<String> {
    let show = |item| match item {
        Item::Log(line) => format!("{} {}", line.node, line.seq),
        Item::Gap(gap) => format!("{} {}-{} {}", gap.node, gap.from, gap.to, gap.reason),
    };
    items.into_iter().map(show).collect()
}

fn all(store: &Store) -> Vec<String> {
    shown(store.query(&everything()).unwrap())
}

#[test]
fn a_batch_that_comes_twice_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.append(id(1), "a", &batch(1, 1..=3)).unwrap(), 3);
    assert_eq!(store.append(id(1), "a", &batch(1, 1..=3)).unwrap(), 3);
    assert_eq!(store.append(id(1), "a", &batch(1, 2..=5)).unwrap(), 5);
    assert_eq!(store.append(id(1), "a", &batch(1, 1..=2)).unwrap(), 5);
    assert_eq!(all(&store), ["a 1", "a 2", "a 3", "a 4", "a 5"]);
}

#[test]
fn starts_and_nodes_of_the_same_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(id(1), "a", &batch(1, 1..=1)).unwrap();
    store.append(id(1), "a", &batch(2, 1..=1)).unwrap();
    store.append(id(2), "a", &batch(1, 1..=1)).unwrap();
    assert_eq!(all(&store).len(), 3);
    let of_second = LogQuery { node: Some(id(2).to_string()), ..everything() };
    assert_eq!(store.query(&of_second).unwrap().count(), 1);
}

#[test]
fn missing_numbers_become_gaps_and_reported_gaps_keep_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(id(1), "a", &batch(1, [3, 6])).unwrap();
    let reported = LogGap { node: "someone else".into(), from: 5, to: 9, reason: "rate".into() };
    let second = Batch { first_seq: 5, gaps: vec![reported], ..batch(1, [10]) };
    assert_eq!(store.append(id(1), "a", &second).unwrap(), 10);
    assert_eq!(all(&store), ["a 1-2 lost", "a 3", "a 4-5 lost", "a 6", "a 7-9 rate", "a 10"]);
}

#[test]
fn what_another_leader_has_taken_is_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(id(1), "a", &batch(1, 1..=2)).unwrap();
    let later = Batch { acknowledged: 4, ..batch(1, [6, 7]) };
    assert_eq!(store.append(id(1), "a", &later).unwrap(), 7);
    assert_eq!(all(&store), ["a 1", "a 2", "a 5-5 lost", "a 6", "a 7"]);
}

#[test]
fn a_batch_that_makes_no_sense_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(store.append(id(1), "a", &batch(1, [5, 4])), Err(StoreError::Batch { .. })));
    assert_eq!(store.acknowledged(id(1), 1), 0);
    assert!(all(&store).is_empty());
}

#[test]
fn a_line_carries_the_name_of_who_sent_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut forged = batch(4, 1..=1);
    forged.lines[0].node = "leader".into();
    forged.lines[0].incarnation = 99;
    store.append(id(1), "a", &forged).unwrap();
    let Some(Item::Log(line)) = store.query(&everything()).unwrap().next() else { panic!("no line") };
    assert_eq!((line.node.as_str(), line.incarnation), ("a", 4));
}

#[test]
fn files_are_rotated_and_bounded_and_positions_survive_what_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { file_bytes_max: 8 * 1024, total_bytes_max: 64 * 1024, ..StoreLimits::default() };
    let store = Store::open(folder.path(), limits).unwrap();
    store.append(id(9), "early", &batch(1, 1..=7)).unwrap();
    for n in 0..300 {
        store.append(id(1), "a", &batch(1, n * 10 + 1..=n * 10 + 10)).unwrap();
    }
    let sizes: Vec<u64> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() <= limits.total_bytes_max + 4 * 1024, "{sizes:?}");
    let kept = all(&store);
    assert_eq!(kept.last().map(String::as_str), Some("a 3000"));
    assert!(!kept.contains(&"early 1".to_owned()), "the oldest file is gone");
    let first: u64 = kept[0].strip_prefix("a ").unwrap().parse().unwrap();
    let expected: Vec<_> = (first..=3_000).map(|n| format!("a {n}")).collect();
    assert_eq!(kept, expected, "in order over all files");
    drop(store);
    let store = Store::open(folder.path(), limits).unwrap();
    assert_eq!((store.acknowledged(id(1), 1), store.acknowledged(id(9), 1)), (3_000, 7));
    assert_eq!(store.append(id(9), "early", &batch(1, 1..=7)).unwrap(), 7);
    assert_eq!(all(&store), expected);
}

#[test]
fn a_query_that_is_open_while_files_go_away_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { file_bytes_max: 1024, total_bytes_max: 8 * 1024, ..StoreLimits::default() };
    let store = Store::open(folder.path(), limits).unwrap();
    store.append(id(1), "a", &batch(1, 1..=20)).unwrap();
    let mut query = store.query(&everything()).unwrap();
    assert_eq!(shown(query.next()), ["a 1"]);
    for n in 1..50 {
        store.append(id(1), "a", &batch(1, n * 20 + 1..=n * 20 + 20)).unwrap();
    }
    assert_eq!(shown(query).len(), 19, "what was there when it began, no more");
}

#[test]
fn a_line_that_a_crash_cut_off_is_cut_and_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(id(1), "a", &batch(1, 1..=5)).unwrap();
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&path).unwrap();
    for cut in [1, 20, whole.len() - 3, whole.len()] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let store = open(folder.path());
        assert!(store.acknowledged(id(1), 1) < 5);
        store.append(id(1), "a", &batch(1, 1..=5)).unwrap();
        assert_eq!(all(&store), ["a 1", "a 2", "a 3", "a 4", "a 5"], "{cut} bytes cut");
    }
}

#[test]
fn a_damaged_line_is_skipped_and_counted_and_the_rest_is_given() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(id(1), "a", &batch(1, 1..=5)).unwrap();
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"message\":\"line 3\"", "\"message\":\"lin\u{0}")).unwrap();
    let store = open(folder.path());
    let mut query = store.query(&everything()).unwrap();
    assert_eq!(shown(query.by_ref()), ["a 1", "a 2", "a 4", "a 5"]);
    assert_eq!(query.skipped(), 1);
    std::fs::write(&path, [0xff; 10_000]).unwrap();
    let store = open(folder.path());
    store.append(id(2), "b", &batch(1, 1..=1)).unwrap();
    assert_eq!(all(&store), ["b 1"]);
}

#[test]
fn a_query_filters_by_level_node_actor_image_and_age() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let actor = Address::mint(NodeRef { id: id(1), incarnation: Incarnation(1) }, 1, 5);
    let old = time::format_ms(time::now_ms() - 3_600_000);
    let lines = vec![
        LogLine { level: Level::Error, actor: Some(actor), time: time::now(), ..numbered(1) },
        LogLine { image: Some("abc".into()), time: time::now(), ..numbered(2) },
        LogLine { time: old, ..numbered(3) },
    ];
    store.append(id(1), "a", &Batch { incarnation: 1, first_seq: 1, lines, gaps: vec![], acknowledged: 0 }).unwrap();
    store.append(id(2), "b", &batch(1, [2])).unwrap();
    let given = |query: LogQuery| shown(store.query(&query).unwrap());
    let gap = "b 1-1 lost".to_owned();
    assert_eq!(given(LogQuery { level: Level::Error, ..everything() }), ["a 1".to_owned(), gap.clone()]);
    assert_eq!(given(LogQuery { node: Some("a".into()), ..everything() }), ["a 1", "a 2", "a 3"]);
    assert_eq!(given(LogQuery { node: Some(id(2).to_string()), ..everything() }), [gap.clone(), "b 2".into()]);
    assert_eq!(given(LogQuery { actor: Some(actor), ..everything() }), ["a 1".to_owned(), gap.clone()]);
    assert_eq!(given(LogQuery { image: Some("abc".into()), ..everything() }), ["a 2".to_owned(), gap.clone()]);
    let recent = LogQuery { since_ms: Some(600_000), node: Some("a".into()), ..everything() };
    assert_eq!(given(recent), ["a 1", "a 2"]);
}

async fn next(follower: &mut Follower) -> String {
    let item = tokio::time::timeout(Duration::from_secs(10), follower.next()).await.expect("an item in time");
    shown(item).pop().expect("the store is there")
}

#[tokio::test]
async fn a_follower_gets_what_was_there_and_then_what_comes_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(id(1), "a", &batch(1, 1..=2)).unwrap();
    let (before, mut follower) = store.follow(&LogQuery { node: Some("a".into()), ..everything() }).unwrap();
    store.append(id(2), "b", &batch(1, 1..=1)).unwrap();
    store.append(id(1), "a", &batch(1, 1..=4)).unwrap();
    assert_eq!(shown(before), ["a 1", "a 2"]);
    assert_eq!(next(&mut follower).await, "a 3");
    assert_eq!(next(&mut follower).await, "a 4");
    drop(store);
    assert_eq!(follower.next().await, None);
}

#[tokio::test]
async fn a_slow_follower_gets_a_gap_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreLimits { follower_items_max: 10, ..StoreLimits::default() }).unwrap();
    let (_, mut slow) = store.follow(&everything()).unwrap();
    store.append(id(1), "a", &batch(1, 1..=1_000)).unwrap();
    store.append(id(2), "b", &batch(1, 1..=5)).unwrap();
    for n in 1..=10 {
        assert_eq!(next(&mut slow).await, format!("a {n}"));
    }
    assert_eq!(next(&mut slow).await, "a 11-1000 slow reader");
    assert_eq!(next(&mut slow).await, "b 1-5 slow reader");
    store.append(id(1), "a", &batch(1, 1_001..=1_001)).unwrap();
    assert_eq!(next(&mut slow).await, "a 1001");
}

#[test]
fn followers_are_bounded_and_one_that_went_away_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut followers: Vec<_> = (0..64).map(|_| store.follow(&everything()).unwrap()).collect();
    assert!(matches!(store.follow(&everything()), Err(StoreError::Followers { found: 64 })));
    followers.pop();
    store.follow(&everything()).unwrap();
}

#[test]
fn an_outbox_and_a_store_that_both_restart_lose_and_double_nothing() {
    let (spool, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut pushed = 0;
    for incarnation in 1..=5 {
        let outbox = Outbox::open(spool.path(), origin(incarnation), OutboxLimits::default()).unwrap();
        for n in 1..=100 {
            outbox.push(line(&format!("{incarnation}/{n}")));
            pushed += 1;
        }
        // Ships some and dies; every other acknowledgement is lost on the way.
        let store = open(logs.path());
        for n in 0..3 {
            let Some(batch) = outbox.batch(2_000) else { break };
            let wire = Batch::decode(&batch.encode().unwrap()).unwrap();
            let acknowledged = store.append(id(1), "member-1", &wire).unwrap();
            if n % 2 == 0 {
                outbox.acknowledge(batch.incarnation, acknowledged);
            }
        }
    }
    let outbox = Outbox::open(spool.path(), origin(6), OutboxLimits::default()).unwrap();
    let store = open(logs.path());
    while let Some(batch) = outbox.batch(2_000) {
        outbox.acknowledge(batch.incarnation, store.append(id(1), "member-1", &batch).unwrap());
    }
    let messages: Vec<_> = store
        .query(&everything())
        .unwrap()
        .map(|item| match item {
            Item::Log(line) => line.message,
            Item::Gap(gap) => panic!("{gap:?}"),
        })
        .collect();
    let expected: Vec<_> = (1..=5).flat_map(|i| (1..=100).map(move |n| format!("{i}/{n}"))).collect();
    assert_eq!(messages, expected);
    assert_eq!(messages.len(), pushed);
}

#[test]
fn a_hundred_thousand_lines_are_stored_and_read_back_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let started = Instant::now();
    for n in 0..100 {
        store.append(id(1), "a", &batch(1, n * 1_000 + 1..=n * 1_000 + 1_000)).unwrap();
    }
    assert_eq!(store.query(&everything()).unwrap().count(), 100_000);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
