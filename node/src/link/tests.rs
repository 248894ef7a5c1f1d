//! Links over real sockets on loopback, with real identities in temporary folders.

mod delivering;
mod joining;
mod leading;
mod living;
mod refusing;
mod relaying;
mod tcp;

use super::*;
use crate::identity::{DataFolder, DialFrom, Token, TokenEntry, join};
use parking_lot::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;

const BOUND: Duration = Duration::from_secs(30);

/// What a driver was told.
#[derive(Default)]
struct Seen {
    up: Vec<Peer>,
    down: Vec<NodeRef>,
    control: Vec<Vec<u8>>,
    messages: Vec<(u8, Vec<u8>)>,
    received: usize,
    lost: Vec<(NodeRef, Vec<Vec<u8>>)>,
    drained: Vec<u64>,
    unreachable: Vec<u16>,
    wanted: Vec<NodeRef>,
    streams: Vec<(Caller, u8, SendStream, RecvStream)>,
}

struct Recorder {
    seen: Mutex<Seen>,
    /// Keeps no frames, only counts them.
    counts_only: bool,
    changed: watch::Sender<()>,
}

impl Recorder {
    fn new(counts_only: bool) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), counts_only, changed: watch::Sender::new(()) })
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock());
        self.changed.send_replace(());
    }

    async fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !holds(&self.seen.lock()) {
                changed.changed().await.expect("the recorder lives");
            }
        };
        assert!(tokio::time::timeout(BOUND, wait).await.is_ok(), "not within {BOUND:?}: {what}");
    }
}

impl LinkEvents for Recorder {
    fn up(&self, peer: Peer) {
        self.note(|s| s.up.push(peer));
    }

    fn down(&self, node: NodeRef) {
        self.note(|s| s.down.push(node));
    }

    fn control(&self, _from: NodeRef, bytes: Vec<u8>) {
        self.note(|s| s.control.push(bytes));
    }

    fn messages(&self, _from: NodeRef, lane: u8, mut frames: Frames) {
        self.note(|s| {
            s.received += frames.len();
            if !self.counts_only {
                s.messages.extend(frames.take().map(|f| (lane, f.into_owned())));
            }
        });
    }

    fn stream(&self, from: Caller, purpose: u8, send: SendStream, receive: RecvStream) {
        self.note(|s| s.streams.push((from, purpose, send, receive)));
    }

    fn lost(&self, node: NodeRef, undelivered: Vec<Vec<u8>>) {
        self.note(|s| s.lost.push((node, undelivered)));
    }

    fn drained(&self, ticket: u64) {
        self.note(|s| s.drained.push(ticket));
    }

    fn unreachable(&self, _address: &str, error: &LinkError) {
        self.note(|s| s.unreachable.push(error.code()));
    }

    fn wanted(&self, node: NodeRef) {
        self.note(|s| s.wanted.push(node));
    }
}

/// A leader's record of its tokens, in memory.
#[derive(Default)]
struct Record {
    entries: Mutex<Vec<TokenEntry>>,
    tokens: Tokens,
    leaders: Mutex<Vec<LeaderAt>>,
}

impl Record {
    fn change(&self, change: impl FnOnce(&mut Vec<TokenEntry>)) {
        let mut entries = self.entries.lock();
        change(&mut entries);
        self.tokens.replace(entries.iter().cloned());
    }

    fn spend(&self, token: [u8; 32]) -> Result<Role, NotAdmitted> {
        let mut spent = Err(NotAdmitted { code: codes::TOKEN_USED_UP, reason: "used up meanwhile".into() });
        self.change(|entries| {
            let entry = entries.iter_mut().find(|e| e.id == token).expect("the handshake knew it");
            if entry.uses_left != Some(0) {
                entry.uses_left = entry.uses_left.map(|n| n - 1);
                spent = Ok(entry.role);
            }
        });
        spent
    }
}

impl Admission for Record {
    fn admit(&self, token: [u8; 32], _node: NodeId) -> BoxFuture<'_, Result<Role, NotAdmitted>> {
        Box::pin(async move { self.spend(token) })
    }

    fn use_token(&self, token: [u8; 32]) -> BoxFuture<'_, Result<(), NotAdmitted>> {
        Box::pin(async move { self.spend(token).map(|_| ()) })
    }

    fn leaders(&self) -> Vec<LeaderAt> {
        self.leaders.lock().clone()
    }
}

struct Node {
    links: Links,
    seen: Arc<Recorder>,
    identity: Arc<Identity>,
    record: Arc<Record>,
    dir: Arc<TempDir>,
}

fn start(identity: Identity, dir: Arc<TempDir>, record: Arc<Record>, counts_only: bool) -> Node {
    start_at(([127, 0, 0, 1], 0).into(), identity, dir, record, counts_only)
}

fn start_at(listen: SocketAddr, identity: Identity, dir: Arc<TempDir>, record: Arc<Record>, counts_only: bool) -> Node {
    start_as(false, listen, identity, dir, record, counts_only)
}

