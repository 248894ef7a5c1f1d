//! Links between nodes: authenticated QUIC connections and, over them, sessions that survive their loss.
//!
//! Owns sockets, handshakes, greetings, lanes, resending and pressure. It never looks into a frame and never decides
//! whether a node lives. The wire format is in docs/links.md. Start with [`Links`] and [`LinkEvents`].

mod accept;
mod admit;
mod backoff;
mod connect;
mod connection;
mod dial;
mod door;
mod endpoint;
mod error;
mod frame;
mod gate;
mod greeting;
mod incoming;
pub(crate) mod invite;
pub mod limits;
mod line;
mod outgoing;
mod reader;
mod refusals;
mod relay;
mod resolve;
mod session;
mod shared;
mod sign;
mod socket;
mod sockets;
mod table;
mod tcp;
pub(crate) mod token_link;
mod udp;
mod urgent;
mod vitals;
mod writer;

#[cfg(test)]
mod tests;

pub use dial::Keep;
pub use door::Transport;
pub(crate) use endpoint::{can_listen, dialler_through};
pub use error::LinkError;
pub use frame::{Decoder, Frames};
pub use refusals::Refusal;
pub use relay::{RelayStats, Switch};
pub(crate) use resolve::SEPARATOR as ADDRESS_SEPARATOR;
pub(crate) use sockets::Sockets;
pub use tcp::{Pipe, Pipes};
pub use token_link::{TokenLink, connect_operator};
pub(crate) use vitals::Vitals;

use crate::identity::{Identity, Tokens};
use door::Door;
use error::{CLOSE_DONE, Close};
use limits::{CONTROL_FRAME_BYTES_MAX, FRAME_BYTES_MAX, OPEN_TIMEOUT, PARTS_LANE};
use odeon::{NodeId, NodeRef};
use odeon_convention::codes;
use odeon_convention::types::Role;
use odeon_convention::wire::LeaderAt;
use outgoing::NotTaken;
use quinn::{Connection, RecvStream, SendStream};
use session::{Attached, Session};
use shared::Shared;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tcp::Tcp;

/// A node at the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is, by its certificate, and which start it says this is.
    pub node: NodeRef,
    /// What it may do, by its certificate.
    pub role: Role,
    /// What it calls itself.
    pub name: String,
    /// Where it was seen.
    pub address: SocketAddr,
    /// What carries the connection.
    pub transport: Transport,
}

/// Who opened a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A node.
    Node(Peer),
    /// The bearer of an operator's token, whose use was counted.
    Operator {
        /// The token's id.
        token: [u8; 32],
        /// Where it was seen.
        address: SocketAddr,
    },
}

/// What the links tell their driver.
///
/// Called from the tasks that read and write: no call may block for long, wait for another, or call
/// [`Links::forget`] and wait for what comes of it. [`Links::send`] and [`Links::send_control`] may be called.
pub trait LinkEvents: Send + Sync + 'static {
    /// There is a connection. What was sent before and is not acknowledged goes out again by itself.
    fn up(&self, peer: Peer);
    /// The connection is gone; the session stays.
    fn down(&self, node: NodeRef);
    /// Control frames, in order, each once.
    fn control(&self, from: NodeRef, bytes: Vec<u8>);
    /// What signs of life carried: control frames, of which any may be missing, late, or there twice.
    fn signs(&self, signs: Vec<(NodeRef, Vec<u8>)>) {
        for (from, bytes) in signs {
            self.control(from, bytes);
        }
    }
    /// What [`Links::echo`] said has come through, and all signs that arrived before it have been told.
    fn echoed(&self, number: u64) {
        let _ = number;
    }
    /// Frames of an actor lane, in order, each once.
    fn messages(&self, from: NodeRef, lane: u8, frames: Frames);
    /// A peer opened a stream of its own.
    fn stream(&self, from: Caller, purpose: u8, send: SendStream, receive: RecvStream);
    /// The session is over: the node came back as another start, or one of the two sides forgot it.
    /// With the actor frames that were never acknowledged; some of them may have been received.
    fn lost(&self, node: NodeRef, undelivered: Vec<Vec<u8>>);
    /// The pressure that [`Links::send`] reported under this ticket is over. It is said once, and it may be said
    /// by another thread before `send` returns.
    fn drained(&self, ticket: u64);
    /// A try to reach a node that is to be kept linked failed; another follows.
    fn unreachable(&self, address: &str, error: &LinkError) {
        let _ = (address, error);
    }
    /// There is something to deliver to a node that only dials, and no connection: it has to be asked to dial.
    fn wanted(&self, node: NodeRef) {
        let _ = node;
    }
}

