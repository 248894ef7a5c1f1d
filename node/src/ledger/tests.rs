//! The ledger on real files: a group of one that leads at once, keeps what it acknowledged, and refuses what it cannot
//! read.

mod damage;
mod group;
mod process;
mod suite;

use super::limits::{QUEUE_BYTES_MAX, RECORD_BYTES_MAX, SNAPSHOT_EVERY_ENTRIES};
use super::*;
use odeon_convention::record::AuthoritySetting;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(30);
const ME: NodeId = NodeId([7; 16]);

fn record(n: u64) -> Record {
    match n % 3 {
        0 => Record::TermBegan { term: n },
        1 => Record::NameFreed { name: format!("name-{n}-{}", "x".repeat((n % 50) as usize)) },
        _ => Record::AuthoritySet {
            authority: AuthoritySetting::Keyring {
                allowed_signers: format!("a {n}"),
                required: 1,
                age_identity: n.is_multiple_of(2).then(|| format!("/etc/{n}")),
            },
        },
    }
}

fn facts(count: u64) -> Facts {
    let mut facts = Facts::default();
    (1..=count).for_each(|n| facts.apply(record(n)));
    facts
}

/// A lone leader has no way to others.
struct Nowhere;

impl Way for Nowhere {
    fn ask(&self, leader: NodeId, _question: Vec<u8>) -> crate::link::BoxFuture<'_, Result<Vec<u8>, String>> {
        panic!("a lone leader asks {leader}");
    }
}

/// A ledger whose node leads.
struct Led {
    ledger: Ledger,
    listener: Listener,
    turn: u64,
    term: u64,
    facts: Facts,
    next: u64,
    /// The last record that is known to be durable.
    durable: u64,
}

impl Led {
    async fn open(path: &Path) -> Result<Self, LedgerError> {
        let (ledger, mut listener) = Ledger::open(path, ME, Seat::default(), true, Arc::new(Nowhere)).await?;
        loop {
            match next(&mut listener).await {
                News::Turn(Turn::Lead { turn, consensus_term, facts }) => {
                    let next = facts.count() + 1;
                    let term = consensus_term;
                    return Ok(Self { ledger, listener, turn, term, facts: *facts, next, durable: 0 });
                }
                News::Turn(Turn::Failed(error)) => return Err(error),
                News::Turn(Turn::Follow { .. }) | News::Durable { .. } | News::Group(_) => {}
            }
        }
    }

    fn append(&mut self, record: Record) -> Result<u64, LedgerError> {
        self.ledger.append(self.turn, self.next, record)?;
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Appends the next of [`record`].
    fn write(&mut self) -> u64 {
        self.append(record(self.next)).unwrap()
    }

    /// Waits until a record is durable, and gives the number of the last one that is.
    async fn durable(&mut self, index: u64) -> Result<u64, LedgerError> {
        while self.durable < index {
            match next(&mut self.listener).await {
                News::Durable { consensus_term, records } if consensus_term == self.term => {
                    assert!(records >= self.durable, "what is durable only grows");
                    self.durable = records;
                }
                News::Durable { .. } | News::Group(_) => {}
                News::Turn(Turn::Failed(error)) => return Err(error),
                News::Turn(turn) => panic!("a lone leader goes on leading: {turn:?}"),
            }
        }
        Ok(self.durable)
    }

    async fn close(self) {
        self.ledger.shut_down().await;
    }
}

async fn next(listener: &mut Listener) -> News {
    tokio::time::timeout(WAIT, listener.next()).await.expect("news in time").expect("the ledger goes on")
}

/// Writes `count` records and closes the ledger.
async fn filled(path: &Path, count: u64) {
    let mut led = Led::open(path).await.unwrap();
    for _ in 0..count {
        led.write();
    }
    assert_eq!(led.durable(count).await, Ok(count));
    led.close().await;
}

#[tokio::test]
async fn what_was_committed_is_there_again_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    filled(&path, 500).await;
    let mut led = Led::open(&path).await.unwrap();
    assert_eq!((led.facts.clone(), led.next), (facts(500), 501));
    let last = led.write();
    assert_eq!(led.durable(last).await, Ok(501));
    led.close().await;
    let led = Led::open(&path).await.unwrap();
    assert_eq!(led.facts, facts(501));
    led.close().await;
}

