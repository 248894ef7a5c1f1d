//! Invitations: a node without a convention waits, a leader dials it and hands it a token to join with.
//!
//! Both sides show in the handshake that they know the code of the invitation; nothing is said before. What is handed
//! over is an ordinary token of one use, so how a node becomes a member stays in one place.

use super::backoff::Backoff;
use super::door::Transport;
use super::endpoint::{SERVER_NAME, client, dialler, let_go_of_socket, transport};
use super::error::{CLOSE_DONE, Close, LinkError, closed_by_peer, tls_alert};
use super::limits::{ACCEPT_TIMEOUT, DIAL_TIMEOUT};
use super::resolve::resolve;
use crate::identity::trust::{Expect, InviterVerifier, provider};
use crate::identity::{IdentityError, InviteCode, TOKEN_TEXT_BYTES_MAX, Token};
use odeon_convention::codes;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig, Incoming, TokioRuntime};
use rustls::version::TLS13;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Those who dial a waiting node at the same time.
const VISITORS_MAX: usize = 64;
/// What a node answers that has taken a token.
const TAKEN: &[u8] = b"taken";

/// Why an invitation did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InviteError {
    #[error("nobody waits for an invitation at {address}: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("whoever is at {address} does not wait for an invitation with this code")]
    WrongCode { address: String },
    #[error("the node at {address} did not take the token: {reason}")]
    NotTaken { address: String, reason: String },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl InviteError {
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Unreachable { .. } | Self::NotTaken { .. } => codes::NODE_UNREACHABLE,
            Self::WrongCode { .. } => codes::INVITE_REFUSED,
            Self::Identity(error) => error.code(),
            Self::Link(error) => error.code(),
        }
    }
}

/// Waits where it listens until somebody who knows the code hands over a token. `ready` is told where that is.
pub(crate) async fn wait(
    listen: SocketAddr,
    code: &InviteCode,
    ready: impl FnOnce(SocketAddr),
) -> Result<Token, InviteError> {
    let failed = |e: std::io::Error| LinkError::Listen { address: listen, reason: e.to_string() };
    let socket = UdpSocket::bind(listen).map_err(failed)?;
    let config = EndpointConfig::default();
    let endpoint = Endpoint::new(config, Some(server(code)?), socket, Arc::new(TokioRuntime)).map_err(failed)?;
    ready(endpoint.local_addr().map_err(failed)?);
    let mut visitors = JoinSet::new();
    let token = loop {
        tokio::select! {
            Some(incoming) = endpoint.accept(), if visitors.len() < VISITORS_MAX => {
                visitors.spawn(receive(incoming));
            }
            Some(visited) = visitors.join_next() => match visited {
                Ok(Ok(token)) => break token,
                Ok(Err(reason)) => tracing::warn!(reason, "turned somebody away who brought no invitation"),
                Err(error) => tracing::warn!(%error, "a visitor was lost"),
            }
        }
    };
    endpoint.close(u32::from(CLOSE_DONE).into(), b"invited");
    // Whoever else is there hears it or does not: the port is wanted.
    let _ = tokio::time::timeout(ACCEPT_TIMEOUT, endpoint.wait_idle()).await;
    let_go_of_socket(&endpoint);
    Ok(token)
}

async fn receive(incoming: Incoming) -> Result<Token, String> {
    let source = incoming.remote_address();
    let taken = async {
        let connection = incoming.accept().map_err(|e| e.to_string())?.await.map_err(|e| e.to_string())?;
        let (mut send, mut receive) = connection.accept_bi().await.map_err(|e| e.to_string())?;
        let bytes = receive.read_to_end(TOKEN_TEXT_BYTES_MAX).await.map_err(|e| e.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "the token is not text".to_owned())?;
        let token = text.parse::<Token>().map_err(|e| e.to_string())?;
        send.write_all(TAKEN).await.map_err(|e| e.to_string())?;
        send.finish().map_err(|e| e.to_string())?;
        connection.closed().await;
        Ok(token)
    };
    let in_time = tokio::time::timeout(ACCEPT_TIMEOUT, taken).await;
    in_time
        .unwrap_or_else(|_| Err("it did not come to an end in time".into()))
        .map_err(|e: String| format!("{source}: {e}"))
}

