//! One session: everything between this start of this node and one start of another, over however many connections.

use super::door::Transport;
use super::error::{CLOSE_AFRESH, CLOSE_DUPLICATE, Close};
use super::greeting::Resume;
use super::incoming::Incoming;
use super::limits::{ACCEPT_TIMEOUT, ACK_BYTES};
use super::outgoing::Outgoing;
use super::vitals::Vital;
use super::{LinkEvents, Peer};
use odeon::NodeRef;
use odeon_convention::codes;
use parking_lot::Mutex;
use quinn::Connection;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

pub(crate) struct Session {
    pub(crate) peer: NodeRef,
    /// This side's number of the session; a forgotten one is told from its successor by it.
    pub(crate) number: u64,
    pub(crate) outgoing: Apart<Mutex<Outgoing>>,
    pub(crate) incoming: Incoming,
    link: Mutex<Link>,
    /// Which connection the driver was last told of as up, if any. Held while it is told, so that it is told in order.
    told: Mutex<Option<u64>>,
    /// Whether there is a connection, for those who wait for one.
    attached: watch::Sender<Attached>,
}

/// Something that many threads write, in lines of memory of its own: whoever looks for a session reads who its peer is.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attached {
    No,
    Yes,
    Over,
}

#[derive(Default)]
struct Link {
    /// The peer's number of the session; 0 until it is known.
    peer_number: u64,
    current: Option<Current>,
    /// Where the peer can be dialled, as the driver says.
    address: Option<String>,
    /// Where it was seen last, if not over TCP. A node dials from the socket that it listens on, so this will do without
    /// an address.
    seen_at: Option<SocketAddr>,
    /// Whether it lets nobody in who dials it.
    only_dials: bool,
    dialling: bool,
    /// How many keep a link to the peer: they dial it.
    kept_by: usize,
}

/// How a peer without a connection is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By dialling it there.
    Dial(String),
    /// By asking it to dial.
    Ask,
}

struct Current {
    connection: Connection,
    vital: Arc<Vital>,
    peer: Peer,
    generation: u64,
    dialled_here: bool,
    since: Instant,
}

/// Why a connection does not carry the session.
pub(crate) enum NotAttached {
    /// Only this connection is of no use.
    Connection(Close),
    /// The peer has forgotten the session: it is over.
    Session(Close),
}

impl Session {
    pub(crate) fn new(peer: NodeRef, number: u64) -> Self {
        Self {
            peer,
            number,
            outgoing: Apart::default(),
            incoming: Incoming::default(),
            link: Mutex::default(),
            told: Mutex::new(None),
            attached: watch::Sender::new(Attached::No),
        }
    }

    pub(crate) fn resume(&self) -> Resume {
        let received = self.incoming.received();
        Resume { session: self.number, peer_session: self.link.lock().peer_number, received }
    }

    /// Makes a connection the one that carries the session. Gives its generation and the tickets that are over by it.
    pub(crate) fn attach(
        &self,
        connection: &Connection,
        vital: &Arc<Vital>,
        peer: &Peer,
        resume: &Resume,
        dialled_here: bool,
        dialled_by_lower: bool,
    ) -> Result<(u64, Vec<u64>), NotAttached> {
        let mut link = self.link.lock();
        if link.peer_number != 0 && link.peer_number != resume.session {
            return Err(NotAttached::Session(Close::new(CLOSE_AFRESH, "the peer has forgotten the session")));
        }
        if resume.peer_session != 0 && resume.peer_session != self.number {
            let close = Close::new(CLOSE_AFRESH, "the session that the peer remembers is over");
            return Err(NotAttached::Connection(close));
        }
        if let Some(current) = &link.current {
            // A crossing dial is at most one handshake younger. One that comes later shows that its dialler has
            // lost the connection that this side still believes in.
            let crossing = current.dialled_here != dialled_here && current.since.elapsed() < ACCEPT_TIMEOUT;
            if crossing && !dialled_by_lower && current.connection.close_reason().is_none() {
                let close = Close::new(CLOSE_DUPLICATE, "another connection carries the session");
                return Err(NotAttached::Connection(close));
            }
        }
        let mut outgoing = self.outgoing.lock();
        if outgoing.is_over() {
            return Err(NotAttached::Connection(Close::new(CLOSE_AFRESH, "the session is over")));
        }
        let violation = |reason| NotAttached::Connection(Close::new(codes::BAD_REQUEST, reason));
        let tickets = outgoing.resume(&resume.received).map_err(violation)?;
        let generation = outgoing.generation;
        drop(outgoing);
        link.peer_number = resume.session;
        if peer.transport != Transport::Tcp {
            link.seen_at = Some(peer.address);
        }
        let current = Current {
            connection: connection.clone(),
            vital: vital.clone(),
            peer: peer.clone(),
            generation,
            dialled_here,
            since: Instant::now(),
        };
        if let Some(old) = link.current.replace(current) {
            Close::new(CLOSE_DUPLICATE, "a newer connection carries the session").apply(&old.connection);
        }
        self.attached.send_replace(Attached::Yes);
        Ok((generation, tickets))
    }