/// A future that can be kept anywhere.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a token's bearer is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdmitted {
    /// A code as listed in docs/errors.
    pub code: u16,
    /// For people to read.
    pub reason: String,
}

/// The leader's durable word on who is let in.
pub trait Admission: Send + Sync + 'static {
    /// A node asks to be let in with a token. The role comes back once that is recorded.
    fn admit(&self, token: [u8; 32], node: NodeId) -> BoxFuture<'_, Result<Role, NotAdmitted>>;
    /// An operator connects with a token. Its use is recorded before the first stream is served.
    fn use_token(&self, token: [u8; 32]) -> BoxFuture<'_, Result<(), NotAdmitted>>;
    /// The leaders and where they can be dialled, this one first, for those who join.
    fn leaders(&self) -> Vec<LeaderAt>;
}

/// How the links of a node are set up.
pub struct LinkConfig {
    /// The one UDP socket, and TCP at the same port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// These sockets at that address, where there are some already.
    pub(crate) sockets: Option<Sockets>,
    /// Who this node is, as of this start.
    pub identity: Arc<Identity>,
    /// What it calls itself.
    pub name: String,
    /// Tokens that the handshake accepts; none on a member.
    pub tokens: Tokens,
    /// Decides on joins and operators; none on a member.
    pub admission: Option<Arc<dyn Admission>>,
    /// Whether this node only dials: nobody who dials it is let in.
    pub outbound_only: bool,
    /// Whether it dials over TCP only, instead of where UDP gets no answer.
    pub tcp_only: bool,
    /// Where the socket is received from, and where the first links run and those among leaders: what they carry does not
    /// wait for thousands of members then, and is handed to no other thread.
    pub urgent: Option<tokio::runtime::Handle>,
}

impl LinkConfig {
    /// Of a member that listens at that address.
    pub fn member(listen: SocketAddr, identity: Arc<Identity>, name: String) -> Self {
        Self {
            listen,
            sockets: None,
            identity,
            name,
            tokens: Tokens::default(),
            admission: None,
            outbound_only: false,
            tcp_only: false,
            urgent: None,
        }
    }
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Pressure {
    /// It is taken.
    None,
    /// It is taken, but the sender should wait until [`LinkEvents::drained`] is called with this ticket.
    PutAside(u64),
    /// It is not taken, and here it is.
    Refused {
        /// The frame.
        frame: Vec<u8>,
        /// Why.
        reason: String,
    },
}

/// What the links have counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Sessions with other nodes' starts.
    pub sessions: usize,
    /// Those that have a connection.
    pub connected: usize,
    /// Of these, those over TCP, where UDP did not get through.
    pub over_tcp: usize,
    /// Handshakes under way with those who dialled.
    pub handshakes: usize,
    /// Bytes of frames that are not acknowledged, with their overhead.
    pub held_bytes: usize,
    /// Who was turned away, by reason, since the start.
    pub refused: BTreeMap<Refusal, u64>,
    /// What is carried between nodes that only dial, on a node that may lead.
    pub relay: Option<RelayStats>,
}

/// The links of a node. A clone is the same links.
#[derive(Clone)]
pub struct Links(Arc<Shared>);

