//! The joiner's side: from a token to an identity.

use super::ca::Ca;
use super::folder::{Leaders, Stored};
use super::join_wire::{self, Admitted, CaKey, JOIN_PURPOSE, JoinReply, JoinRequest};
use super::keys::NodeKey;
use super::{DataFolder, Identity, IdentityError, JoinError, Token, Trust};
use crate::link::Sockets;
use crate::link::limits::SOCKET_RECEIVE_BYTES;
use crate::link::token_link::{Through, TokenLink};
use odeon_convention::types::Role;
use odeon_convention::wire::{LeaderAt, PROTOCOL_VERSION};
use quinn::Connection;
use rustls::pki_types::UnixTime;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Seconds that one leader has for its answer.
pub const JOIN_TIMEOUT_S: u64 = 15;

/// A node that was let in.
#[derive(Debug)]
pub struct Joined {
    /// Who it is now.
    pub identity: Identity,
    /// The leaders and where they can be dialled; the one that let it in comes first.
    pub leaders: Vec<LeaderAt>,
    pub(crate) stays: Stays,
}

/// What a member goes on with after it was let in.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    /// The connection with the leader that let it in, as its link.
    pub(crate) connection: Option<Connection>,
    /// Its sockets, unless others have them.
    pub(crate) sockets: Option<Sockets>,
}

/// What a joiner dials from.
#[derive(Debug, Clone, Copy)]
pub enum DialFrom {
    /// The sockets of the node that it is going to be: a member's connection then goes on as its link.
    Node {
        /// Where it will listen.
        listen: SocketAddr,
        /// Whether it will only dial.
        outbound_only: bool,
    },
    /// Whatever sockets there are, for the join alone.
    Anywhere,
    /// TCP, for the join alone.
    Tcp,
}

/// Joins the convention that the token is of: makes a key, has it certified, and stores the identity.
///
/// It can be tried again after any error but a refusal. The key of an unfinished try is used again, so that a
/// leader sees the same node, not one more.
///
/// # Errors
/// When no leader of that convention answers, or it refuses, or the folder cannot be written.
pub async fn join(folder: DataFolder, token: &Token, name: &str, from: DialFrom) -> Result<Joined, JoinError> {
    folder.refuse_if_taken()?;
    let key = match folder.unfinished_key()? {
        Some(pem) => NodeKey::from_pem(&pem, folder.path())?,
        None => {
            let key = NodeKey::create()?;
            folder.keep_unfinished_key(&key.pem())?;
            key
        }
    };
    let sockets = match from {
        // Where they cannot be had, whoever needs them will say so.
        DialFrom::Node { listen, outbound_only } => {
            Sockets::open(listen, outbound_only, SOCKET_RECEIVE_BYTES, |purpose| key.derived(purpose)).ok()
        }
        DialFrom::Anywhere | DialFrom::Tcp => None,
    };
    let through = match (&sockets, from) {
        (Some(sockets), _) => Through::Node(sockets),
        (None, DialFrom::Tcp) => Through::OwnTcp,
        (None, DialFrom::Node { .. } | DialFrom::Anywhere) => Through::Own,
    };
    let (admitted, connection) = ask(token, &key, name, through).await?;
    check(&admitted, token, &key)?;
    let Admitted { certificate, ca, ca_key, leaders } = admitted;
    folder.store(&Stored {
        ca_certificate: &ca.into(),
        ca_key: ca_key.map(|key| key.0),
        node_certificate: &certificate.into(),
        node_key: key.pem(),
        leaders: Leaders { leaders: leaders.clone() },
    })?;
    let identity = Identity::load(folder)?;
    let sockets = match (sockets, identity.role()) {
        (Some(sockets), Role::Leader) => {
            // A leader receives elsewhere than where it joined, from a larger buffer.
            sockets.let_go().await;
            None
        }
        (sockets, _) => sockets,
    };
    Ok(Joined { identity, leaders, stays: Stays { connection, sockets } })
}

