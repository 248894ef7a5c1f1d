//! What a handshake accepts. Everything that a peer is held to be comes from here, from its certificate alone.

use super::certificate::{NodeName, self_issued_spki};
use super::{IdentityError, Tokens};
use odeon::NodeId;
use odeon_convention::types::Role;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The one set of algorithms that every handshake uses. The suite with SHA-256 is first: most processors hash it by
/// themselves, and a handshake derives some thirty keys.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use rustls::crypto::ring::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    let cipher_suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..rustls::crypto::ring::default_provider() })
}

/// What a peer showed in its handshake, after it was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A certificate of the convention's CA.
    Node {
        /// The node.
        id: NodeId,
        /// What it may do.
        role: Role,
    },
    /// A token that the table knows.
    Token {
        /// The SHA-256 of its public key.
        id: [u8; 32],
        /// What it gives.
        role: Role,
    },
}

/// One convention's CA, and the verifiers that check against it.
#[derive(Debug)]
pub struct Trust {
    servers: Arc<WebPkiServerVerifier>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    /// Trusts what this CA signed and nothing else.
    ///
    /// # Errors
    /// When it is not the certificate of a CA.
    pub fn new(ca: CertificateDer<'static>) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        roots.add(ca)?;
        let roots = Arc::new(roots);
        let built = |e: rustls::server::VerifierBuilderError| IdentityError::Certificate(e.to_string());
        Ok(Self {
            servers: WebPkiServerVerifier::builder_with_provider(roots.clone(), provider()).build().map_err(built)?,
            clients: WebPkiClientVerifier::builder_with_provider(roots, provider())
                .clear_root_hint_subjects()
                .build()
                .map_err(built)?,
        })
    }

    /// Who a certificate is for, if the CA signed it and it is valid at `now`.
    ///
    /// # Errors
    /// When it is not a certificate of a node of this convention.
    pub fn node_of(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<NodeName, Error> {
        let name = NodeName::read(certificate)?;
        let server_name = ServerName::try_from(name.to_string()).map_err(|_| CertificateError::NotValidForName)?;
        self.servers.verify_server_cert(certificate, &[], &server_name, &[], now)?;
        Ok(name)
    }

    /// What a client's certificate stands for: a node, or a token.
    ///
    /// # Errors
    /// When it is neither; the error becomes the alert that the client gets.
    pub fn client_of(
        &self,
        tokens: &Tokens,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<Credential, Error> {
        if let Some(spki) = self_issued_spki(certificate) {
            return token_of(tokens, &spki, now);
        }
        self.clients.verify_client_cert(certificate, &[], now)?;
        let NodeName { id, role } = NodeName::read(certificate)?;
        Ok(Credential::Node { id, role })
    }
}

/// Who a certificate is for that a handshake with [`ServerVerifier`] accepted: it is read, not verified again.
pub(crate) fn verified_node(certificate: &CertificateDer<'_>) -> Result<NodeName, Error> {
    Ok(NodeName::read(certificate)?)
}

/// What a certificate stands for that a handshake with [`ClientVerifier`] accepted. A token is looked up again, as
/// another one may have used it up since.
pub(crate) fn verified_client(
    tokens: &Tokens,
    certificate: &CertificateDer<'_>,
    now: UnixTime,
) -> Result<Credential, Error> {
    match self_issued_spki(certificate) {
        Some(spki) => token_of(tokens, &spki, now),
        None => verified_node(certificate).map(|NodeName { id, role }| Credential::Node { id, role }),
    }
}

fn token_of(tokens: &Tokens, spki: &[u8], now: UnixTime) -> Result<Credential, Error> {
    let id = Sha256::digest(spki).into();
    Ok(Credential::Token { id, role: tokens.check(&id, now.as_secs())? })
}

/// Accepts the certificate of a node or of a token, from whoever dials.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    pub(crate) trust: Arc<Trust>,
    pub(crate) tokens: Tokens,
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.trust.client_of(&self.tokens, end_entity, now).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.clients.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Whom a dialler means to reach.
#[derive(Debug)]
pub(crate) enum Expect {
    /// A node of this convention, perhaps one in particular.
    Node(Arc<Trust>, Option<NodeId>),
    /// A leader of the convention whose CA certificate has this SHA-256.
    Leader { ca_digest: [u8; 32] },
    /// Whoever has the key whose public half has this SHA-256.
    Key([u8; 32]),
}

/// Whether a self-issued certificate is of the key whose public half has this SHA-256.
fn is_of_key(certificate: &CertificateDer<'_>, key: &[u8; 32]) -> Result<(), Error> {
    let spki = self_issued_spki(certificate).ok_or(CertificateError::UnknownIssuer)?;
    let fits = Sha256::digest(spki).as_slice() == key;
    fits.then_some(()).ok_or(CertificateError::UnknownIssuer.into())
}

/// Accepts whoever knows the code of an invitation, and nobody else.
#[derive(Debug)]
pub(crate) struct InviterVerifier {
    /// The SHA-256 of the public key that the code gives to who invites.
    pub(crate) key: [u8; 32],
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for InviterVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        is_of_key(end_entity, &self.key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Checks that the dialled node is the one that was meant, before this side shows who it is.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    pub(crate) expect: Expect,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ServerVerifier {
    fn verify(&self, leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        match &self.expect {
            Expect::Node(trust, expected) => {
                let found = trust.node_of(leaf, now)?;
                if expected.is_some_and(|id| id != found.id) {
                    return Err(CertificateError::NotValidForName.into());
                }
            }
            Expect::Leader { ca_digest } => {
                let pinned = chain.iter().find(|c| Sha256::digest(c).as_slice() == ca_digest);
                let ca = pinned.ok_or(CertificateError::UnknownIssuer)?.clone().into_owned();
                let trust = Trust::new(ca).map_err(|_| CertificateError::BadEncoding)?;
                if trust.node_of(leaf, now)?.role != Role::Leader {
                    return Err(CertificateError::InvalidPurpose.into());
                }
            }
            Expect::Key(key) => is_of_key(leaf, key)?,
        }
        Ok(())
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