/// How long [`Links::shutdown`] waits for what is still to be delivered, and for peers to hear of the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
const SHUTDOWN_LOOK: Duration = Duration::from_millis(5);

impl Links {
    /// Listens, and from now on accepts peers. To be called within a tokio runtime, which runs all tasks.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(config: LinkConfig, events: Arc<dyn LinkEvents>) -> Result<Self, LinkError> {
        let (shared, listener) = Shared::new(config, events)?;
        match &shared.relayed {
            Some(relayed) => {
                shared.runtime.spawn(accept::refuse_all(shared.clone()));
                shared.runtime.spawn(accept::run(shared.clone(), relayed.door.clone()));
            }
            None => {
                shared.runtime.spawn(accept::run(shared.clone(), shared.door.clone()));
            }
        }
        if let (Some(tcp), Some(listener)) = (&shared.tcp, listener) {
            Tcp::accept(&shared, tcp, listener)?;
            shared.runtime.spawn(accept::run(shared.clone(), tcp.door.clone()));
        }
        Ok(Self(shared))
    }

    /// Links that dial and cannot be dialled, from a socket that others use as well: whoever owns it closes it, in
    /// place of [`Links::shutdown`]. Where to listen in `config` is not looked at.
    pub(crate) fn dialling(
        (endpoint, vitals): (quinn::Endpoint, Arc<Vitals>),
        config: LinkConfig,
        events: Arc<dyn LinkEvents>,
    ) -> Self {
        let door = Door { endpoint, vitals, transport: Transport::Quic };
        Self(Shared::over(door, config, (None, None), Arc::default(), events))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> Result<SocketAddr, LinkError> {
        self.0.door.endpoint.local_addr().map_err(|_| LinkError::ShutDown)
    }

    /// Keeps a link to whoever answers at `address` (`host:port`), or to `expect` there, until the result is dropped.
    pub fn keep(&self, address: impl Into<String>, expect: Option<NodeId>) -> Keep {
        Keep::start(self.0.clone(), address.into(), expect, None)
    }

    /// The same, and begins with a connection over the UDP socket of these links on which `expect` let this node in.
    pub(crate) fn keep_on(&self, connection: Connection, address: impl Into<String>, expect: NodeId) -> Keep {
        Keep::start(self.0.clone(), address.into(), Some(expect), Some(connection))
    }

    /// Dials a node, and dials again whenever there is something to deliver to it and no connection. Without an address
    /// the node is one that only dials: it is reached through a relay, or asked to dial this one.
    ///
    /// # Errors
    /// When that start of the node is over, or there are too many sessions.
    pub fn dial(&self, node: NodeRef, address: &str) -> Result<(), LinkError> {
        let session = self.0.session(node)?;
        if address.is_empty() {
            self.0.meet_one_that_only_dials(&session);
        } else {
            session.set_address(address);
        }
        dial::ensure(&self.0, &session);
        Ok(())
    }

    /// Sends on the control lane.
    ///
    /// # Errors
    /// When the frame is too large, the session is over, or it holds all that it may. Nothing is sent then.
    pub fn send_control(&self, to: NodeRef, frame: Vec<u8>) -> Result<(), LinkError> {
        if frame.len() > CONTROL_FRAME_BYTES_MAX {
            return Err(LinkError::FrameTooLarge { found: frame.len(), max: CONTROL_FRAME_BYTES_MAX });
        }
        let session = self.0.session(to)?;
        self.push(&session, 0, 0, frame).map(|_| ()).map_err(|(error, _)| error)
    }

    /// How many control frames peers have acknowledged, ever.
    pub fn acknowledged(&self) -> u64 {
        self.0.acknowledged.load(Ordering::Relaxed)
    }

    /// Sends a sign of life: a control frame that may be lost, come twice, or overtake others, since another one follows
    /// soon. It goes beside QUIC, so that it costs a leader with thousands of peers as little as can be; while such signs
    /// are not answered, by QUIC as well.
    ///
    /// # Errors
    /// When there is no connection, or as for [`Links::send_control`] where the peer takes no datagrams.
    pub fn send_sign(&self, to: NodeRef, frame: Vec<u8>) -> Result<(), LinkError> {
        let session = self.0.table.read().find(to);
        let (connection, vital) = session.and_then(|session| session.vital()).ok_or(LinkError::NotConnected(to))?;
        if frame.len() <= sign::BODY_BYTES_MAX && vital.give(&frame) {
            return Ok(());
        }
        if connection.max_datagram_size().is_none_or(|max| frame.len() > max) {
            return self.send_control(to, frame);
        }
        connection.send_datagram(frame.into()).map_err(|_| LinkError::NotConnected(to))
    }

    /// Says a number to this node's own UDP socket, to know when all is handled that has arrived there by now. It may be
    /// lost.
    pub fn echo(&self, number: u64) {
        self.0.door.vitals.echo(number);
    }

    /// Sends on an actor lane. Frames with the same key arrive in order.
    pub fn send(&self, to: NodeRef, lane_key: u64, frame: Vec<u8>) -> Pressure {
        let refused = |error: LinkError, frame| Pressure::Refused { frame, reason: error.to_string() };
        if frame.len() > FRAME_BYTES_MAX {
            return refused(LinkError::FrameTooLarge { found: frame.len(), max: FRAME_BYTES_MAX }, frame);
        }
        let table = self.0.table.read();
        // A reference counted for each frame would have all threads that send wait for one line of memory.
        let pushed = match table.get(to) {
            Some(session) => self.push(session, lane_of(lane_key), lane_key, frame),
            None => {
                drop(table);
                match self.0.session(to) {
                    Ok(session) => self.push(&session, lane_of(lane_key), lane_key, frame),
                    Err(e) => return refused(e, frame),
                }
            }
        };
        match pushed {
            Ok(None) => Pressure::None,
            Ok(Some(ticket)) => Pressure::PutAside(ticket),
            Err((error, frame)) => refused(error, frame),
        }
    }

    fn push(
        &self,
        session: &Arc<Session>,
        lane: usize,
        key: u64,
        frame: Vec<u8>,
    ) -> Result<Option<u64>, (LinkError, Vec<u8>)> {
        let mut outgoing = session.outgoing.lock();
        let pushed = outgoing.push(lane, key, frame, || self.0.next_ticket());
        let waker = outgoing.writer.take();
        let attached = outgoing.attached;
        drop(outgoing);
        if let Some(waker) = waker {
            waker.wake();
        }
        if !attached {
            dial::ensure(&self.0, session);
        }
        pushed.map_err(|(why, frame)| match why {
            NotTaken::Full => (LinkError::Full(session.peer), frame),
            NotTaken::Over => (LinkError::Superseded(session.peer), frame),
        })
    }

    /// Opens a stream of its own to a node. Waits a few seconds for a connection if one can be had.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn open(&self, to: NodeRef, purpose: u8) -> Result<(SendStream, RecvStream), LinkError> {
        let session = self.0.session(to)?;
        let mut attached = session.watch();
        dial::ensure(&self.0, &session);
        // The state is read within the statement: what guards it must not be held further on.
        let ready = matches!(
            tokio::time::timeout(OPEN_TIMEOUT, attached.wait_for(|a| *a != Attached::No)).await,
            Ok(Ok(state)) if *state == Attached::Yes
        );
        let connection = if ready { session.connection() } else { None };
        let connection = connection.ok_or(LinkError::NotConnected(to))?;
        let (mut send, receive) = connection.open_bi().await.map_err(|_| LinkError::NotConnected(to))?;
        send.write_all(&[purpose]).await.map_err(|_| LinkError::NotConnected(to))?;
        Ok((send, receive))
    }

    /// The start of a node that there is a connection with.
    pub fn connected(&self, node: NodeId) -> Option<NodeRef> {
        self.0.table.read().connected(node).map(|session| session.peer)
    }

    /// Ends the session with a node, closes its connection and, soon, tells [`LinkEvents::lost`].
    /// A frame that is sent to it later begins another session.
    pub fn forget(&self, node: NodeRef) {
        if let Some(session) = self.0.table.write().remove(node) {
            let events = self.0.events.clone();
            // Not here: the caller may hold what the driver needs to be told.
            self.0.runtime.spawn(async move {
                session.end(&Close::new(codes::DECLARED_GONE, "this node counts the peer as gone"), &*events);
            });
        }
    }

    /// The nodes that are connected.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.table.read().all().iter().filter_map(|session| session.peer_up()).collect()
    }

    /// How many sessions there are, with a connection or without.
    pub(crate) fn sessions(&self) -> usize {
        self.0.table.read().count()
    }

    /// What was counted.
    pub fn stats(&self) -> LinkStats {
        let sessions = self.0.table.read().all();
        let peers: Vec<Peer> = sessions.iter().filter_map(|session| session.peer_up()).collect();
        LinkStats {
            sessions: sessions.len(),
            connected: peers.len(),
            over_tcp: peers.iter().filter(|peer| peer.transport == Transport::Tcp).count(),
            handshakes: self.0.gate.open(),
            held_bytes: sessions.iter().map(|s| s.outgoing.lock().held_bytes()).sum(),
            refused: self.0.refusals.counts(),
            relay: self.0.switch.as_ref().map(relay::Switch::stats),
        }
    }

    /// What QUIC has counted on the present connection with a node, and the signs that were given and answered beside it.
    pub(crate) fn traffic(&self, node: NodeRef) -> Option<(quinn::ConnectionStats, (u64, u64))> {
        let (connection, vital) = self.0.table.read().find(node)?.vital()?;
        Some((connection.stats(), vital.counts()))
    }

    /// Whether a node has not acknowledged everything that was sent to it.
    pub(crate) fn has_undelivered(&self, node: NodeRef) -> bool {
        self.0.table.read().find(node).is_some_and(|session| session.outgoing.lock().has_undelivered())
    }

    /// Cuts the connection to a node, as a broken network would. The session stays. For tests and drills.
    pub fn cut(&self, node: NodeRef) {
        if let Some(connection) = self.0.table.read().find(node).and_then(|s| s.connection()) {
            Close::new(CLOSE_DONE, "cut").apply(&connection);
        }
    }

    /// Delivers what can be delivered at once, then closes every connection and the socket.
    pub async fn shutdown(&self) {
        self.0.table.write().shut_down();
        let undelivered = || {
            let sessions = self.0.table.read().all();
            sessions.iter().any(|s| s.peer_up().is_some() && s.outgoing.lock().has_undelivered())
        };
        let delivered = async {
            while undelivered() {
                tokio::time::sleep(SHUTDOWN_LOOK).await;
            }
        };
        // What is not delivered by then is not worth the wait: the process goes.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, delivered).await;
        let tcp = self.0.tcp.as_ref();
        // What a relay carries goes through the other two.
        let doors =
            [self.0.relayed.as_ref().map(|relayed| &relayed.door), tcp.map(|tcp| &tcp.door), Some(&self.0.door)];
        for door in doors.into_iter().flatten() {
            door.endpoint.close(u32::from(CLOSE_DONE).into(), b"the node shuts down");
            let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, door.endpoint.wait_idle()).await;
            endpoint::let_go_of_socket(&door.endpoint);
        }
        if let Some(tcp) = tcp {
            tcp.shut_down();
        }
    }
}

/// The actor lane of a key: any of them but the first and the last, spread evenly whatever the keys are.
fn lane_of(key: u64) -> usize {
    let mixed = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    1 + ((mixed >> 32) as usize) % (PARTS_LANE - 1)
}
