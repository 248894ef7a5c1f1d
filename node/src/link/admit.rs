//! Those who are let in: a node, or who comes with a token, which is a node that wants in or an operator.

use super::connection::{greet, purpose};
use super::door::Door;
use super::endpoint::allow_all_streams;
use super::error::{CLOSE_DONE, Close};
use super::gate::Place;
use super::limits::{ACCEPT_TIMEOUT, NAME_BYTES_MAX};
use super::refusals::Refusal;
use super::shared::Shared;
use super::{Caller, NotAdmitted};
use crate::identity::NodeName;
use crate::identity::join_wire::{self, Admitted, JOIN_PURPOSE, JoinReply, JoinRequest};
use odeon::NodeId;
use odeon_convention::codes;
use odeon_convention::types::Role;
use odeon_convention::wire::PROTOCOL_VERSION;
use quinn::Connection;
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};
use std::sync::Arc;

fn not(code: u16, reason: impl Into<String>) -> NotAdmitted {
    NotAdmitted { code, reason: reason.into() }
}

/// Serves a connection that a token authenticated.
pub(crate) async fn bearer(
    shared: &Arc<Shared>,
    door: &Door,
    connection: Connection,
    token: [u8; 32],
    role: Role,
    place: Place,
) {
    let result = match role {
        Role::Operator => operator(shared, &connection, token, place).await,
        // The place is kept: a joiner is in the doorway until it has its answer, and while it is greeted.
        Role::Leader | Role::Member => match joiner(shared, &connection, token).await {
            Ok(Some(name)) => return node(shared, door, connection, name, place).await,
            Ok(None) => Ok(()),
            Err(e) => Err(e),
        },
    };
    let close = match result {
        Ok(()) => Close::new(CLOSE_DONE, "done"),
        Err(e) => {
            shared.refusals.note(connection.remote_address(), Refusal::NotAdmitted, &e.reason);
            Close::new(e.code, e.reason)
        }
    };
    close.apply(&connection);
}

/// Serves a connection of a node: by its certificate, or because it was just let in over it.
pub(crate) async fn node(shared: &Arc<Shared>, door: &Door, connection: Connection, name: NodeName, place: Place) {
    let greeted = greet(shared, door, connection, name.id, name.role, false).await;
    drop(place);
    if let Ok(carrier) = greeted {
        // In a task of its own, which has no room for a handshake any more.
        tokio::spawn(carrier.run(shared.clone()));
    }
}

async fn operator(
    shared: &Arc<Shared>,
    connection: &Connection,
    token: [u8; 32],
    place: Place,
) -> Result<(), NotAdmitted> {
    let admission = shared.admission.as_ref().ok_or_else(|| not(codes::TOKEN_UNKNOWN, "this node does not lead"))?;
    admission.use_token(token).await?;
    drop(place);
    allow_all_streams(connection);
    let caller = Caller::Operator { token, address: connection.remote_address() };
    while let Ok((send, mut receive)) = connection.accept_bi().await {
        let (shared, caller, connection) = (shared.clone(), caller.clone(), connection.clone());
        shared.runtime.clone().spawn(async move {
            match purpose(&mut receive).await {
                Some(JOIN_PURPOSE) => {
                    Close::new(codes::ROLE, "an operator's token does not let a node in").apply(&connection);
                }
                Some(purpose) => shared.events.stream(caller, purpose, send, receive),
                None => {}
            }
        });
    }
    Ok(())
}

