//! A connection that a token authenticates: a joiner's, or an operator's.

use super::connect::{self, Habits, NotConnected};
use super::door::Transport;
use super::endpoint::{dialler, token_client};
use super::error::{CLOSE_DONE, Close, closed_by_peer};
use super::limits::{DIAL_TIMEOUT, JOIN_TIMEOUT};
use super::resolve::resolve;
use super::sockets::Sockets;
use super::tcp::Tcp;
use crate::identity::{IdentityError, JoinError, Token, TokenKey};
use odeon_convention::codes;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use std::net::SocketAddr;

/// A connection to a leader that a token authenticates. Dropping it closes it.
#[derive(Debug)]
pub struct TokenLink {
    /// Its own sockets; none where it goes through others.
    own: Option<Own>,
    connection: Connection,
    address: String,
}

/// What the bearer of a token dials through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Through<'a> {
    /// A socket that others use as well.
    Shared(&'a Endpoint),
    /// The sockets of the node that joins; where UDP gets no answer, TCP of its own.
    Node(&'a Sockets),
    /// Sockets of its own: UDP, and TCP where that gets no answer.
    Own,
    /// TCP of its own.
    OwnTcp,
}

/// What a connection goes through that nothing else does.
#[derive(Debug)]
enum Own {
    Udp(Endpoint),
    Tcp(Tcp),
}

impl TokenLink {
    /// Dials the leaders of the token, one after the other: one of them may not know the token yet, or any more.
    pub(crate) async fn connect(token: &Token, through: Through<'_>) -> Result<Self, JoinError> {
        let key = TokenKey::from_secret(&token.secret)?;
        let (mut reasons, mut refused) = (Vec::new(), None);
        for address in &token.addresses {
            let remotes = match resolve(address).await {
                Ok(remotes) => remotes,
                Err(reason) => {
                    reasons.push(reason);
                    continue;
                }
            };
            for remote in remotes {
                match Self::dial(token, &key, address, remote, through).await {
                    Ok(link) => return Ok(link),
                    Err(JoinError::Unreachable { reason, .. }) => reasons.push(reason),
                    Err(e) => refused = Some(e),
                }
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        Err(JoinError::Unreachable { addresses: token.addresses.join(", "), reason: reasons.join("; ") })
    }

    async fn dial(
        token: &Token,
        key: &TokenKey,
        address: &str,
        remote: SocketAddr,
        through: Through<'_>,
    ) -> Result<Self, JoinError> {
        let unreachable = |reason: String| JoinError::Unreachable { addresses: address.to_owned(), reason };
        let tls = |e: super::LinkError| IdentityError::Certificate(e.to_string());
        let other = |e: super::LinkError| unreachable(e.to_string());
        let stays = matches!(through, Through::Shared(_) | Through::Node(_));
        let client = token_client(token.ca_digest, key.certificate()?, key.private_key(), stays).map_err(tls)?;
        let connected = match through {
            Through::Shared(udp) => {
                let connection = connect::handshake(udp, &client, Transport::Quic, remote, JOIN_TIMEOUT).await;
                connection.map(|connection| (connection, None))
            }
            Through::OwnTcp => {
                let tcp = Tcp::dialling().map_err(other)?;
                let connection = connect::through_tcp(&tcp, &client, remote).await;
                connection.map(|connection| (connection, Some(Own::Tcp(tcp))))
            }
            Through::Node(Sockets { endpoint, .. }) => {
                let tcp = Tcp::dialling().map_err(other)?;
                let beside = Some((&tcp, &Habits::default()));
                let connected = connect::connect(endpoint, beside, &client, remote, JOIN_TIMEOUT).await;
                connected.map(|(connection, over)| (connection, (over == Transport::Tcp).then_some(Own::Tcp(tcp))))
            }
            Through::Own => {
                let (udp, tcp) = (dialler(remote).map_err(other)?, Tcp::dialling().map_err(other)?);
                let beside = Some((&tcp, &Habits::default()));
                let connected = connect::connect(&udp, beside, &client, remote, DIAL_TIMEOUT).await;
                connected.map(|(connection, over)| match over {
                    Transport::Tcp => (connection, Some(Own::Tcp(tcp))),
                    Transport::Quic | Transport::Relay => (connection, Some(Own::Udp(udp))),
                })
            }
        };
        match connected {
            Ok((connection, own)) => Ok(Self { own, connection, address: address.to_owned() }),
            Err(NotConnected::Failed(e)) => Err(failure(address, &e).unwrap_or_else(|| unreachable(e.to_string()))),
            Err(NotConnected::Unreachable(reason)) => Err(unreachable(reason)),
            Err(NotConnected::ShutDown) => Err(unreachable("the socket is closed".to_owned())),
        }
    }

    /// What the loss of this connection means; `otherwise` when it is not lost.
    pub(crate) fn failure(&self, otherwise: String) -> JoinError {
        let unreachable = |reason: String| JoinError::Unreachable { addresses: self.address.clone(), reason };
        match self.connection.close_reason() {
            Some(e) => failure(&self.address, &e).unwrap_or_else(|| unreachable(e.to_string())),
            None => unreachable(otherwise),
        }
    }

    /// Whether the connection can go on when the work is done: it goes through sockets that are there for longer.
    pub(crate) fn can_stay(&self) -> bool {
        self.own.is_none()
    }

    /// The connection itself.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Opens a stream for this purpose.
    ///
    /// # Errors
    /// When the leader refused the token after all, or is gone.
    pub async fn open(&self, purpose: u8) -> Result<(SendStream, RecvStream), JoinError> {
        let (mut send, receive) = self.connection.open_bi().await.map_err(|e| self.failure(e.to_string()))?;
        send.write_all(&[purpose]).await.map_err(|e| self.failure(e.to_string()))?;
        Ok((send, receive))
    }

    /// Why the connection is lost, once a stream of it failed.
    pub fn why_lost(&self) -> JoinError {
        self.failure("the stream ended early".into())
    }

    /// Says that the work is done, and waits until the leader has heard it or can no longer be waited for. A shared
    /// socket lives on and tells it by itself.
    pub async fn close(&self) {
        Close::new(CLOSE_DONE, "done").apply(&self.connection);
        if let Some(own) = &self.own {
            let endpoint = match own {
                Own::Udp(endpoint) => endpoint,
                Own::Tcp(tcp) => &tcp.door.endpoint,
            };
            endpoint.wait_idle().await;
        }
    }
}

/// What a lost connection says about the token or the peer, when it says something.
fn failure(address: &str, error: &ConnectionError) -> Option<JoinError> {
    if let ConnectionError::TransportError(e) = error {
        let reason = match super::error::tls_alert(u64::from(e.code))? {
            43 => "it is a node that does not lead".to_owned(),
            48 => "it belongs to another convention".to_owned(),
            _ => e.reason.clone(),
        };
        return Some(JoinError::NotTheLeader { address: address.to_owned(), reason });
    }
    match closed_by_peer(error)? {
        Close { code: CLOSE_DONE, reason } => {
            Some(JoinError::Unreachable { addresses: address.to_owned(), reason: format!("closed: {reason}") })
        }
        Close { code, reason } if codes::ALL.iter().any(|(known, _)| *known == code) => {
            Some(JoinError::Refused { code, reason })
        }
        Close { reason, .. } => Some(JoinError::Answer(reason)),
    }
}

/// Connects as an operator, to the leaders that the token names or to another `host:port`. The leader counts the
/// use of the token before it serves the first stream. A token that is unknown, expired or used up may be told
/// only by the first stream, which then fails: see [`TokenLink::why_lost`].
///
/// # Errors
/// When no leader of the token's convention answers, or the token is refused.
pub async fn connect_operator(address: Option<&str>, token: &Token) -> Result<TokenLink, JoinError> {
    match address {
        Some(address) => {
            TokenLink::connect(&Token { addresses: vec![address.to_owned()], ..token.clone() }, Through::Own).await
        }
        None => TokenLink::connect(token, Through::Own).await,
    }
}
