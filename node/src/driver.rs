//! Drives the convention's pure machines: everything that can wake them is one [`Event`], and what they want done
//! is done in one place. It makes no protocol decision.
//!
//! A leader's node runs both machines; what they say to each other never touches a socket.

mod effects;
mod revoking;
mod turns;
mod window;

use crate::hosting::Hosting;
use crate::identity::Tokens;
use crate::leaders::Leaders;
use crate::ledger::{Ledger, Listener, News, Place};
use crate::link::{Links, Peer};
use crate::logs::time;
use crate::transfer::Images;
use hashbrown::HashMap;
use odeon::{Address, NodeId, NodeRef};
use odeon_capabilities::Delta;
use odeon_convention::leader::{self, Answer, ImageView, Leader, MemberView, Operation};
use odeon_convention::member::{self, Member};
use odeon_convention::types::{CheckOutcome, CreateOutcome, CreateSpec, Explanation, Load, RequestId, SourceHash};
use odeon_convention::wire::{ToLeader, ToMember, Word};
use odeon_convention::{codes, wire};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use window::Window;

/// Events that wait for the driver; what comes then is refused by whoever has it.
pub(crate) const EVENTS_MAX: usize = 65_536;
/// Of these, taken at once: then it looks again at what else may wake it.
const EVENTS_AT_ONCE: usize = 256;
/// How often the number of actors is told to the member machine.
const LOAD_EVERY: Duration = Duration::from_millis(500);

/// What is answered to whom only a leader can serve.
pub(crate) const NOT_LEADING: &str =
    "this node does not lead: no majority of the leaders has chosen it, or it has not heard so yet";

/// Everything that wakes the driver.
pub(crate) enum Event {
    Up(Peer),
    Down(NodeRef),
    Control(NodeRef, Vec<u8>),
    Signs(Vec<(NodeRef, Vec<u8>)>),
    /// All that had arrived by this time of the driver's clock is handled.
    Heard(u64),
    LeaderChecked {
        turn: u64,
        ticket: u64,
        outcome: CheckOutcome,
    },
    MemberChecked {
        ticket: u64,
        outcome: CheckOutcome,
    },
    Fetched {
        hash: SourceHash,
        failure: Option<String>,
    },
    /// What fetches this image wants to know of other nodes to fetch it from.
    Seek(SourceHash),
    ImageLost(SourceHash),
    /// Nothing is created from this image any more, and its bytes are gone.
    ImageRevoked {
        hash: SourceHash,
        end: bool,
    },
    /// The leader does not take this start of the node any more, because it knows a later one.
    Superseded(String),
    Launched {
        request: RequestId,
        result: Result<Address, String>,
    },
    Locate(NodeId),
    CreateForActor {
        child: Address,
        spec: Box<CreateSpec>,
    },
    Create {
        spec: Box<CreateSpec>,
        end: oneshot::Sender<CreateOutcome>,
    },
    Explain {
        spec: Box<CreateSpec>,
        end: oneshot::Sender<Explanation>,
    },
    ChangeCapabilities {
        delta: Delta,
        end: oneshot::Sender<Result<(), String>>,
    },
    Operation {
        operation: Box<Operation>,
        end: oneshot::Sender<Answer>,
    },
    /// This node is to become empty, or takes actors again.
    Drain {
        draining: bool,
    },
    /// Which members hold an image, where this node leads.
    HeldBy {
        hash: SourceHash,
        end: oneshot::Sender<Vec<NodeRef>>,
    },
    /// How much may still come of an image here.
    ImageAwaited {
        hash: SourceHash,
        end: oneshot::Sender<usize>,
    },
    View(oneshot::Sender<View>),
    /// Who is the leader that this node is registered with? A view of a leader copies all its members.
    Leader(oneshot::Sender<Option<NodeRef>>),
    /// What does the leader know a member as?
    NameOf {
        node: NodeRef,
        end: oneshot::Sender<Option<String>>,
    },
    /// Leave in good order.
    Leave,
    /// End now.
    Stop,
}

