//! Ed25519 keys: a node's own, and the one that a token's secret is the seed of.

use super::IdentityError;
use odeon::NodeId;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SubjectPublicKeyInfo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What precedes the 32 bytes of a seed in the PKCS #8 form of an Ed25519 key (RFC 8410).
const PKCS8_ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// The id of the node whose key has this SubjectPublicKeyInfo.
pub(crate) fn node_id(spki_der: &[u8]) -> NodeId {
    let digest: [u8; 32] = Sha256::digest(spki_der).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    NodeId(id)
}

/// The key of a node.
pub(crate) struct NodeKey {
    pair: KeyPair,
    spki: SubjectPublicKeyInfo,
}

impl NodeKey {
    pub(crate) fn create() -> Result<Self, IdentityError> {
        Self::from_pair(KeyPair::generate_for(&PKCS_ED25519)?)
    }

    pub(crate) fn from_pem(pem: &str, path: &Path) -> Result<Self, IdentityError> {
        let pair = KeyPair::from_pem(pem)
            .map_err(|e| IdentityError::corrupt(path, e.to_string(), "an Ed25519 private key in PEM"))?;
        if pair.algorithm() != &PKCS_ED25519 {
            return Err(IdentityError::corrupt(path, format!("{:?}", pair.algorithm()), "an Ed25519 private key"));
        }
        Self::from_pair(pair)
    }

    fn from_pair(pair: KeyPair) -> Result<Self, IdentityError> {
        let spki = SubjectPublicKeyInfo::from_der(&pair.subject_public_key_info())?;
        Ok(Self { pair, spki })
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn spki(&self) -> &SubjectPublicKeyInfo {
        &self.spki
    }

    pub(crate) fn node_id(&self) -> NodeId {
        node_id(&self.pair.subject_public_key_info())
    }

    pub(crate) fn pem(&self) -> String {
        self.pair.serialize_pem()
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }

    /// Bytes that only the holder of this key can compute, one set for each label.
    pub(crate) fn derived(&self, label: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"odeon ")
            .chain_update(label)
            .chain_update([0])
            .chain_update(self.pair.serialized_der())
            .finalize()
            .into()
    }
}

/// The key that a token's secret stands for, with the self-signed certificate that shows it in a handshake.
pub(crate) struct TokenKey {
    pair: KeyPair,
}

impl TokenKey {
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, IdentityError> {
        let der = [&PKCS8_ED25519[..], secret].concat();
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &PKCS_ED25519)?;
        Ok(Self { pair })
    }

    /// The SHA-256 of the public key: what a leader knows of the token.
    pub(crate) fn id(&self) -> [u8; 32] {
        Sha256::digest(self.pair.subject_public_key_info()).into()
    }

    pub(crate) fn certificate(&self) -> Result<CertificateDer<'static>, IdentityError> {
        let mut params = rcgen::CertificateParams::new(vec!["token.odeon".to_owned()])?;
        params.distinguished_name = super::certificate::distinguished_name("odeon token");
        Ok(params.self_signed(&self.pair)?.der().clone())
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }
}
