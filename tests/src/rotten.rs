//! A member that keeps to every protocol but one: of an image that it says it holds, it serves something else.
//!
//! It joins with a token, is linked as every node is, and is driven by the convention's own machine. It hosts nothing.

use anyhow::{Context, Result};
use odeon::NodeRef;
use odeon_capabilities::CapabilityMap;
use odeon_convention::limits::CHUNK_BYTES;
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::spreading::{Ask, Reply, WORD_BYTES_MAX};
use odeon_convention::types::{CheckOutcome, CheckVerdict, Load, NodeFacts, SourceHash};
use odeon_convention::wire::{self, ToLeader, Word};
use odeon_node::identity::{DataFolder, DialFrom, Token, join};
use odeon_node::link::{Caller, Frames, Keep, LinkConfig, LinkEvents, Links, Peer};
use odeon_sourceauth::hash;
use quinn::{RecvStream, SendStream};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;

/// The first byte of a stream on which an image is fetched, as in docs/links.md.
const IMAGE: u8 = 2;
const EVENTS_MAX: usize = 1024;
const REGISTERED_WITHIN: Duration = Duration::from_secs(20);
const DRIP: Duration = Duration::from_secs(1);
const HOSTS_NOTHING: &str = "a rotten peer hosts nothing";

/// What is wrong with what it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rot {
    /// One bit of every chunk.
    Flipped,
    /// They are the bytes of another chunk.
    Another,
    /// Each ends in the middle.
    Cut,
    /// It offers a chunk that there is not.
    Unasked,
    /// The hashes of the chunks; it has none of these.
    Hashes,
    /// Nothing, but a byte a second is all that comes.
    Dripping,
}

/// What one node has asked a rotten peer for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// For the hashes of the chunks.
    pub lists: u32,
    /// For any chunk.
    pub chunks: u32,
    /// For the one that was offered.
    pub taken: u32,
}

/// A member that serves rot until it is dropped.
pub struct RottenPeer {
    node: NodeRef,
    stored: Arc<Stored>,
    /// Whatever of it still runs ends with it.
    _runtime: Runtime,
}

struct Stored {
    hash: SourceHash,
    bytes: Vec<u8>,
    rot: Rot,
    asked: Mutex<BTreeMap<NodeRef, Asked>>,
}