fn start_as(
    outbound_only: bool,
    listen: SocketAddr,
    identity: Identity,
    dir: Arc<TempDir>,
    record: Arc<Record>,
    counts_only: bool,
) -> Node {
    let change = |config: &mut LinkConfig| (config.outbound_only, config.listen) = (outbound_only, listen);
    start_by(identity, dir, record, counts_only, change)
}

fn start_with(identity: Identity, dir: Arc<TempDir>, change: impl FnOnce(&mut LinkConfig)) -> Node {
    start_by(identity, dir, Arc::default(), false, change)
}

fn start_by(
    identity: Identity,
    dir: Arc<TempDir>,
    record: Arc<Record>,
    counts_only: bool,
    change: impl FnOnce(&mut LinkConfig),
) -> Node {
    let identity = Arc::new(identity);
    let seen = Recorder::new(counts_only);
    let mut config = LinkConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        sockets: None,
        identity: identity.clone(),
        name: format!("{:?}", identity.role()),
        tokens: record.tokens.clone(),
        admission: (identity.role() == Role::Leader).then(|| record.clone() as Arc<dyn Admission>),
        outbound_only: false,
        tcp_only: false,
        urgent: None,
    };
    change(&mut config);
    let links = Links::start(config, seen.clone()).expect("a free port");
    let listen = links.local_addr().expect("an address").to_string();
    *record.leaders.lock() = vec![LeaderAt { node: identity.node().id, listen }];
    Node { links, seen, identity, record, dir }
}

fn leader() -> Node {
    let dir = tempfile::tempdir().expect("a folder");
    let identity = Identity::found(DataFolder::open(dir.path()).expect("a folder")).expect("founding");
    start(identity, Arc::new(dir), Arc::default(), false)
}

fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

impl Node {
    fn node(&self) -> NodeRef {
        self.identity.node()
    }

    fn address(&self) -> String {
        self.links.local_addr().expect("an address").to_string()
    }

    fn token(&self, role: Role, uses_left: Option<u32>, ttl_s: i64) -> Token {
        let token = Token::create(vec![self.address()], self.identity.ca_digest()).expect("a token");
        let id = token.id().expect("an id");
        let expires_unix_s = now_unix_s().saturating_add_signed(ttl_s);
        self.record.change(|entries| entries.push(TokenEntry { id, role, expires_unix_s, uses_left }));
        token
    }

    async fn member(&self) -> Node {
        self.member_that(false).await
    }

    async fn member_that(&self, counts_only: bool) -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = DataFolder::open(dir.path()).expect("a folder");
        let joined =
            join(folder, &self.token(Role::Member, Some(1), 60), "m", DialFrom::Anywhere).await.expect("a good token");
        start(joined.identity, Arc::new(dir), Arc::default(), counts_only)
    }

    /// A member that only dials, with its link to this leader.
    async fn member_that_only_dials(&self, counts_only: bool) -> (Node, Keep) {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = DataFolder::open(dir.path()).expect("a folder");
        let joined =
            join(folder, &self.token(Role::Member, Some(1), 60), "m", DialFrom::Anywhere).await.expect("a good token");
        let listen = ([127, 0, 0, 1], 0).into();
        let member = start_as(true, listen, joined.identity, Arc::new(dir), Arc::default(), counts_only);
        let keep = member.links.keep(self.address(), Some(self.node().id));
        member.up_with(self).await;
        (member, keep)
    }

    /// Stops it and starts it again from its folder, once nothing of the first start is left.
    async fn restart(self) -> Node {
        self.restart_at(([127, 0, 0, 1], 0).into()).await
    }

    async fn restart_at(self, listen: SocketAddr) -> Node {
        self.links.shutdown().await;
        let dir = self.dir.clone();
        drop(self);
        let path = dir.path().to_owned();
        let folder = tokio::time::timeout(BOUND, async {
            loop {
                match DataFolder::open(&path) {
                    Ok(folder) => return folder,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        let folder = folder.await.expect("every task of the first start has let go of its folder");
        let identity = Identity::load(folder).expect("the same identity");
        start_at(listen, identity, dir, Arc::default(), false)
    }

    async fn up_with(&self, other: &Node) {
        let node = other.node();
        self.seen.until("a link", |s| s.up.iter().any(|p| p.node == node)).await;
    }

    async fn refused(&self, refusal: Refusal) {
        let wait = async {
            while !self.links.stats().refused.contains_key(&refusal) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(
            tokio::time::timeout(BOUND, wait).await.is_ok(),
            "{refusal:?} is not counted: {:?}",
            self.links.stats()
        );
    }
}

/// Two members that are linked, the first having dialled.
async fn linked(counts_only: bool) -> (Node, Node, Node) {
    let leader = leader();
    let (a, b) = (leader.member_that(counts_only).await, leader.member_that(counts_only).await);
    a.links.dial(b.node(), &b.address()).expect("a session");
    a.up_with(&b).await;
    b.up_with(&a).await;
    (leader, a, b)
}

fn numbered(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}
