//! Who this node is: its key, its certificate, the convention's CA, its folder, and which start this is.
//!
//! Owns founding, joining and loading, and the checks by which a peer's certificate becomes a node id and a role.
//! It never takes a peer's word for who it is. Start with [`Identity`], then [`Token`], then [`trust`].

mod ca;
mod certificate;
mod error;
mod folder;
mod invite;
mod join;
pub(crate) mod join_wire;
mod keys;
mod private_file;
mod token;
mod tokens;
pub mod trust;

#[cfg(test)]
mod tests;

pub use certificate::{CERTIFICATE_YEARS, NodeName};
pub use error::{IdentityError, JoinError, TokenError};
pub use folder::DataFolder;
pub(crate) use invite::InviteCode;
pub use join::{DialFrom, JOIN_TIMEOUT_S, Joined, join};
pub(crate) use join::{Stays, join_in_memory};
pub use token::{TOKEN_ADDRESSES_MAX, TOKEN_TEXT_BYTES_MAX, Token};
pub use tokens::{TOKENS_MAX, TokenEntry, Tokens};

pub(crate) use keys::TokenKey;

use ca::Ca;
use folder::Leaders;
use join_wire::CaKey;
use keys::NodeKey;
use odeon::{Incarnation, NodeId, NodeRef};
use odeon_convention::types::Role;
use odeon_convention::wire::LeaderAt;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use trust::Trust;

/// A node as of this start, with what it needs to prove it.
pub struct Identity {
    node: NodeRef,
    role: Role,
    key: NodeKey,
    chain: Vec<CertificateDer<'static>>,
    trust: Arc<Trust>,
    ca: Option<Ca>,
    /// None for a node that has one start and keeps nothing.
    folder: Option<DataFolder>,
}

impl Identity {
    /// Founds a convention: a new CA, a new node key, and a certificate that makes this node its leader.
    ///
    /// # Errors
    /// When the folder has an identity already, or cannot be written.
    pub fn found(folder: DataFolder) -> Result<Self, IdentityError> {
        folder.refuse_if_taken()?;
        let ca = Ca::create()?;
        let key = NodeKey::create()?;
        let certificate = ca.issue(key.spki(), &NodeName { id: key.node_id(), role: Role::Leader })?;
        folder.store(&folder::Stored {
            ca_certificate: ca.certificate(),
            ca_key: Some(ca.key_pem()),
            node_certificate: &certificate,
            node_key: key.pem(),
            leaders: Leaders { leaders: vec![LeaderAt { node: key.node_id(), listen: String::new() }] },
        })?;
        Self::load(folder)
    }

    /// Loads the identity that the folder holds. This is a new start: the incarnation is raised, durably, first.
    ///
    /// # Errors
    /// When there is none, a file cannot be trusted or read, or the parts do not fit each other.
    pub fn load(folder: DataFolder) -> Result<Self, IdentityError> {
        let files = folder.read()?;
        let key = NodeKey::from_pem(&files.node_key, &folder.path_of(folder::NODE_KEY))?;
        let trust = Arc::new(Trust::new(files.ca_certificate.clone())?);
        let path = folder.path_of(folder::NODE_CERTIFICATE);
        let name = trust
            .node_of(&files.node_certificate, rustls::pki_types::UnixTime::now())
            .map_err(|e| IdentityError::corrupt(&path, e.to_string(), "a certificate of this convention's CA"))?;
        if name.id != key.node_id() {
            let found = format!("a certificate of {}", name.id);
            return Err(IdentityError::corrupt(&path, found, "the certificate of the key in node.key"));
        }
        let ca = match &files.ca_key {
            Some(pem) => Some(Ca::load(&files.ca_certificate, pem, &folder.path_of(folder::CA_KEY))?),
            None => None,
        };
        let incarnation = folder.raise_incarnation()?;
        Ok(Self {
            node: NodeRef { id: name.id, incarnation },
            role: name.role,
            key,
            chain: vec![files.node_certificate, files.ca_certificate],
            trust,
            ca,
            folder: Some(folder),
        })
    }

    /// A member that was let in and keeps nothing: this is its first start and its last.
    fn in_memory(
        id: NodeId,
        key: NodeKey,
        certificate: CertificateDer<'static>,
        ca: CertificateDer<'static>,
        trust: Trust,
    ) -> Self {
        Self {
            node: NodeRef { id, incarnation: Incarnation(1) },
            role: Role::Member,
            key,
            chain: vec![certificate, ca],
            trust: Arc::new(trust),
            ca: None,
            folder: None,
        }
    }

    /// This node, as of this start.
    pub fn node(&self) -> NodeRef {
        self.node
    }

    /// What its certificate lets it do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether this node holds the key of the CA, so that it can let others in.
    pub fn can_admit(&self) -> bool {
        self.ca.is_some()
    }

    /// The SHA-256 of the CA's certificate: what a token pins.
    pub fn ca_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.chain[1]).into()
    }

    /// What a peer's certificate is checked against.
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// The leaders as its folder says; as of founding, this node alone, without an address.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn leaders(&self) -> Result<Vec<LeaderAt>, IdentityError> {
        self.folder.as_ref().map_or(Ok(Vec::new()), |folder| Ok(folder.leaders()?.leaders))
    }

    /// Keeps where the leaders can be dialled, for the next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_leaders(&self, leaders: Vec<LeaderAt>) -> Result<(), IdentityError> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.keep_leaders(&Leaders { leaders }))
    }

    /// The key of the CA, for a node that may lead as well.
    pub(crate) fn ca_key(&self) -> Option<CaKey> {
        self.ca.as_ref().map(|ca| CaKey(ca.key_pem()))
    }

    /// Bytes that stay the same over restarts and that nobody else can know, for the purpose `label`.
    pub(crate) fn derived(&self, label: &str) -> [u8; 32] {
        self.key.derived(label)
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        self.key.private_key()
    }

    /// Issues the certificate of a node that was admitted.
    pub(crate) fn issue(
        &self,
        spki: &rcgen::SubjectPublicKeyInfo,
        name: &NodeName,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        match &self.ca {
            Some(ca) => ca.issue(spki, name),
            None => Err(IdentityError::Certificate("this node does not hold the key of the CA".into())),
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("node", &self.node).field("role", &self.role).finish_non_exhaustive()
    }
}
