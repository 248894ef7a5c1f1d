//! Several leaders in one process, with a network that can be cut: one of them leads at a time, and what was
//! acknowledged is never lost.

use super::{WAIT, record};
use crate::ledger::limits::{ELECTION_MAX, SNAPSHOT_EVERY_ENTRIES};
use crate::ledger::{Ledger, Listener, News, Seat, Turn, Way};
use crate::link::BoxFuture;
use odeon::NodeId;
use odeon_convention::leader::Facts;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::AbortHandle;
use tokio::time::Instant;

fn id(n: u8) -> NodeId {
    NodeId([n; 16])
}

/// Everybody's ledgers, and which pairs cannot talk.
#[derive(Default)]
struct Mesh {
    ledgers: Mutex<BTreeMap<NodeId, Ledger>>,
    cut: Mutex<BTreeSet<(NodeId, NodeId)>>,
}

impl Mesh {
    fn is_cut(&self, a: NodeId, b: NodeId) -> bool {
        self.cut.lock().contains(&(a.min(b), a.max(b)))
    }

    /// Cuts every pair of the two sides, and no other.
    fn split(&self, sides: [&[u8]; 2]) {
        let pairs = sides[0].iter().flat_map(|a| sides[1].iter().map(|b| (id(*a.min(b)), id(*a.max(b)))));
        *self.cut.lock() = pairs.collect();
    }
}

struct End {
    mesh: Arc<Mesh>,
    from: NodeId,
}

impl Way for End {
    fn ask(&self, to: NodeId, question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(async move {
            if self.mesh.is_cut(self.from, to) {
                std::future::pending::<()>().await;
            }
            let ledger = self.mesh.ledgers.lock().get(&to).cloned().ok_or("it does not run")?;
            let answer = ledger.answer(&question).await;
            if self.mesh.is_cut(self.from, to) {
                std::future::pending::<()>().await;
            }
            Ok(answer)
        })
    }
}

/// What a node has been told.
#[derive(Default)]
struct Heard {
    /// The turn that it leads, its consensus term and the number of the next record.
    leads: Option<(u64, u64, u64)>,
    /// The last record of that turn that is durable.
    durable: u64,
}

struct Leader {
    ledger: Ledger,
    heard: Arc<Mutex<Heard>>,
    listening: AbortHandle,
}

impl Leader {
    async fn open(mesh: &Arc<Mesh>, folder: &Path, n: u8, founds: bool) -> Self {
        let path = folder.join(format!("{n}.redb"));
        let way = Arc::new(End { mesh: mesh.clone(), from: id(n) });
        let (ledger, listener) = Ledger::open(&path, id(n), seat(n), founds, way).await.unwrap();
        mesh.ledgers.lock().insert(id(n), ledger.clone());
        let heard = Arc::<Mutex<Heard>>::default();
        let listening = tokio::spawn(listen(listener, heard.clone())).abort_handle();
        Self { ledger, heard, listening }
    }

    /// Whether it may take another step of its turn.
    fn leads(&self) -> bool {
        self.heard.lock().leads.is_some() && self.ledger.may_lead()
    }

    /// Proposes the next of [`record`] and gives its number.
    fn write(&self) -> Option<u64> {
        let mut heard = self.heard.lock();
        let (turn, _, next) = heard.leads.as_mut().filter(|_| self.ledger.may_lead())?;
        self.ledger.append(*turn, *next, record(*next)).ok()?;
        *next += 1;
        Some(*next - 1)
    }

    fn durable(&self) -> u64 {
        self.heard.lock().durable
    }

    fn facts(&self) -> Facts {
        self.ledger.look(Facts::clone)
    }

    async fn close(self, mesh: &Mesh, n: u8) {
        mesh.ledgers.lock().remove(&id(n));
        self.listening.abort();
        self.ledger.shut_down().await;
    }
}

fn seat(n: u8) -> Seat {
    Seat { name: format!("n{n}"), listen: String::new() }
}