/// Joins as a member that keeps nothing, over a socket that others use as well.
///
/// # Errors
/// When no leader of that convention answers, or it refuses, or the token is not a member's.
pub(crate) async fn join_in_memory(token: &Token, name: &str, from: &quinn::Endpoint) -> Result<Joined, JoinError> {
    let key = NodeKey::create()?;
    let (admitted, connection) = ask(token, &key, name, Through::Shared(from)).await?;
    let trust = check(&admitted, token, &key)?;
    if admitted.ca_key.is_some() {
        return Err(JoinError::Answer("the token is a leader's, and a leader needs a folder".into()));
    }
    let Admitted { certificate, ca, leaders, .. } = admitted;
    let identity = Identity::in_memory(key.node_id(), key, certificate.into(), ca.into(), trust);
    Ok(Joined { identity, leaders, stays: Stays { connection, sockets: None } })
}

/// Gives the connection as well where it goes on.
async fn ask(
    token: &Token,
    key: &NodeKey,
    name: &str,
    through: Through<'_>,
) -> Result<(Admitted, Option<Connection>), JoinError> {
    let csr = rcgen::CertificateParams::default().serialize_request(key.pair()).map_err(IdentityError::from)?;
    let link = TokenLink::connect(token, through).await?;
    let stays = link.can_stay();
    let request = JoinRequest { version: PROTOCOL_VERSION, csr: csr.der().to_vec(), name: name.to_owned(), stays };
    let exchange = tokio::time::timeout(Duration::from_secs(JOIN_TIMEOUT_S), exchange(&link, &request)).await;
    let reply = match exchange {
        Ok(Ok(reply)) => reply,
        Ok(Err(reason)) => return Err(link.failure(reason)),
        Err(_) => return Err(link.failure(format!("no answer within {JOIN_TIMEOUT_S} s"))),
    };
    match reply {
        // A leader's key is only for leaders, whose links are not begun like this.
        JoinReply::Admitted(admitted) if stays && admitted.ca_key.is_none() => {
            let connection = link.connection().clone();
            Ok((admitted, Some(connection)))
        }
        JoinReply::Admitted(admitted) => {
            link.close().await;
            Ok((admitted, None))
        }
        JoinReply::Refused { code, reason } => {
            link.close().await;
            Err(JoinError::Refused { code, reason })
        }
    }
}

async fn exchange(link: &TokenLink, request: &JoinRequest) -> Result<JoinReply, String> {
    let (mut send, mut receive) = link.connection().open_bi().await.map_err(|e| e.to_string())?;
    send.write_all(&[JOIN_PURPOSE]).await.map_err(|e| e.to_string())?;
    join_wire::send(&mut send, request).await?;
    join_wire::receive(&mut receive).await
}

/// The leader is trusted by now, but an identity that could not be loaded must not be stored.
fn check(admitted: &Admitted, token: &Token, key: &NodeKey) -> Result<Trust, JoinError> {
    if Sha256::digest(&admitted.ca).as_slice() != token.ca_digest {
        return Err(JoinError::Answer("its CA is not the one of the token".into()));
    }
    let trust = Trust::new(admitted.ca.clone().into())?;
    let name = trust
        .node_of(&admitted.certificate.clone().into(), UnixTime::now())
        .map_err(|e| JoinError::Answer(e.to_string()))?;
    if name.id != key.node_id() {
        return Err(JoinError::Answer(format!("a certificate of {}, expected {}", name.id, key.node_id())));
    }
    match &admitted.ca_key {
        Some(CaKey(pem)) => drop(Ca::load(&admitted.ca.clone().into(), pem, Path::new("the key that it gave"))?),
        None if name.role == Role::Leader => {
            return Err(JoinError::Answer("the certificate of a leader without the key of the CA".into()));
        }
        None => {}
    }
    if admitted.leaders.is_empty() {
        return Err(JoinError::Answer("it names no leader".into()));
    }
    Ok(trust)
}
