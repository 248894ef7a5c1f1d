//! One connection between two nodes, from its greeting to its end.

use super::door::Door;
use super::endpoint::allow_all_streams;
use super::error::{CLOSE_DONE, Close};
use super::greeting::{Hello, receive_hello, receive_resume, send_hello, send_resume};
use super::limits::{ACCEPT_TIMEOUT, BI_STREAMS_OF_A_QUIET_PEER};
use super::reader::{ReaderEnd, read_acks, read_lane};
use super::refusals::Refusal;
use super::session::{NotAttached, Session};
use super::shared::Shared;
use super::vitals::{Vital, Watch};
use super::writer::Writer;
use super::{Caller, Peer, dial};
use crate::purpose::RELAY;
use odeon::NodeId;
use odeon_convention::codes;
use odeon_convention::types::Role;
use quinn::{Connection, RecvStream, SendStream};
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A connection that carries a session.
pub(crate) struct Carrier {
    pub(crate) session: Arc<Session>,
    generation: u64,
    dialled_here: bool,
    connection: Connection,
    peer: Peer,
    watch: Watch,
    greeting: SendStream,
    acks: RecvStream,
}

/// Why a peer was not greeted, and which side found it.
pub(crate) struct NotGreeted {
    pub(crate) close: Close,
    pub(crate) by_peer: bool,
}

/// Greets a peer whose certificate was verified. On refusal the connection is closed, and it is counted.
pub(crate) async fn greet(
    shared: &Arc<Shared>,
    door: &Door,
    connection: Connection,
    id: NodeId,
    role: Role,
    dialled_here: bool,
) -> Result<Carrier, NotGreeted> {
    let greeting = greet_now(shared, door, &connection, id, role, dialled_here);
    let greeted = tokio::time::timeout(ACCEPT_TIMEOUT, greeting).await;
    let close = match greeted {
        Ok(Ok(carrier)) => return Ok(carrier),
        Ok(Err(close)) => close,
        Err(_) => Close::new(codes::TIMED_OUT, "the greeting did not come in time"),
    };
    // When the peer closed first, its reason is the one that explains.
    let told = connection.close_reason().and_then(|e| super::error::closed_by_peer(&e));
    let by_peer = told.is_some();
    let close = told.unwrap_or(close);
    let refusal = match close.code {
        codes::PROTOCOL_VERSION => Some(Refusal::Version),
        codes::IDENTITY => Some(Refusal::Identity),
        codes::SUPERSEDED => Some(Refusal::Superseded),
        codes::BAD_REQUEST => Some(Refusal::Violation),
        codes::TIMED_OUT => Some(Refusal::HandshakeTimeout),
        _ => None,
    };
    if let Some(refusal) = refusal {
        shared.refusals.note(door.seen_at(connection.remote_address()), refusal, &close.reason);
    }
    close.apply(&connection);
    Err(NotGreeted { close, by_peer })
}

async fn greet_now(
    shared: &Arc<Shared>,
    door: &Door,
    connection: &Connection,
    id: NodeId,
    role: Role,
    dialled_here: bool,
) -> Result<Carrier, Close> {
    let gone = |e: quinn::ConnectionError| Close::new(codes::NODE_UNREACHABLE, e.to_string());
    if id == shared.me().id {
        return Err(Close::new(codes::IDENTITY, format!("the peer has this node's own key, that of {id}")));
    }
    let mut greeting = connection.open_uni().await.map_err(gone)?;
    send_hello(&mut greeting, &shared.hello()).await?;
    let mut acks = connection.accept_uni().await.map_err(gone)?;
    let Hello { node, name, outbound_only } = receive_hello(&mut acks, shared.me().id, id).await?;
    if node.id != id {
        return Err(Close::new(codes::IDENTITY, format!("the peer says it is {}, its certificate says {id}", node.id)));
    }
    let earlier = shared.table.write().meet(node)?;
    for session in earlier {
        session.end(&Close::new(codes::SUPERSEDED, "a later start of this node is here"), &*shared.events);
    }
    let session = shared.session(node).map_err(|e| Close::new(e.code(), e.to_string()))?;
    if outbound_only {
        shared.meet_one_that_only_dials(&session);
    }
    send_resume(&mut greeting, &session.resume()).await?;
    let resume = receive_resume(&mut acks).await?;
    let peer = Peer { node, role, name, address: door.seen_at(connection.remote_address()), transport: door.transport };
    let vital = Vital::new(&door.vitals, shared, &session, connection, dialled_here)
        .ok_or_else(|| Close::new(codes::INTERNAL, "TLS gives no secret for signs of life"))?;
    let dialled_by_lower = dialled_here == (shared.me().id < id);
    match session.attach(connection, &vital, &peer, &resume, dialled_here, dialled_by_lower) {
        Ok((generation, tickets)) => {
            session.tell(&*shared.events);
            tickets.into_iter().for_each(|ticket| shared.events.drained(ticket));
            let connection = connection.clone();
            let watch = door.vitals.watch(&vital);
            Ok(Carrier { session, generation, dialled_here, connection, peer, watch, greeting, acks })
        }
        Err(NotAttached::Connection(close)) => Err(close),
        Err(NotAttached::Session(close)) => {
            if shared.table.write().remove_exactly(&session) {
                session.end(&close, &*shared.events);
            }
            Err(close)
        }
    }
}