/// What the driver knows, for reads.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The leader that this node is registered with.
    pub(crate) leader: Option<NodeRef>,
    /// What the leader knows; none on other nodes.
    pub(crate) led: Option<LedView>,
    /// Whether it may lead, now or at another time.
    pub(crate) may_lead: bool,
    /// While it is to become empty: how many actors are being launched all the same.
    pub(crate) draining: Option<usize>,
}

/// What a leader knows.
#[derive(Debug, Clone)]
pub(crate) struct LedView {
    pub(crate) members: Vec<MemberView>,
    pub(crate) images: Vec<ImageView>,
}

/// How the driver ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The node has left, or its leader stops.
    Left,
    /// The convention takes this start of the node for gone: only a new incarnation can come back.
    StartAgain(String),
    /// The node cannot go on as it is.
    Rejected { code: u16, reason: String },
}

/// What the driver drives with.
pub(crate) struct Means {
    pub(crate) hosting: Arc<Hosting>,
    pub(crate) links: Links,
    pub(crate) images: Arc<Images>,
    pub(crate) tokens: Tokens,
    /// Of a node that may lead.
    pub(crate) ledger: Option<Ledger>,
    pub(crate) leaders: Leaders,
    pub(crate) events: mpsc::Sender<Event>,
}

/// Whom a creation of the member machine is for.
enum CreateFor {
    Actor(Address),
    Person(oneshot::Sender<CreateOutcome>),
}

/// The machines and what waits for their answers.
pub(crate) struct Driver {
    me: NodeRef,
    /// While this node leads.
    leader: Option<Leader>,
    /// Which of this node's turns to lead it is.
    turn: u64,
    /// The consensus term of that turn.
    consensus_term: u64,
    /// The draws of its leaders.
    seed: u64,
    /// Who leads together, on a node that may lead.
    group: Vec<Place>,
    /// The tokens that the handshake accepts are those of the ledger as of this version, where this node follows.
    tokens_version: u64,
    member: Member,
    means: Means,
    started: Instant,
    tickets: u64,
    creates: HashMap<u64, CreateFor>,
    explains: HashMap<u64, oneshot::Sender<Explanation>>,
    operations: HashMap<u64, oneshot::Sender<Answer>>,
    /// The leader that has this node in its list.
    joined: Option<NodeRef>,
    /// What this node's machines say to each other.
    to_leader: VecDeque<ToLeader>,
    to_member: VecDeque<ToMember>,
    /// What a leader says to the others.
    window: Window,
    end: Option<End>,
}

impl Driver {
    pub(crate) fn new(me: NodeRef, member: Member, seed: u64, means: Means, started: Instant) -> Self {
        Self {
            me,
            leader: None,
            turn: 0,
            consensus_term: 0,
            seed,
            group: Vec::new(),
            tokens_version: 0,
            member,
            means,
            started,
            tickets: 0,
            creates: HashMap::new(),
            explains: HashMap::new(),
            operations: HashMap::new(),
            joined: None,
            to_leader: VecDeque::new(),
            to_member: VecDeque::new(),
            window: Window::new(started),
            end: None,
        }
    }