async fn listen(mut listener: Listener, heard: Arc<Mutex<Heard>>) {
    while let Some(news) = listener.next().await {
        let mut heard = heard.lock();
        match news {
            News::Turn(Turn::Lead { turn, consensus_term, facts }) => {
                *heard = Heard { leads: Some((turn, consensus_term, facts.count() + 1)), durable: facts.count() };
            }
            News::Turn(Turn::Follow { .. }) => heard.leads = None,
            News::Turn(Turn::Failed(error)) => panic!("{error}"),
            News::Group(_) => {}
            News::Durable { consensus_term, records } => {
                if heard.leads.is_some_and(|(_, term, _)| term == consensus_term) {
                    heard.durable = records;
                }
            }
        }
    }
}

/// A group of leaders that all have a vote, and its first leader leads.
struct Group {
    mesh: Arc<Mesh>,
    folder: TempDir,
    leaders: Vec<Leader>,
}

impl Group {
    async fn of(count: u8) -> Self {
        let (mesh, folder) = (Arc::<Mesh>::default(), tempfile::tempdir().unwrap());
        let mut group = Self { leaders: vec![Leader::open(&mesh, folder.path(), 0, true).await], mesh, folder };
        group.until(|group| group.leaders[0].leads()).await;
        for n in 1..count {
            group.leaders.push(Leader::open(&group.mesh, group.folder.path(), n, false).await);
            group.leaders[0].ledger.add(id(n), seat(n)).await.unwrap();
        }
        group
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < WAIT, "it does not come about");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn leading(&self) -> Vec<usize> {
        (0..self.leaders.len()).filter(|n| self.leaders[*n].leads()).collect()
    }

    /// Writes at a leader and waits until all is durable.
    async fn write(&self, at: usize, count: u64) {
        let last = (0..count).fold(0, |_, _| self.leaders[at].write().expect("it leads"));
        self.until(|group| group.leaders[at].durable() >= last).await;
    }

