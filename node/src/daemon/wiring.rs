//! Carries what the links tell to whoever it is for: the driver, the actors, the images, the log, the commands.

use crate::admin::protocol::{Reply, Request};
use crate::admin::{self, Backend, Serving};
use crate::backend::NodeBackend;
use crate::driver::Event;
use crate::hosting::Hosting;
use crate::ledger::Ledger;
use crate::ledger::limits::QUESTION_BYTES_MAX;
use crate::link::{Admission, BoxFuture, Caller, Frames, LinkError, LinkEvents, NotAdmitted, Peer};
use crate::logs::{LOCAL_TARGET, Store};
use crate::{lending, purpose, shipping};
use odeon::{NodeId, NodeRef};
use odeon_convention::codes;
use odeon_convention::types::Role;
use odeon_convention::wire::LeaderAt;
use parking_lot::RwLock;
use quinn::{RecvStream, SendStream};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;

/// Bytes of a frame at most that the links' thread lends itself for, where it comes alone.
const LENT_FRAME_BYTES_MAX: usize = 4096;

/// The links' driver.
pub(super) struct Wiring {
    me: NodeRef,
    events: mpsc::Sender<Event>,
    /// The hosting holds the links, which hold this.
    hosting: Weak<Hosting>,
    log_store: Option<Arc<Store>>,
    /// Streams before the node is made and after it has ended are refused. What is in it holds the links as well.
    opened: RwLock<Option<Arc<NodeBackend>>>,
    /// The requests that came over links.
    requests: Serving,
}

impl Wiring {
    pub(super) fn new(
        me: NodeRef,
        events: mpsc::Sender<Event>,
        hosting: &Arc<Hosting>,
        log_store: Option<Arc<Store>>,
    ) -> Self {
        let (hosting, opened, requests) = (Arc::downgrade(hosting), RwLock::default(), Serving::default());
        Self { me, events, hosting, log_store, opened, requests }
    }

    pub(super) fn open(&self, backend: Arc<NodeBackend>) {
        *self.opened.write() = Some(backend);
    }

    /// Takes no more streams, and lets go of what was made for this start of the node.
    pub(super) fn close(&self) {
        self.opened.write().take();
    }

    /// Returns once every request that came over a link has its answer, or after a moment.
    pub(super) async fn drained(&self) {
        self.requests.drained().await;
    }

    /// Tells the driver, or cuts the link to a peer that tells more than the driver can take: both begin anew.
    fn tell(&self, about: NodeRef, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            tracing::warn!(node = %about, "the driver is too far behind; the link is cut");
            if let Some(backend) = &*self.opened.read() {
                backend.links.cut(about);
            }
        }
    }
}

impl LinkEvents for Wiring {
    fn up(&self, peer: Peer) {
        self.tell(peer.node, Event::Up(peer));
    }

    fn down(&self, node: NodeRef) {
        self.tell(node, Event::Down(node));
    }

    fn control(&self, from: NodeRef, bytes: Vec<u8>) {
        self.tell(from, Event::Control(from, bytes));
    }

    fn signs(&self, signs: Vec<(NodeRef, Vec<u8>)>) {
        // What a driver that is too far behind misses comes again.
        let _ = self.events.try_send(Event::Signs(signs));
    }

    fn echoed(&self, number: u64) {
        // As above: then it is not up to date either.
        let _ = self.events.try_send(Event::Heard(number));
    }

    fn messages(&self, from: NodeRef, _lane: u8, frames: Frames) {
        if let Some(hosting) = self.hosting.upgrade() {
            let is_small = frames.only().is_some_and(|bytes| bytes <= LENT_FRAME_BYTES_MAX);
            if is_small && lending::may_lend() {
                let turn = hosting.system().catch_turn(|| hosting.receive(from, frames));
                turn.into_iter().for_each(lending::lend);
            } else {
                hosting.receive(from, frames);
            }
        }
    }