fn server(code: &InviteCode) -> Result<quinn::ServerConfig, InviteError> {
    let tls = |e: &dyn std::fmt::Display| LinkError::Tls(e.to_string());
    let (own, other) = (code.waiting_key()?, code.inviting_key()?);
    let verifier = InviterVerifier { key: other.id(), provider: provider() };
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| tls(&e))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![own.certificate()?], own.private_key())
        .map_err(|e| tls(&e))?;
    config.alpn_protocols = vec![super::endpoint::ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(config).map_err(|e| tls(&e))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport(true, false, Transport::Quic));
    Ok(config)
}

/// A node that waits for this invitation.
pub(crate) struct Waiting {
    /// The connection is over when this is dropped.
    endpoint: Endpoint,
    connection: Connection,
    address: String,
}

/// Dials a node that waits, again and again until the time is over: it may not be up yet.
pub(crate) async fn dial(address: &str, code: &InviteCode, until: Instant) -> Result<Waiting, InviteError> {
    let mut backoff = Backoff::new();
    loop {
        let reason = match dial_once(address, code).await {
            Err(InviteError::Unreachable { reason, .. }) => reason,
            ended => return ended,
        };
        if Instant::now() >= until {
            return Err(InviteError::Unreachable { address: address.to_owned(), reason });
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn dial_once(address: &str, code: &InviteCode) -> Result<Waiting, InviteError> {
    let unreachable = |reason: String| InviteError::Unreachable { address: address.to_owned(), reason };
    let mut last = unreachable("it has no address".into());
    let (own, other) = (code.inviting_key()?, code.waiting_key()?);
    for remote in resolve(address).await.map_err(unreachable)? {
        let endpoint = dialler(remote)?;
        let config = client(Expect::Key(other.id()), vec![own.certificate()?], own.private_key(), false)?
            .quic(Transport::Quic)?;
        let connecting = endpoint.connect_with(config, remote, SERVER_NAME).map_err(|e| unreachable(e.to_string()))?;
        match tokio::time::timeout(DIAL_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => return Ok(Waiting { endpoint, connection, address: address.to_owned() }),
            Ok(Err(error)) if is_refusal(&error) => return Err(InviteError::WrongCode { address: address.to_owned() }),
            Ok(Err(error)) => last = unreachable(error.to_string()),
            Err(_) => last = unreachable(format!("no answer from {remote} in time")),
        }
    }
    Err(last)
}

/// Whether one of the two sides did not accept the other's key.
fn is_refusal(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::TransportError(error) => tls_alert(u64::from(error.code)).is_some(),
        ConnectionError::ConnectionClosed(_) => closed_by_peer(error).is_some(),
        _ => false,
    }
}

impl Waiting {
    /// Hands it a token. It is taken once this returns.
    pub(crate) async fn invite(self, token: &str) -> Result<(), InviteError> {
        let address = || self.address.clone();
        let handed = async {
            let (mut send, mut receive) = self.connection.open_bi().await.map_err(|e| e.to_string())?;
            send.write_all(token.as_bytes()).await.map_err(|e| e.to_string())?;
            send.finish().map_err(|e| e.to_string())?;
            receive.read_to_end(TAKEN.len()).await.map_err(|e| e.to_string())
        };
        let outcome = match tokio::time::timeout(ACCEPT_TIMEOUT, handed).await {
            Ok(Ok(answer)) if answer == TAKEN => Ok(()),
            Ok(Ok(_)) => Err("its answer cannot be understood".to_owned()),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err("no answer in time".to_owned()),
        };
        // The node's side of a handshake may end after this one's.
        let refused = outcome.is_err() && self.connection.close_reason().is_some_and(|error| is_refusal(&error));
        Close::new(CLOSE_DONE, "invited").apply(&self.connection);
        self.endpoint.wait_idle().await;
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if refused => Err(InviteError::WrongCode { address: address() }),
            Err(reason) => Err(InviteError::NotTaken { address: address(), reason }),
        }
    }
}