#[tokio::test]
async fn a_turn_that_was_not_begun_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = Led::open(&folder.path().join("ledger.redb")).await.unwrap();
    led.ledger.append(led.turn + 1, 1, record(2)).unwrap();
    led.write();
    assert_eq!(led.durable(1).await, Ok(1));
    assert_eq!(led.ledger.log.records(), [record(1)]);
    led.close().await;
}

#[tokio::test]
async fn a_lone_leader_leads_at_once_and_as_long_as_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    for _ in 0..3 {
        let began = std::time::Instant::now();
        let mut led = Led::open(&path).await.unwrap();
        let took = began.elapsed();
        // As long as anybody waits who is not alone.
        let waiting = limits::ELECTION_MAX + limits::ELECTION_MIN;
        assert!(took < waiting, "leading took {took:?}");
        // Longer than any lease that had to be renewed.
        tokio::time::sleep(limits::ELECTION_MAX * 2).await;
        assert!(led.ledger.may_lead());
        let last = led.write();
        assert_eq!(led.durable(last).await, Ok(last));
        led.close().await;
    }
}

#[tokio::test]
async fn many_queued_records_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = Led::open(&folder.path().join("ledger.redb")).await.unwrap();
    let before = led.ledger.log.commits();
    for _ in 0..5_000 {
        led.write();
    }
    led.durable(5_000).await.unwrap();
    let commits = led.ledger.log.commits() - before;
    assert!(commits < 500, "{commits} commits for 5,000 records");
    led.close().await;
}

#[tokio::test]
async fn a_long_log_becomes_a_snapshot_and_says_the_same_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let count = SNAPSHOT_EVERY_ENTRIES + 100;
    let mut led = Led::open(&path).await.unwrap();
    for _ in 0..count {
        led.write();
    }
    led.durable(count).await.unwrap();
    let began = std::time::Instant::now();
    while led.ledger.log.records().len() as u64 > SNAPSHOT_EVERY_ENTRIES {
        assert!(began.elapsed() < WAIT, "the log is still as long as it was");
        led.write();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let last = led.next - 1;
    led.durable(last).await.unwrap();
    led.close().await;
    let led = Led::open(&path).await.unwrap();
    assert_eq!(led.facts, facts(last));
    led.close().await;
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_its_number_stays_free() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = Led::open(&folder.path().join("ledger.redb")).await.unwrap();
    let large = Record::NameFreed { name: "x".repeat(RECORD_BYTES_MAX) };
    assert!(matches!(led.append(large), Err(LedgerError::RecordTooLarge { index: 1, .. })));
    led.write();
    assert_eq!(led.durable(1).await, Ok(1));
    led.close().await;
}

// On one thread nothing is written between two calls.
#[tokio::test(flavor = "current_thread")]
async fn what_waits_for_the_disk_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = Led::open(&folder.path().join("ledger.redb")).await.unwrap();
    let large = Record::NameFreed { name: "x".repeat(RECORD_BYTES_MAX - 100) };
    for _ in 0..QUEUE_BYTES_MAX / RECORD_BYTES_MAX {
        led.append(large.clone()).unwrap();
    }
    assert!(matches!(led.append(large.clone()), Err(LedgerError::QueueFull { .. })));
    led.durable(led.next - 1).await.unwrap();
    led.append(large).unwrap();
    led.close().await;
}

#[tokio::test]
async fn a_second_opening_of_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let first = Led::open(&path).await.unwrap();
    assert_eq!(Led::open(&path).await.err(), Some(LedgerError::InUse));
    first.close().await;
    Led::open(&path).await.unwrap().close().await;
}