    /// Runs until the node has left or cannot go on.
    ///
    /// `ledger` is its end of the ledger, where it may lead.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, mut ledger: Option<Listener>) -> End {
        let mut load_tick = tokio::time::interval(LOAD_EVERY);
        let hosting = self.means.hosting.clone();
        let mut batch = Vec::with_capacity(EVENTS_AT_ONCE);
        loop {
            self.carry_out().await;
            if let Some(end) = self.end.take() {
                return end;
            }
            let deadline = self.next_deadline();
            tokio::select! {
                news = heard(&mut ledger) => match news {
                    Some(news) => self.learn(news),
                    None => ledger = None,
                },
                count = events.recv_many(&mut batch, EVENTS_AT_ONCE) => {
                    if count == 0 {
                        return End::Left;
                    }
                    for event in batch.drain(..) {
                        self.handle(event);
                        self.carry_out().await;
                        if self.end.is_some() {
                            break;
                        }
                    }
                }
                () = hosting.kept_changed.notified() => self.take_kept(),
                _ = load_tick.tick() => {
                    hosting.prune();
                    let actors = u32::try_from(hosting.system().count()).unwrap_or(u32::MAX);
                    self.take_part(member::Input::LoadChanged { load: Load { actors } });
                    self.tell_time();
                }
                () = tokio::time::sleep_until(deadline) => {
                    self.lead(|leader, now| leader.handle(now, leader::Input::Timer));
                    self.take_part(member::Input::Timer);
                }
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn next_deadline(&self) -> Instant {
        let leader = self.leader.as_ref().and_then(Leader::next_deadline);
        let at = [leader, self.member.next_deadline()].into_iter().flatten().min();
        // An hour stands for "nothing is due".
        let at = self.started + Duration::from_millis(at.unwrap_or(self.now() + 3_600_000));
        self.window.look_at().map_or(at, |look_at| at.min(look_at))
    }

    fn lead(&mut self, f: impl FnOnce(&mut Leader, u64)) {
        let now = self.now();
        if let Some(leader) = &mut self.leader {
            f(leader, now);
        }
    }

    fn tell_time(&mut self) {
        let unix_s = time::now_ms() / 1000;
        self.lead(|l, now| l.handle(now, leader::Input::Clock { unix_s }));
    }

    fn take_part(&mut self, input: member::Input) {
        let now = self.now();
        self.member.handle(now, input);
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn take_kept(&mut self) {
        let kept = self.means.hosting.take_kept();
        for (by, topic, on) in kept.watches.into_words() {
            // The exit of one that is gone may have been told already.
            if !on || self.means.hosting.system().status(by).is_some() {
                self.take_part(member::Input::Watch { by, topic, on });
            }
        }
        for by in kept.claims {
            if let Some(claim) = self.means.hosting.authority_claim(by) {
                self.take_part(member::Input::ClaimAuthority(claim));
            }
        }
        for (address, global_name) in kept.exits {
            self.take_part(member::Input::Exited { address, global_name });
        }
        if !kept.capabilities.0.is_empty() {
            self.take_part(member::Input::ChangeCapabilities { delta: kept.capabilities });
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Up(peer) => self.up(peer),
            Event::Down(node) => self.down(node),
            Event::Control(from, bytes) => self.control(from, &bytes),
            Event::Heard(until) => self.lead(|l, now| l.handle(now, leader::Input::Heard { until })),
            Event::Signs(signs) => signs.iter().for_each(|(from, bytes)| self.control(*from, bytes)),
            // The tickets of an earlier turn mean nothing in this one.
            Event::LeaderChecked { turn, ticket, outcome } if turn == self.turn => {
                self.lead(|l, now| l.handle(now, leader::Input::Checked { ticket, outcome }));
            }
            Event::LeaderChecked { .. } => {}
            Event::MemberChecked { ticket, outcome } => self.take_part(member::Input::Checked { ticket, outcome }),
            Event::Fetched { hash, failure } => self.take_part(member::Input::Fetched { hash, failure }),
            Event::Seek(hash) => self.take_part(member::Input::Seek { hash }),
            Event::ImageLost(hash) => self.take_part(member::Input::ImageLost { hash }),
            Event::ImageRevoked { hash, end } => self.take_part(member::Input::ImageRevoked { hash, end }),
            Event::Launched { request, result } => self.take_part(member::Input::Launched { request, result }),
            Event::Locate(node) => self.take_part(member::Input::Locate { node }),
            Event::CreateForActor { child, spec } => {
                let ticket = self.ticket();
                self.creates.insert(ticket, CreateFor::Actor(child));
                self.take_part(member::Input::Create { ticket, spec });
            }
            Event::Create { spec, end } => {
                let ticket = self.ticket();
                self.creates.insert(ticket, CreateFor::Person(end));
                self.take_part(member::Input::Create { ticket, spec });
            }
            Event::Explain { spec, end } => {
                let ticket = self.ticket();
                self.explains.insert(ticket, end);
                self.take_part(member::Input::Explain { ticket, spec });
            }
            Event::ChangeCapabilities { delta, end } => self.change_capabilities(delta, end),
            Event::Operation { operation, end } => self.operation(*operation, end),
            Event::HeldBy { hash, end } => {
                // Who asked may have gone.
                let _ = end.send(self.leader.as_ref().map(|leader| leader.held_by(hash)).unwrap_or_default());
            }
            Event::ImageAwaited { hash, end } => {
                // As above.
                let _ = end.send(self.member.awaited_of(hash));
            }
            Event::Drain { draining } => self.take_part(member::Input::Drain { draining }),
            Event::View(end) => {
                // Who asked may have gone.
                let _ = end.send(self.view());
            }
            // As above.
            Event::Leader(end) => _ = end.send(self.joined),
            Event::NameOf { node, end } => {
                let name = self.leader.as_ref().and_then(|leader| leader.name_of(node));
                let _ = end.send(name.map(str::to_owned));
            }
            Event::Superseded(reason) => self.end = Some(End::Rejected { code: codes::SUPERSEDED, reason }),
            Event::Leave => self.leave(),
            Event::Stop => self.end = Some(End::Left),
        }
    }

    fn up(&mut self, peer: Peer) {
        tracing::info!(node = %peer.node, name = peer.name, role = ?peer.role, address = %peer.address, "link is up");
        self.means.hosting.node_linked(peer.node);
        // Whether it leads, a leader says itself.
        self.lead(|l, now| l.handle(now, leader::Input::Connected { node: peer.node, role: peer.role }));
    }

    fn down(&mut self, node: NodeRef) {
        tracing::info!(%node, "link is down");
        if self.joined == Some(node) {
            self.joined = None;
        }
        self.take_part(member::Input::Disconnected { leader: node });
        self.lead(|l, now| l.handle(now, leader::Input::Disconnected { node }));
    }

    /// A word on the control lane.
    fn control(&mut self, from: NodeRef, bytes: &[u8]) {
        match wire::decode(bytes) {
            // Where nobody leads it is not heard: whoever begins to lead asks again.
            Ok(Word::ToLeader(message)) => {
                self.lead(|l, now| l.handle(now, leader::Input::Received { from, message }));
            }
            Ok(Word::ToMember(message)) => self.take_part(member::Input::Received { from, message }),
            Ok(Word::Carried { hash, bytes }) => self.means.images.was_brought(hash, bytes),
            Err(error) => tracing::warn!(node = %from, %error, "dropped a message"),
        }
    }

    fn change_capabilities(&mut self, delta: Delta, end: oneshot::Sender<Result<(), String>>) {
        let mut trial = self.member.capabilities().clone();
        let result = trial.apply(&delta).map(|_| ()).map_err(|e| e.to_string());
        if result.is_ok() {
            self.take_part(member::Input::ChangeCapabilities { delta });
        }
        let _ = end.send(result);
    }

    fn operation(&mut self, operation: Operation, end: oneshot::Sender<Answer>) {
        if self.leader.is_none() {
            let _ = end.send(match self.means.ledger {
                Some(_) => refused(codes::NO_MAJORITY, NOT_LEADING),
                None => refused(codes::ROLE, "this node does not lead the convention"),
            });
            return;
        }
        let ticket = self.ticket();
        self.operations.insert(ticket, end);
        self.lead(|l, now| l.handle(now, leader::Input::Operation { ticket, operation }));
    }

    fn view(&self) -> View {
        let led =
            self.leader.as_ref().map(|leader| LedView { members: leader.members(self.now()), images: leader.images() });
        let may_lead = self.means.ledger.is_some();
        View { leader: self.joined, led, may_lead, draining: self.member.draining() }
    }

    fn leave(&mut self) {
        let follows = self.joined.is_some() && self.leader.is_none();
        if self.means.ledger.is_some() && !follows {
            // A leader that stops comes back with its folder: its members keep what they have.
            self.end = Some(End::Left);
        } else {
            self.take_part(member::Input::Leave);
        }
    }
}

/// What the ledger tells; nothing, where there is none.
async fn heard(ledger: &mut Option<Listener>) -> Option<News> {
    match ledger {
        Some(ledger) => ledger.next().await,
        None => std::future::pending().await,
    }
}

fn refused(code: u16, reason: &str) -> Answer {
    Answer::Refused { code, reason: reason.to_owned() }
}
