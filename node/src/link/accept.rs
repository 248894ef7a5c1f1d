//! Those who dial this node: a handshake in time, then who they are decides.

use super::admit;
use super::door::Door;
use super::error::{CLOSE_DONE, Close, of_alert, tls_alert};
use super::gate::Place;
use super::limits::{ACCEPT_TIMEOUT, STRAY_CONNECTIONS_MAX};
use super::line::Line;
use super::refusals::Refusal;
use super::shared::Shared;
use crate::identity::NodeName;
use crate::identity::trust::{Credential, verified_client};
use quinn::{Connection, ConnectionError, Incoming};
use rustls::AlertDescription;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// The certificate that the peer showed in its handshake.
pub(crate) fn certificate_of(connection: &Connection) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().next()
}

/// Turns everybody away until the endpoint is closed, on a node that only dials.
pub(crate) async fn refuse_all(shared: Arc<Shared>) {
    while let Some(incoming) = shared.door.endpoint.accept().await {
        shared.refusals.note(incoming.remote_address(), Refusal::OutboundOnly, "this node only dials others");
        incoming.refuse();
    }
}

/// Accepts until the door is closed. For whom there is no room in the doorway, waits before it: whoever dials sends its
/// first flight again by itself, so a place in the line costs less than another try.
pub(crate) async fn run(shared: Arc<Shared>, door: Arc<Door>) {
    let mut line = Line::default();
    loop {
        tokio::select! {
            incoming = door.endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                let source = door.seen_at(incoming.remote_address());
                if let Some(incoming) = line.join(source.ip(), incoming, Instant::now()) {
                    shared.refusals.note(source, Refusal::TooManyHandshakes, "more handshakes at once than are allowed");
                    incoming.ignore();
                }
            }
            () = shared.gate.left(), if !line.is_empty() => {}
        }
        if too_many_strays(&shared, &door) {
            continue;
        }
        while let Some((incoming, place)) =
            line.next(Instant::now(), |source| shared.gate.enter(source), Incoming::ignore)
        {
            let runtime = shared.runtime_for(incoming.remote_address());
            runtime.spawn(receive(shared.clone(), door.clone(), incoming, place));
        }
    }
}

/// QUIC keeps a connection that its first datagram already closes, without a word, until it is idle for too long.
fn too_many_strays(shared: &Shared, door: &Door) -> bool {
    let accounted_for = door.vitals.count() + shared.gate.open();
    door.endpoint.open_connections() > accounted_for + STRAY_CONNECTIONS_MAX
}

async fn receive(shared: Arc<Shared>, door: Arc<Door>, incoming: Incoming, place: Place) {
    let source = door.seen_at(incoming.remote_address());
    let handshake = async { incoming.accept()?.await };
    let connection = match tokio::time::timeout(ACCEPT_TIMEOUT, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(e)) => return shared.refusals.note(source, refusal(&e), &e.to_string()),
        Err(_) => {
            return shared.refusals.note(source, Refusal::HandshakeTimeout, "a handshake that did not end in time");
        }
    };
    // The handshake verified this very certificate.
    let credential = certificate_of(&connection)
        .ok_or(rustls::Error::NoCertificatesPresented)
        .and_then(|leaf| verified_client(&shared.tokens, &leaf, UnixTime::now()));
    match credential {
        Ok(Credential::Node { role, .. }) if shared.is_misplaced(&door, &connection, role, &Handle::current()) => {
            Close::new(CLOSE_DONE, "dial again").apply(&connection);
        }
        Ok(Credential::Node { id, role }) => {
            admit::node(&shared, &door, connection, NodeName { id, role }, place).await;
        }
        Ok(Credential::Token { id, role }) => admit::bearer(&shared, &door, connection, id, role, place).await,
        // Another one used the token up between the two looks, say: the peer hears what the handshake would have said.
        Err(error) => {
            let reason = error.to_string();
            let alert = alert_of(error);
            shared.refusals.note(source, refusal_of_alert(Some(alert)), &reason);
            of_alert(alert).apply(&connection);
        }
    }
}

fn refusal(error: &ConnectionError) -> Refusal {
    match error {
        ConnectionError::TimedOut => Refusal::HandshakeTimeout,
        ConnectionError::TransportError(e) => refusal_of_alert(tls_alert(u64::from(e.code))),
        _ => Refusal::HandshakeFailed,
    }
}

/// The alert that the handshake would have sent for this.
fn alert_of(error: rustls::Error) -> u8 {
    let alert = match error {
        rustls::Error::InvalidCertificate(error) => AlertDescription::from(error),
        _ => AlertDescription::BadCertificate,
    };
    alert.into()
}

fn refusal_of_alert(alert: Option<u8>) -> Refusal {
    match alert {
        Some(42 | 43 | 46 | 48 | 116) => Refusal::UnknownCertificate,
        Some(44) => Refusal::TokenUsedUp,
        Some(45) => Refusal::Expired,
        _ => Refusal::HandshakeFailed,
    }
}
