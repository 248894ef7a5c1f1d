//! Processes whose disk is full, or that are killed: what they acknowledged is there.

use super::{Led, LedgerError, Record, WAIT, facts, record};
use odeon_convention::codes;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn run<F: Future<Output = ()>>(future: F) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future);
}

fn this_test() -> String {
    std::thread::current().name().unwrap().to_owned()
}

const FULL: &str = "ODEON_TEST_FULL_LEDGER";

/// Runs in a child process whose files may not grow beyond a few MiB: writes until the disk is full, then says what
/// was acknowledged.
#[test]
fn a_full_disk_is_reported_once_and_nothing_later_is_acknowledged() {
    if let Ok(path) = std::env::var(FULL) {
        return run(fill_the_disk(Path::new(&path)));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &this_test(), "--nocapture"])
        .env(FULL, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: u64 =
        text.lines().find_map(|l| l.split("acknowledged=").nth(1)).expect("the child's word").trim().parse().unwrap();
    assert!(acknowledged > 0);
    // With room again, every acknowledged record is there.
    run(async {
        let mut led = Led::open(&path).await.unwrap();
        assert!(led.facts.count() >= acknowledged, "{} of {acknowledged} are left", led.facts.count());
        let last = led.write();
        led.durable(last).await.unwrap();
        led.close().await;
    });
}

async fn fill_the_disk(path: &Path) {
    let mut led = Led::open(path).await.unwrap();
    let mut acknowledged = 0;
    let failure = loop {
        let last = led.append(Record::NameFreed { name: "x".repeat(100_000) }).unwrap();
        match led.durable(last).await {
            Ok(durable) => acknowledged = durable,
            Err(error) => break error,
        }
    };
    assert!(matches!(failure, LedgerError::DiskFull { .. }), "{failure:?}");
    assert_eq!(failure.code(), codes::DISK_FULL);
    // What comes later is taken by nobody: no news of it but the end.
    let _ = led.append(record(1));
    let later = tokio::time::timeout(WAIT, async {
        loop {
            match led.listener.next().await {
                Some(super::News::Durable { records, .. }) => assert!(records <= acknowledged, "{records} came later"),
                Some(super::News::Turn(_) | super::News::Group(_)) => {}
                None => return,
            }
        }
    });
    later.await.expect("the ledger ends");
    led.close().await;
    println!("acknowledged={acknowledged}");
}

const KILLED: &str = "ODEON_TEST_KILLED_LEDGER";

#[test]
fn a_killed_process_leaves_every_record_that_it_acknowledged() {
    if let Ok(path) = std::env::var(KILLED) {
        return run(write_until_killed(Path::new(&path)));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &this_test(), "--nocapture"])
            .env(KILLED, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said =
            lines.filter_map(|l| l.unwrap().split("acknowledged=").nth(1).and_then(|n| n.parse::<u64>().ok()));
        let enough = acknowledged + 50;
        acknowledged = said.find(|n| *n >= enough).expect("the child goes on until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = said.last().unwrap_or(acknowledged);
        run(async {
            let led = Led::open(&path).await.unwrap();
            let count = led.facts.count();
            assert!(count >= acknowledged, "{count} of {acknowledged}");
            assert_eq!(led.facts, facts(count));
            led.close().await;
        });
    }
}

async fn write_until_killed(path: &Path) {
    let mut led = Led::open(path).await.unwrap();
    loop {
        let last = led.write();
        let durable = led.durable(last).await.unwrap();
        println!("\nacknowledged={durable}");
    }
}