    /// The connection of this generation is gone.
    pub(crate) fn detach(&self, generation: u64) {
        let mut link = self.link.lock();
        if link.current.as_ref().is_some_and(|c| c.generation == generation) {
            link.current = None;
            self.outgoing.lock().attached = false;
            self.attached.send_if_modified(|a| {
                *a == Attached::Yes && {
                    *a = Attached::No;
                    true
                }
            });
        }
    }

    /// Tells the driver whether the session is up, if that is news to it. A connection that took the place of another is
    /// news as well: the peer may have seen the end of the first before the second, and both have to begin anew then.
    pub(crate) fn tell(&self, events: &dyn LinkEvents) {
        let mut told = self.told.lock();
        let up = self.link.lock().current.as_ref().map(|c| (c.generation, c.peer.clone()));
        let generation = up.as_ref().map(|(generation, _)| *generation);
        let before = std::mem::replace(&mut *told, generation);
        if before == generation {
            return;
        }
        if before.is_some() {
            events.down(self.peer);
        }
        if let Some((_, peer)) = up {
            events.up(peer);
        }
    }

    /// Who is at the other end, while there is a connection.
    pub(crate) fn peer_up(&self) -> Option<Peer> {
        self.link.lock().current.as_ref().map(|c| c.peer.clone())
    }

    pub(crate) fn connection(&self) -> Option<Connection> {
        self.link.lock().current.as_ref().map(|c| c.connection.clone())
    }

    pub(crate) fn vital(&self) -> Option<(Connection, Arc<Vital>)> {
        self.link.lock().current.as_ref().map(|c| (c.connection.clone(), c.vital.clone()))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Attached> {
        self.attached.subscribe()
    }

    /// The driver has taken frames up to `number` of a lane: the peer may drop them.
    pub(crate) fn note_received(&self, lane: usize, number: u64, bytes: usize) {
        let mut outgoing = self.outgoing.lock();
        let was_due = outgoing.acks.is_due();
        outgoing.acks.received[lane] = number;
        outgoing.acks.bytes += bytes;
        if !was_due || outgoing.acks.bytes >= ACK_BYTES {
            outgoing.wake();
        }
    }

    /// Gives the driver a sign that came by QUIC; an empty one only has QUIC acknowledge it.
    pub(crate) fn take_sign(&self, events: &dyn LinkEvents, sign: &[u8]) {
        // Held as for a frame with a number: the session may end at the same time.
        let lane = self.incoming.lane(0);
        if !lane.is_over() && !sign.is_empty() {
            events.control(self.peer, sign.to_vec());
        }
    }

    /// Ends the session: nothing more comes from it or goes into it. Gives what was never acknowledged.
    /// To be called where no lock of the driver or of the session is held.
    pub(crate) fn end(&self, close: &Close, events: &dyn LinkEvents) {
        let (undelivered, tickets) = self.outgoing.lock().end();
        if let Some(current) = self.link.lock().current.take() {
            close.apply(&current.connection);
        }
        self.attached.send_replace(Attached::Over);
        self.incoming.end();
        self.tell(events);
        tickets.into_iter().for_each(|ticket| events.drained(ticket));
        events.lost(self.peer, undelivered);
    }

    pub(crate) fn set_address(&self, address: &str) {
        self.link.lock().address = Some(address.to_owned());
    }

    /// The peer lets nobody in who dials it.
    pub(crate) fn set_only_dials(&self) {
        self.link.lock().only_dials = true;
    }

    /// How to reach the peer, if that is known and nobody is at it. The caller does and then calls [`Session::dialled`].
    pub(crate) fn begin_dialling(&self) -> Option<Way> {
        let mut link = self.link.lock();
        if link.dialling || link.kept_by > 0 || link.current.is_some() {
            return None;
        }
        let way = if link.only_dials {
            Way::Ask
        } else {
            Way::Dial(link.address.clone().or_else(|| link.seen_at.map(|at| at.to_string()))?)
        };
        link.dialling = true;
        Some(way)
    }

    pub(crate) fn is_kept(&self) {
        self.link.lock().kept_by += 1;
    }

    pub(crate) fn is_let_go(&self) {
        self.link.lock().kept_by -= 1;
    }

    pub(crate) fn dialled(&self) {
        self.link.lock().dialling = false;
    }

    /// Whether something waits for a connection.
    pub(crate) fn wants_connection(&self) -> bool {
        let outgoing = self.outgoing.lock();
        !outgoing.attached && !outgoing.is_over() && outgoing.has_undelivered()
    }
}
