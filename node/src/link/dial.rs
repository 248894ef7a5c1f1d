//! Dialling: once, while a session has something to deliver, or for as long as a link is to be kept.

use super::accept::certificate_of;
use super::backoff::{Backoff, jittered};
use super::connect::{self, NotConnected};
use super::connection::{NotGreeted, greet};
use super::door::{Door, Transport};
use super::endpoint::node_client;
use super::error::{CLOSE_DONE, Close, LinkError, closed_by_peer, tls_alert};
use super::limits::{BACKOFF_MIN, DIAL_TIMEOUT, IDLE_DIAL_TRIES, LINE_TIMEOUT, NEXT_ADDRESS_AFTER};
use super::resolve::resolve;
use super::session::{Attached, Session, Way};
use super::shared::Shared;
use crate::identity::NodeName;
use crate::identity::trust::verified_node;
use odeon::NodeId;
use odeon_convention::codes;
use quinn::{Connection, ConnectionError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

/// A connection that lived this long was no failure.
const LIVED: Duration = Duration::from_secs(1);

/// A link that is kept until this is dropped.
#[derive(Debug)]
#[must_use = "the link is kept only as long as this lives"]
pub struct Keep(AbortHandle);

impl Keep {
    /// With a connection on which the peer let this node in, or without.
    pub(crate) fn start(
        shared: Arc<Shared>,
        address: String,
        expect: Option<NodeId>,
        first: Option<Connection>,
    ) -> Self {
        let runtime = shared.runtime.clone();
        Self(runtime.spawn(keep(shared, address, expect, first)).abort_handle())
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(shared: Arc<Shared>, address: String, expect: Option<NodeId>, mut first: Option<Connection>) {
    let mut backoff = Backoff::new();
    let mut id = expect;
    let mut patience = DIAL_TIMEOUT;
    let mut kept: Option<Kept> = None;
    loop {
        if let Some(session) = id.and_then(|id| shared.table.read().connected(id)) {
            if kept.as_ref().is_none_or(|kept| !Arc::ptr_eq(&kept.session, &session)) {
                kept = Some(Kept::new(&shared, &session));
            }
            let since = Instant::now();
            let connection = session.connection();
            // An error is the end of the session, which is the end of the connection too.
            let _ = session.watch().wait_for(|attached| *attached != Attached::Yes).await;
            if since.elapsed() >= LIVED {
                backoff.reset();
            }
            patience = if connection.is_some_and(|lost| was_forgotten(&lost)) { LINE_TIMEOUT } else { DIAL_TIMEOUT };
            tokio::time::sleep(jittered(BACKOFF_MIN, 1.0)).await;
            continue;
        }
        let linked = match first.take() {
            Some(connection) => stay(&shared, connection, &address, expect).await,
            None => dial(&shared, &address, expect, std::mem::replace(&mut patience, DIAL_TIMEOUT)).await,
        };
        match linked {
            Ok(session) => {
                id = Some(session.peer.id);
                kept = Some(Kept::new(&shared, &session));
            }
            Err(LinkError::ShutDown) => return,
            Err(e) => {
                shared.events.unreachable(&address, &e);
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

/// Has nobody else dial the peer of a session, for as long as it lives.
struct Kept {
    shared: Arc<Shared>,
    session: Arc<Session>,
}

impl Kept {
    fn new(shared: &Arc<Shared>, session: &Arc<Session>) -> Self {
        session.is_kept();
        Self { shared: shared.clone(), session: session.clone() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.session.is_let_go();
        if self.session.wants_connection() {
            ensure(&self.shared, &self.session);
        }
    }
}

/// Whether the peer was started again, and said so a moment ago: it is there, and only has to come to this node among all
/// the others that it has forgotten.
fn was_forgotten(connection: &Connection) -> bool {
    connection.close_reason() == Some(ConnectionError::Reset)
}

/// Dials the peer of a session, if it may be dialled and nobody is at it.
pub(crate) fn ensure(shared: &Arc<Shared>, session: &Arc<Session>) {
    if let Some(way) = session.begin_dialling() {
        shared.runtime.spawn(pursue(shared.clone(), session.clone(), way));
    }
}

async fn pursue(shared: Arc<Shared>, session: Arc<Session>, mut way: Way) {
    loop {
        let tried = try_until_attached(&shared, &session, &way).await;
        session.dialled();
        if tried.is_err() {
            return;
        }
        // It may have been attached, lost and in want again while it still counted as being dialled.
        match session.wants_connection().then(|| session.begin_dialling()).flatten() {
            Some(again) => way = again,
            None => return,
        }
    }
}

/// The links of this node are shut down: nothing is dialled any more.
struct ShutDown;

async fn try_until_attached(shared: &Arc<Shared>, session: &Arc<Session>, way: &Way) -> Result<(), ShutDown> {
    let mut backoff = Backoff::new();
    let mut tries = 0;
    while *session.watch().borrow() == Attached::No {
        if tries >= IDLE_DIAL_TRIES && !session.wants_connection() {
            break;
        }
        tries += 1;
        let Way::Dial(address) = way else {
            // It was asked already, or has lost the connection and dials by itself.
            let mut attached = session.watch();
            let dials = attached.wait_for(|attached| *attached != Attached::No);
            if tokio::time::timeout(backoff.next(), dials).await.is_err() {
                if shared.table.read().is_shut_down() {
                    return Err(ShutDown);
                }
                shared.events.wanted(session.peer);
            }
            continue;
        };
        match dial(shared, address, Some(session.peer.id), DIAL_TIMEOUT).await {
            Ok(_) => break,
            Err(LinkError::ShutDown) => return Err(ShutDown),
            Err(e) => {
                tracing::debug!(node = %session.peer, address, error = %e, "cannot reach a node");
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
    Ok(())
}

/// Dials once at every address, each for this long. Gives the session that the connection carries.
async fn dial(
    shared: &Arc<Shared>,
    address: &str,
    expect: Option<NodeId>,
    within: Duration,
) -> Result<Arc<Session>, LinkError> {
    loop {
        let Dialled { door, connection, runtime } = connect(shared, address, expect, within).await?;
        let name = peer_of(&connection, address)?;
        if !shared.is_misplaced(&door, &connection, name.role, &runtime) {
            return meet(shared, &door, connection, name, &runtime).await;
        }
        Close::new(CLOSE_DONE, "dials again").apply(&connection);
    }
}

fn peer_of(connection: &Connection, address: &str) -> Result<NodeName, LinkError> {
    let leaf = certificate_of(connection).ok_or_else(|| unreachable(address, "it showed no certificate"))?;
    // The handshake verified this very certificate.
    verified_node(&leaf).map_err(|e| unreachable(address, e))
}

/// Goes on with a connection of the bearer of a token, on which the peer let this node in.
async fn stay(
    shared: &Arc<Shared>,
    connection: Connection,
    address: &str,
    expect: Option<NodeId>,
) -> Result<Arc<Session>, LinkError> {
    let name = peer_of(&connection, address)?;
    if expect.is_some_and(|expect| expect != name.id) {
        let reason = format!("{} let this node in, and not the first of the leaders that it named", name.id);
        Close::new(codes::IDENTITY, reason.clone()).apply(&connection);
        return Err(LinkError::Refused { code: codes::IDENTITY, reason });
    }
    shared.habits.connected(connection.remote_address(), Transport::Quic);
    meet(shared, &shared.door, connection, name, shared.socket_runtime()).await
}

/// A connection that was dialled, by which door, and where QUIC runs it.
struct Dialled {
    door: Arc<Door>,
    connection: Connection,
    runtime: Handle,
}

/// Greets whoever is at the other end of a connection that was dialled here, and runs it.
async fn meet(
    shared: &Arc<Shared>,
    door: &Door,
    connection: Connection,
    name: NodeName,
    runtime: &Handle,
) -> Result<Arc<Session>, LinkError> {
    let carrier = greet(shared, door, connection, name.id, name.role, true).await.map_err(|not| match not {
        // Who is over is the one that was told so, which can be the peer as well.
        NotGreeted { close, by_peer: true } if close.code == codes::SUPERSEDED => LinkError::Superseded(shared.me()),
        NotGreeted { close, .. } => LinkError::Refused { code: close.code, reason: close.reason },
    })?;
    let session = carrier.session.clone();
    runtime.spawn(carrier.run(shared.clone()));
    Ok(session)
}

fn unreachable(address: &str, reason: impl ToString) -> LinkError {
    LinkError::Unreachable { address: address.to_owned(), reason: reason.to_string() }
}

/// The first connection that is to be had at any of the addresses. Each has a moment for itself, in their order, before
/// the next is tried beside it (as in RFC 8305).
async fn connect(
    shared: &Arc<Shared>,
    address: &str,
    expect: Option<NodeId>,
    within: Duration,
) -> Result<Dialled, LinkError> {
    let local = shared.door.endpoint.local_addr().map_err(|_| LinkError::ShutDown)?;
    let mut last = unreachable(address, format!("it has no address of the kind of {local}"));
    let can_be_dialled = |at: &SocketAddr| at.is_ipv4() == local.is_ipv4() || shared.relayed_to(*at, expect).is_some();
    let resolved = resolve(address).await.map_err(|reason| unreachable(address, reason))?;
    let mut remotes = resolved.into_iter().filter(can_be_dialled);
    let mut trying = JoinSet::new();
    loop {
        let next = remotes.next();
        let alone_for = if next.is_some() { NEXT_ADDRESS_AFTER } else { within };
        if let Some(remote) = next {
            let connect = connect_at(shared.clone(), address.to_owned(), remote, expect, within);
            trying.spawn_on(connect, shared.runtime_for(remote));
        }
        match tokio::time::timeout(alone_for, trying.join_next()).await {
            Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
            Ok(Some(Ok(Err(LinkError::ShutDown)))) => return Err(LinkError::ShutDown),
            Ok(Some(Ok(Err(error)))) => last = error,
            // None of them panics, and none is cancelled while this waits for it.
            Ok(Some(Err(error))) => last = unreachable(address, error),
            Ok(None) => return Err(last),
            Err(_) => {}
        }
    }
}

async fn connect_at(
    shared: Arc<Shared>,
    address: String,
    remote: SocketAddr,
    expect: Option<NodeId>,
    within: Duration,
) -> Result<Dialled, LinkError> {
    let client = node_client(&shared.identity, expect)?;
    let within = jittered(within, 0.25);
    let tcp = shared.tcp.as_deref();
    let connected = match (shared.relayed_to(remote, expect), tcp) {
        (Some(relayed), _) => {
            let endpoint = &relayed.door.endpoint;
            let connected = connect::handshake(endpoint, &client, Transport::Relay, remote, within).await;
            connected.map(|connection| (relayed.door.clone(), connection))
        }
        (None, Some(tcp)) if shared.tcp_only => {
            let connected = connect::through_tcp(tcp, &client, remote).await;
            connected.map(|connection| (tcp.door.clone(), connection))
        }
        (None, tcp) => {
            let beside = tcp.map(|tcp| (tcp, &shared.habits));
            let connected = connect::connect(&shared.door.endpoint, beside, &client, remote, within).await;
            connected.map(|(connection, over)| {
                let tcp = tcp.filter(|_| over == Transport::Tcp);
                (tcp.map_or_else(|| shared.door.clone(), |tcp| tcp.door.clone()), connection)
            })
        }
    };
    let dialled = connected.map(|(door, connection)| Dialled { door, connection, runtime: Handle::current() });
    dialled.map_err(|not| match not {
        NotConnected::ShutDown => LinkError::ShutDown,
        NotConnected::Failed(e) => failed(&e).unwrap_or_else(|| unreachable(&address, e)),
        NotConnected::Unreachable(reason) => unreachable(&address, reason),
    })
}

/// What a failed handshake says about who is there.
fn failed(error: &ConnectionError) -> Option<LinkError> {
    match error {
        ConnectionError::TransportError(e) => {
            let reason = format!("it is not the node that is meant: {}", e.reason);
            tls_alert(u64::from(e.code)).map(|_| LinkError::Refused { code: codes::IDENTITY, reason })
        }
        e => {
            let close = closed_by_peer(e)?;
            Some(LinkError::Refused {
                code: codes::IDENTITY,
                reason: format!("it does not let this node in: {}", close.reason),
            })
        }
    }
}