impl Carrier {
    /// Carries the session until the connection is gone.
    pub(crate) async fn run(self, shared: Arc<Shared>) {
        let Self { session, generation, dialled_here, connection, peer, watch, greeting, mut acks } = self;
        let _ = greeting.set_priority(1);
        let mut readers = JoinSet::new();
        let mut streams = 0;
        if peer.role == Role::Leader {
            allow_all_streams(&connection);
            if let Some(relayed) = &shared.relayed {
                shared.runtime.spawn(relayed.tunnel.clone().lead_through(connection.clone(), session.peer.id));
            }
        }
        let close = {
            let mut writer = pin!(Writer::new(session.clone(), generation, connection.clone(), greeting).run());
            let mut acks = pin!(read_acks(&session, generation, &shared, &mut acks));
            loop {
                tokio::select! {
                    reason = &mut writer => break Close::new(CLOSE_DONE, reason),
                    end = &mut acks => match end {
                        ReaderEnd::Gone => break Close::new(CLOSE_DONE, "the connection is gone"),
                        ReaderEnd::Violation(close) => break close,
                    },
                    Some(end) = readers.join_next() => if let Ok(ReaderEnd::Violation(close)) = end {
                        break close;
                    },
                    sign = connection.read_datagram() => match sign {
                        Ok(sign) => session.take_sign(&*shared.events, &sign),
                        Err(e) => break Close::new(CLOSE_DONE, e.to_string()),
                    },
                    lane = connection.accept_uni() => match lane {
                        Ok(lane) => {
                            let (session, shared) = (session.clone(), shared.clone());
                            readers.spawn(async move { read_lane(&session, &*shared.events, lane).await });
                        }
                        Err(e) => break Close::new(CLOSE_DONE, e.to_string()),
                    },
                    stream = connection.accept_bi() => match stream {
                        Ok((send, receive)) => {
                            streams += 1;
                            if streams == BI_STREAMS_OF_A_QUIET_PEER {
                                allow_all_streams(&connection);
                            }
                            let served = serve(shared.clone(), peer.clone(), send, receive);
                            match peer.role {
                                // Not behind what members want.
                                Role::Leader => tokio::spawn(served),
                                // Nor the links behind that.
                                Role::Member | Role::Operator => shared.runtime.spawn(served),
                            };
                        }
                        Err(e) => break Close::new(CLOSE_DONE, e.to_string()),
                    },
                }
            }
        };
        // A peer that closes in good order may end its streams first: that is no violation.
        if close.code == codes::BAD_REQUEST && connection.close_reason().is_none() {
            shared.refusals.note(peer.address, Refusal::Violation, &close.reason);
        }
        close.apply(&connection);
        drop(watch);
        while readers.join_next().await.is_some() {}
        session.detach(generation);
        session.tell(&*shared.events);
        // The side that dialled tries again even if it has nothing to say: the other may not be able to dial.
        if dialled_here || session.wants_connection() {
            dial::ensure(&shared, &session);
        }
    }
}

/// Hands a stream that a node opened to the driver. How many wait here is bounded by what a peer may open.
async fn serve(shared: Arc<Shared>, peer: Peer, send: SendStream, mut receive: RecvStream) {
    match (purpose(&mut receive).await, &shared.switch) {
        (Some(RELAY), Some(switch)) => switch.serve(peer.node.id, send, receive).await,
        (Some(purpose), _) => shared.events.stream(Caller::Node(peer), purpose, send, receive),
        (None, _) => {}
    }
}

/// What a stream is for: its first byte, if it comes in time.
pub(crate) async fn purpose(receive: &mut RecvStream) -> Option<u8> {
    let mut purpose = [0];
    let read = tokio::time::timeout(ACCEPT_TIMEOUT, receive.read_exact(&mut purpose)).await;
    matches!(read, Ok(Ok(()))).then_some(purpose[0])
}