/// Lets a node in, or not. Gives who it is when the connection goes on as its link.
async fn joiner(
    shared: &Arc<Shared>,
    connection: &Connection,
    token: [u8; 32],
) -> Result<Option<NodeName>, NotAdmitted> {
    let request = async {
        let bad = |e: String| not(codes::BAD_REQUEST, format!("a request to join that cannot be understood: {e}"));
        let (send, mut receive) = connection.accept_bi().await.map_err(|e| bad(e.to_string()))?;
        if purpose(&mut receive).await != Some(JOIN_PURPOSE) {
            return Err(not(codes::ROLE, "the token is for a node to join with, not for an operator"));
        }
        let request: JoinRequest = join_wire::receive(&mut receive).await.map_err(bad)?;
        Ok((send, request))
    };
    let late = || not(codes::TIMED_OUT, "the request to join did not come in time");
    let (mut send, request) = tokio::time::timeout(ACCEPT_TIMEOUT, request).await.map_err(|_| late())??;
    let (reply, result) = match admit(shared, token, &request).await {
        // A leader runs its links with other leaders elsewhere than this one.
        Ok((name, admitted)) => {
            (JoinReply::Admitted(admitted), Ok(Some(name).filter(|name| request.stays && name.role == Role::Member)))
        }
        Err(e) => (JoinReply::Refused { code: e.code, reason: e.reason.clone() }, Err(e)),
    };
    if let Ok(Some(_)) = &result {
        let sent = tokio::time::timeout(ACCEPT_TIMEOUT, join_wire::send(&mut send, &reply)).await;
        return if matches!(sent, Ok(Ok(()))) { result } else { Ok(None) };
    }
    // Whether the joiner still hears it is its own affair: it closes once it has.
    let answered = async {
        join_wire::send(&mut send, &reply).await?;
        connection.closed().await;
        Ok::<_, String>(())
    };
    let _ = tokio::time::timeout(ACCEPT_TIMEOUT, answered).await;
    result
}

async fn admit(
    shared: &Arc<Shared>,
    token: [u8; 32],
    request: &JoinRequest,
) -> Result<(NodeName, Admitted), NotAdmitted> {
    if request.version != PROTOCOL_VERSION {
        let theirs = request.version;
        let reason = format!(
            "the node that joins speaks version {theirs} of the protocol, the leader version {PROTOCOL_VERSION}"
        );
        return Err(not(codes::PROTOCOL_VERSION, reason));
    }
    if request.name.len() > NAME_BYTES_MAX {
        let reason = format!("a name of {} bytes, at most {NAME_BYTES_MAX} are allowed", request.name.len());
        return Err(not(codes::BAD_REQUEST, reason));
    }
    let admission = shared.admission.as_ref().filter(|_| shared.identity.can_admit());
    let admission = admission.ok_or_else(|| not(codes::TOKEN_UNKNOWN, "this node cannot let others in"))?;
    // Reading it verifies that the sender has the private key.
    let csr = rcgen::CertificateSigningRequestParams::from_der(&request.csr.as_slice().into())
        .map_err(|e| not(codes::IDENTITY, format!("the certificate request is not valid: {e}")))?;
    let spki_der = csr.public_key.subject_public_key_info();
    let digest: [u8; 32] = Sha256::digest(&spki_der).into();
    let id = NodeId(std::array::from_fn(|i| digest[i]));
    let spki = rcgen::SubjectPublicKeyInfo::from_der(&spki_der)
        .map_err(|e| not(codes::IDENTITY, format!("the key is not of a known kind: {e}")))?;
    if csr.public_key.algorithm() != &rcgen::PKCS_ED25519 {
        return Err(not(codes::IDENTITY, "the key is not an Ed25519 key"));
    }
    let role = admission.admit(token, id).await?;
    if role == Role::Operator {
        return Err(not(codes::ROLE, "an operator's token does not let a node in"));
    }
    let internal = |e: crate::identity::IdentityError| not(codes::INTERNAL, e.to_string());
    let node = NodeName { id, role };
    let certificate = shared.identity.issue(&spki, &node).map_err(internal)?;
    tracing::info!(node = %id, name = request.name, ?role, "let a node in");
    let admitted = Admitted {
        certificate: certificate.to_vec(),
        ca: shared.identity.chain()[1].to_vec(),
        ca_key: if role == Role::Leader { shared.identity.ca_key() } else { None },
        leaders: admission.leaders(),
    };
    Ok((node, admitted))
}