    async fn until_all_have(&self, records: u64) {
        self.until(|group| group.leaders.iter().all(|leader| leader.facts().count() == records)).await;
        let first = self.leaders[0].facts();
        assert!(self.leaders.iter().all(|leader| leader.facts() == first), "equal logs give equal facts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_grows_without_an_end_of_its_leaders_turn() {
    let group = Group::of(3).await;
    assert!(matches!(group.leaders[0].heard.lock().leads, Some((1, ..))), "it is still the first turn");
    group.write(0, 100).await;
    group.until_all_have(100).await;
    let places = group.leaders[2].ledger.group();
    assert_eq!(
        places.iter().map(|place| (place.node, place.votes)).collect::<Vec<_>>(),
        [0, 1, 2].map(|n| (id(n), true))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_majority_stops_before_the_next_one_begins() {
    let group = Group::of(3).await;
    group.write(0, 50).await;
    group.mesh.split([&[0], &[1, 2]]);
    group.leaders[0].write();
    group.until(|group| group.leading().iter().any(|n| *n != 0)).await;
    assert!(!group.leaders[0].leads(), "two lead at once");
    let next = group.leading()[0];
    // What the first wrote at the end was never acknowledged, and never will be.
    group.write(next, 50).await;
    assert!(group.leaders[0].durable() <= 50);
    group.mesh.split([&[], &[]]);
    group.until_all_have(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_five_can_do_nothing_and_three_go_on() {
    let group = Group::of(5).await;
    group.write(0, 20).await;
    group.mesh.split([&[0, 1], &[2, 3, 4]]);
    group.until(|group| group.leading().iter().any(|n| *n >= 2)).await;
    let next = group.leading()[0];
    group.write(next, 20).await;
    tokio::time::sleep(ELECTION_MAX * 2).await;
    assert_eq!(group.leading(), [next], "one leads, and it is still the same");
    assert_eq!([0, 1].map(|n| group.leaders[n].facts().count()), [20, 20]);
    group.mesh.split([&[], &[]]);
    group.until_all_have(40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_gets_a_snapshot_for_what_is_no_longer_in_the_log() {
    let mut group = Group::of(1).await;
    let mut written = 0;
    while group.leaders[0].ledger.log.records().len() as u64 >= written || written < SNAPSHOT_EVERY_ENTRIES {
        assert!(written < 10 * SNAPSHOT_EVERY_ENTRIES, "the log is never cut");
        group.write(0, 1_000).await;
        written += 1_000;
    }
    group.leaders.push(Leader::open(&group.mesh, group.folder.path(), 1, false).await);
    group.leaders[0].ledger.add(id(1), seat(1)).await.unwrap();
    group.until_all_have(written).await;
    assert!((group.leaders[1].ledger.log.records().len() as u64) < written, "it got every entry one by one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_leader_has_no_say_and_one_that_removes_itself_makes_room_for_the_next() {
    let group = Group::of(3).await;
    group.leaders[0].ledger.remove(id(2)).await.unwrap();
    group.until(|group| group.leaders[1].ledger.group().len() == 2).await;
    group.leaders[0].ledger.remove(id(0)).await.unwrap();
    group.until(|group| group.leading() == [1]).await;
    group.write(1, 10).await;
    assert_eq!(group.leaders[2].facts().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_has_just_started_elects_nobody_while_another_may_count_on_it() {
    let mut group = Group::of(3).await;
    group.write(0, 10).await;
    // 2 has not heard of the leader for long, and would be elected by 1 if that had forgotten its promise.
    group.mesh.split([&[2], &[0, 1]]);
    tokio::time::sleep(ELECTION_MAX * 2).await;
    assert_eq!(group.leading(), [0]);
    group.leaders.remove(1).close(&group.mesh, 1).await;
    group.mesh.split([&[0], &[1, 2]]);
    let again = Leader::open(&group.mesh, group.folder.path(), 1, false).await;
    group.leaders.insert(1, again);
    while group.leaders[0].leads() {
        assert_eq!(group.leading(), [0], "another leads while the first may");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    group.until(|group| !group.leading().is_empty()).await;
}

/// Cuts that follow from a number, so that a failure can be looked at again.
fn cuts(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (0..3).filter(|n| state >> (33 + n) & 1 == 1).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_cut_one_leads_at_a_time_and_nothing_that_was_acknowledged_is_lost() {
    let group = Group::of(3).await;
    let (mut acknowledged, mut turns) = (0, BTreeSet::new());
    for (round, alone) in cuts(7).take(12).enumerate() {
        // Every other time it is the one that leads, until another does.
        let deposed = group.leading().first().copied().filter(|_| round % 2 == 0);
        let alone = deposed.map_or(alone, |n| vec![n as u8]);
        let rest: Vec<u8> = (0..3).filter(|n| !alone.contains(n)).collect();
        group.mesh.split([&alone, &rest]);
        let began = Instant::now();
        let succeeded = |leading: &[usize]| deposed.is_none_or(|n| leading.iter().any(|leader| *leader != n));
        while began.elapsed() < ELECTION_MAX * 2 || !succeeded(&group.leading()) {
            assert!(began.elapsed() < WAIT, "nobody takes the place of {deposed:?}");
            // The order of the two looks: who is seen to lead later may only have begun once the earlier had ended.
            let leading = group.leading();
            assert!(leading.len() <= 1, "{leading:?} lead at once, {alone:?} being apart");
            if let [n] = leading[..] {
                turns.insert((n, group.leaders[n].heard.lock().leads.map(|(turn, ..)| turn)));
                group.leaders[n].write();
                acknowledged = acknowledged.max(group.leaders[n].durable());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    group.mesh.split([&[], &[]]);
    group.until(|group| group.leading().len() == 1).await;
    let leader = group.leading()[0];
    assert!(group.leaders[leader].facts().count() >= acknowledged, "acknowledged records are lost");
    assert!(acknowledged > 100 && turns.len() > 6, "{acknowledged} records in {turns:?}: it was too quiet");
}