impl RottenPeer {
    /// Joins, and says that it holds this image. Its identity is kept in the folder.
    ///
    /// # Errors
    /// When it is not let in.
    pub fn join(folder: &Path, name: &str, token: &str, zip: &Path, rot: Rot) -> Result<Self> {
        let bytes = std::fs::read(zip)?;
        let stored = Arc::new(Stored { hash: SourceHash(hash(&bytes).0), bytes, rot, asked: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let token: Token = token.parse().context("a token")?;
        let node = runtime.block_on(async {
            let joined = join(DataFolder::open(folder)?, &token, name, DialFrom::Anywhere).await?;
            let (sender, events) = mpsc::channel(EVENTS_MAX);
            let ear = Arc::new(Ear { events: sender, stored: stored.clone() });
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            let (node, identity) = (joined.identity.node(), Arc::new(joined.identity));
            let links = Links::start(LinkConfig::member(listen, identity, name.to_owned()), ear)?;
            let facts = NodeFacts {
                name: name.to_owned(),
                listen: links.local_addr()?.to_string(),
                capabilities: CapabilityMap::new(),
                capabilities_version: 0,
                natives: Vec::new(),
                images: vec![stored.hash],
                load: Load::default(),
                hosted: Vec::new(),
                draining: false,
            };
            let keeps = joined.leaders.iter().map(|at| links.keep(at.listen.clone(), Some(at.node))).collect();
            let machine = Member::new(MemberConfig::default(), node, facts, 1);
            let (registered, is_registered) = tokio::sync::oneshot::channel();
            let seat = Seat { machine, links, _keeps: keeps, began: Instant::now(), registered: Some(registered) };
            tokio::spawn(seat.run(events));
            tokio::time::timeout(REGISTERED_WITHIN, is_registered).await.context("it is not registered")??;
            anyhow::Ok(node)
        })?;
        Ok(Self { node, stored, _runtime: runtime })
    }

    /// Its id, as nodes write it.
    pub fn id(&self) -> String {
        self.node.id.to_string()
    }

    /// What it was asked for, by whom.
    pub fn asked(&self) -> BTreeMap<String, Asked> {
        let asked = self.stored.asked.lock().expect("no thread panics with it");
        asked.iter().map(|(node, asked)| (node.id.to_string(), *asked)).collect()
    }
}

/// What happens to it.
enum Event {
    Down(NodeRef),
    Control(NodeRef, Vec<u8>),
}

struct Seat {
    machine: Member,
    links: Links,
    _keeps: Vec<Keep>,
    began: Instant,
    registered: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Seat {
    async fn run(mut self, mut events: Receiver<Event>) {
        loop {
            let due = self.machine.next_deadline().map(|at| self.began + Duration::from_millis(at));
            let input = tokio::select! {
                event = events.recv() => match event {
                    None => return,
                    Some(Event::Down(leader)) => Some(Input::Disconnected { leader }),
                    Some(Event::Control(from, bytes)) => heard(from, &bytes),
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Some(Input::Timer),
            };
            if let Some(input) = input {
                self.handle(input);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.began.elapsed().as_millis() as u64;
        self.machine.handle(now, input);
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Send { to, message } => self.say(to, message),
                Effect::Check { ticket, spec: _ } => {
                    let outcome = CheckOutcome { verdict: CheckVerdict::Refused, read: Default::default() };
                    self.machine.handle(now, Input::Checked { ticket, outcome });
                }
                Effect::Fetch { image, sources: _ } => {
                    let failure = Some(HOSTS_NOTHING.to_owned());
                    self.machine.handle(now, Input::Fetched { hash: image.hash, failure });
                }
                Effect::Launch { request, spec: _ } => {
                    let result = Err(HOSTS_NOTHING.to_owned());
                    self.machine.handle(now, Input::Launched { request, result });
                }
                Effect::Joined { .. } => {
                    // It is told once.
                    let _ = self.registered.take().map(|end| end.send(()));
                }
                _ => {}
            }
        }
    }

    fn say(&self, to: NodeRef, message: ToLeader) {
        let renews = matches!(message, ToLeader::Renew { .. });
        let bytes = wire::encode(&Word::ToLeader(message)).expect("the machine says what can be said");
        // What is not taken is said again.
        let _ = if renews { self.links.send_sign(to, bytes) } else { self.links.send_control(to, bytes) };
    }
}

fn heard(from: NodeRef, bytes: &[u8]) -> Option<Input> {
    match wire::decode(bytes) {
        Ok(Word::ToMember(message)) => Some(Input::Received { from, message }),
        _ => None,
    }
}

struct Ear {
    events: Sender<Event>,
    stored: Arc<Stored>,
}

impl LinkEvents for Ear {
    fn up(&self, _peer: Peer) {}

    fn down(&self, node: NodeRef) {
        let _ = self.events.try_send(Event::Down(node));
    }

    fn control(&self, from: NodeRef, bytes: Vec<u8>) {
        let _ = self.events.try_send(Event::Control(from, bytes));
    }

    fn messages(&self, _from: NodeRef, _lane: u8, _frames: Frames) {}

    fn stream(&self, from: Caller, purpose: u8, send: SendStream, receive: RecvStream) {
        if let (IMAGE, Caller::Node(peer)) = (purpose, from) {
            let stored = self.stored.clone();
            tokio::spawn(async move {
                // Whoever fetches leaves when it likes.
                let _ = stored.serve(peer.node, send, receive).await;
            });
        }
    }

    fn lost(&self, _node: NodeRef, _undelivered: Vec<Vec<u8>>) {}

    fn drained(&self, _ticket: u64) {}
}

impl Stored {
    fn note(&self, by: NodeRef, note: impl FnOnce(&mut Asked)) -> Asked {
        let mut asked = self.asked.lock().expect("no thread panics with it");
        let asked = asked.entry(by).or_default();
        note(asked);
        *asked
    }

    async fn serve(&self, to: NodeRef, mut send: SendStream, mut receive: RecvStream) -> Result<()> {
        let mut offered = 0;
        loop {
            match hear(&mut receive).await? {
                Ask::List(_) => {
                    self.note(to, |asked| asked.lists += 1);
                    say(&mut send, &Reply::List(self.hashes())).await?;
                }
                Ask::Chunk { lacks, .. } => {
                    let asked = self.note(to, |asked| asked.chunks += 1);
                    let lacks: Vec<u16> = lacks.iter().collect();
                    let reply = match self.rot {
                        Rot::Hashes => Reply::Nothing,
                        Rot::Unasked => Reply::Offer(self.chunks().count() as u16),
                        Rot::Flipped | Rot::Another | Rot::Cut | Rot::Dripping => {
                            offered = lacks[asked.chunks as usize % lacks.len()];
                            Reply::Offer(offered)
                        }
                    };
                    say(&mut send, &reply).await?;
                }
                Ask::Take => {
                    self.note(to, |asked| asked.taken += 1);
                    let bytes = self.rotten(offered);
                    let at_once = if self.rot == Rot::Dripping { 1 } else { bytes.len() };
                    for piece in bytes.chunks(at_once) {
                        send.write_all(piece).await?;
                        if self.rot == Rot::Dripping {
                            tokio::time::sleep(DRIP).await;
                        }
                    }
                    if self.rot == Rot::Cut {
                        send.finish()?;
                        return Ok(());
                    }
                }
                Ask::Leave => {}
            }
        }
    }

    fn chunks(&self) -> std::slice::Chunks<'_, u8> {
        self.bytes.chunks(CHUNK_BYTES)
    }

    fn hashes(&self) -> Vec<[u8; 32]> {
        let mut hashes: Vec<[u8; 32]> = self.chunks().map(|chunk| hash(chunk).0).collect();
        if self.rot == Rot::Hashes {
            hashes[0][0] ^= 1;
        }
        hashes
    }

    /// What is sent in place of a chunk.
    fn rotten(&self, number: u16) -> Vec<u8> {
        let chunk = |at: usize| self.chunks().nth(at).unwrap_or_default().to_vec();
        let (number, mut bytes) = (usize::from(number), chunk(usize::from(number)));
        match self.rot {
            Rot::Cut => bytes.truncate(bytes.len() / 2),
            Rot::Another => {
                let other = chunk(if number == 0 { 1 } else { number - 1 });
                bytes.iter_mut().zip(other).for_each(|(byte, other)| *byte = other);
            }
            Rot::Dripping => {}
            Rot::Flipped | Rot::Unasked | Rot::Hashes => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
        }
        bytes
    }
}

async fn hear(receive: &mut RecvStream) -> Result<Ask> {
    let mut length = [0; 2];
    receive.read_exact(&mut length).await?;
    let mut word = vec![0; usize::from(u16::from_be_bytes(length)).min(WORD_BYTES_MAX)];
    receive.read_exact(&mut word).await?;
    Ok(Ask::decode(&word)?)
}

async fn say(send: &mut SendStream, reply: &Reply) -> Result<()> {
    let word = reply.encode();
    send.write_all(&(word.len() as u16).to_be_bytes()).await?;
    send.write_all(&word).await?;
    Ok(())
}
