//! What a joiner and a leader say to each other, on one stream of a connection that a token authenticated.

use odeon_convention::wire::LeaderAt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The first byte of a joiner's stream. An operator's streams have other purposes.
pub(crate) const JOIN_PURPOSE: u8 = 0xff;
/// Bytes of either of them at most.
pub(crate) const JOIN_BYTES_MAX: usize = 32 * 1024;

/// A node asks to be let in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JoinRequest {
    /// Of the protocol: a node whose links would be refused is not let in, and uses no token up.
    pub(crate) version: u16,
    /// A PKCS #10 request, signed by the node's key.
    #[serde(with = "odeon::bytes")]
    pub(crate) csr: Vec<u8>,
    pub(crate) name: String,
    /// Whether the connection is to go on as the link of the node, when it is a member.
    #[serde(default)]
    pub(crate) stays: bool,
}

/// What the leader says to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum JoinReply {
    Admitted(Admitted),
    Refused { code: u16, reason: String },
}

/// What makes the node a part of the convention.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Admitted {
    #[serde(with = "odeon::bytes")]
    pub(crate) certificate: Vec<u8>,
    #[serde(with = "odeon::bytes")]
    pub(crate) ca: Vec<u8>,
    /// The key of the CA, for who may lead.
    pub(crate) ca_key: Option<CaKey>,
    /// All leaders; the one that speaks comes first.
    pub(crate) leaders: Vec<LeaderAt>,
}

/// The private key of the convention's CA, in PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CaKey(pub(crate) String);

impl std::fmt::Debug for CaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CaKey")
    }
}

/// Sends one of the two and says that nothing follows.
pub(crate) async fn send<T: Serialize>(stream: &mut quinn::SendStream, value: &T) -> Result<(), String> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|e| e.to_string())?;
    stream.write_all(&bytes).await.map_err(|e| e.to_string())?;
    stream.finish().map_err(|e| e.to_string())
}

/// Reads one of the two: everything up to the end of the stream.
pub(crate) async fn receive<T: DeserializeOwned>(stream: &mut quinn::RecvStream) -> Result<T, String> {
    let bytes = stream.read_to_end(JOIN_BYTES_MAX).await.map_err(|e| e.to_string())?;
    rmp_serde::from_slice(&bytes).map_err(|e| e.to_string())
}