    fn stream(&self, from: Caller, purpose: u8, send: SendStream, receive: RecvStream) {
        let Some(backend) = self.opened.read().clone() else { return };
        match (purpose, from) {
            (purpose::ADMIN, from) => {
                let caller = match from {
                    Caller::Node(peer) => admin::Caller::Peer(peer.node, peer.role),
                    Caller::Operator { .. } => admin::Caller::Operator,
                };
                let backend: Arc<dyn Backend> = backend;
                self.requests.serve(receive, send, caller, backend);
            }
            (purpose::IMAGE, Caller::Node(peer)) => {
                let images = backend.images.clone();
                tokio::spawn(async move {
                    if let Err(error) = images.serve(send, receive).await {
                        tracing::debug!(node = %peer.node, %error, "an image was not served to its end");
                    }
                });
            }
            (purpose::LEDGER, Caller::Node(peer)) if peer.role == Role::Leader => {
                let Some(ledger) = backend.ledger.clone() else { return };
                tokio::spawn(async move {
                    if let Err(error) = answer_about(&ledger, send, receive).await {
                        tracing::debug!(node = %peer.node, error, "a leader's question was not answered to its end");
                    }
                });
            }
            (purpose::LOGS, Caller::Node(peer)) => {
                let Some(store) = self.log_store.clone() else { return };
                let events = self.events.clone();
                tokio::spawn(async move {
                    if let Err(error) = shipping::receive(peer.node, store, events, send, receive).await {
                        tracing::debug!(target: LOCAL_TARGET, node = %peer.node, %error, "log lines were not taken");
                    }
                });
            }
            (other, _) => tracing::debug!(purpose = other, "a stream of unknown purpose was closed"),
        }
    }

    fn lost(&self, node: NodeRef, undelivered: Vec<Vec<u8>>) {
        if !undelivered.is_empty() {
            tracing::info!(%node, frames = undelivered.len(), "frames could not be delivered");
        }
        if let Some(hosting) = self.hosting.upgrade() {
            hosting.undelivered(undelivered);
        }
    }

    fn drained(&self, ticket: u64) {
        if let Some(hosting) = self.hosting.upgrade() {
            hosting.drained(ticket);
        }
    }

    fn wanted(&self, node: NodeRef) {
        // It is said again while that is so.
        let _ = self.events.try_send(Event::Locate(node.id));
    }

    fn unreachable(&self, address: &str, error: &LinkError) {
        tracing::debug!(target: LOCAL_TARGET, me = %self.me, address, %error, "a node cannot be reached");
        if matches!(error, LinkError::Superseded(node) if *node == self.me) {
            self.tell(self.me, Event::Superseded(format!("{error}; it is the one that {address} talks to")));
        }
    }
}

async fn answer_about(ledger: &Ledger, mut send: SendStream, mut receive: RecvStream) -> Result<(), String> {
    let question = receive.read_to_end(QUESTION_BYTES_MAX).await.map_err(|e| e.to_string())?;
    send.write_all(&ledger.answer(&question).await).await.map_err(|e| e.to_string())?;
    send.finish().map_err(|e| e.to_string())
}

/// The leaders' word on who is let in.
#[derive(Default)]
pub(super) struct Gate(RwLock<Option<Arc<NodeBackend>>>);

impl Gate {
    pub(super) fn open(&self, backend: Arc<NodeBackend>) {
        *self.0.write() = Some(backend);
    }

    pub(super) fn close(&self) {
        self.0.write().take();
    }

    async fn ask(&self, request: Request) -> Result<Reply, NotAdmitted> {
        let closed = || NotAdmitted { code: codes::NODE_UNREACHABLE, reason: "the leader starts or stops".into() };
        let backend = self.0.read().clone().ok_or_else(closed)?;
        let settled = backend.settle(request).await;
        settled.map_err(|e| NotAdmitted { code: e.code, reason: e.message })
    }
}

impl Admission for Gate {
    fn admit(&self, token: [u8; 32], node: NodeId) -> BoxFuture<'_, Result<Role, NotAdmitted>> {
        Box::pin(async move {
            match self.ask(Request::Admit { token, node }).await? {
                Reply::Admitted { role } => Ok(role),
                _ => Err(NotAdmitted { code: codes::INTERNAL, reason: "the leader gave no role".into() }),
            }
        })
    }

    fn use_token(&self, token: [u8; 32]) -> BoxFuture<'_, Result<(), NotAdmitted>> {
        Box::pin(async move { self.ask(Request::UseToken { token }).await.map(|_| ()) })
    }

    fn leaders(&self) -> Vec<LeaderAt> {
        self.0.read().as_ref().map(|backend| backend.leaders_at()).unwrap_or_default()
    }
}
