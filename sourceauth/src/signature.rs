//! OpenSSH signatures over an image's bytes, as `ssh-keygen -Y sign -n odeon-image` makes them.
//!
//! A [`Signature`] was parsed, has our namespace and an algorithm that we verify, and somebody was there where the key is
//! in hardware; whether it fits the bytes is [`Signature::verify`], and whether its key is allowed is the business of
//! the authority.

mod wire;

pub(crate) use wire::armour_begins;

use crate::limits::SIGNATURE_BYTES_MAX;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, SshSig};

/// The namespace that a signature for an image has: one made for mail or commits does not count.
pub const NAMESPACE: &str = "odeon-image";

/// The algorithms of keys whose signatures are verified, for people to read.
pub const ALGORITHMS: &str = "ssh-ed25519, ecdsa-sha2-nistp256, sk-ssh-ed25519@openssh.com or \
     sk-ecdsa-sha2-nistp256@openssh.com";

/// The flag of a hardware key that somebody touched it (PROTOCOL.u2f).
const PRESENT: u8 = 0x01;

/// A signature for an image, not yet compared with any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// By the key itself, also where a certificate came along.
    made: SshSig,
    certificate: Option<Box<Certificate>>,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SignatureError {
    #[error("signature of {bytes} bytes is larger than {SIGNATURE_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("not an OpenSSH signature ({reason}): expected what `ssh-keygen -Y sign -n {NAMESPACE}` writes")]
    Malformed { reason: String },
    #[error("signature for the namespace {found:?}: expected {expected:?}, as in `ssh-keygen -Y sign -n {expected}`")]
    Namespace { found: String, expected: &'static str },
    #[error("signature by a key of the algorithm {found}: expected {ALGORITHMS}")]
    Algorithm { found: String },
    #[error("signature of the algorithm {found} by a key of the algorithm {key}")]
    OtherAlgorithm { found: String, key: String },
    #[error(
        "signature by the hardware key {fingerprint} that nobody touched: make the key without `no-touch-required`"
    )]
    NobodyPresent { fingerprint: String },
    #[error("signature with a certificate that cannot be used: {reason}")]
    Certificate { reason: String },
    #[error("signature does not fit the image: the image was changed after signing, or this is another one's")]
    Mismatch,
}

impl Signature {
    /// Reads the armoured form of a signature over an image's file.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        Self::parse_in(text, NAMESPACE)
    }

    pub(crate) fn parse_in(text: &str, expected: &'static str) -> Result<Self, SignatureError> {
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureError::TooLarge { bytes: text.len() });
        }
        let parts = wire::decode(text)?;
        if parts.namespace != expected {
            return Err(SignatureError::Namespace { found: parts.namespace, expected });
        }
        made_by(&parts.key, &parts.signature)?;
        let made = SshSig::new(parts.key, parts.namespace, parts.hash, parts.signature)
            .map_err(|e| SignatureError::Malformed { reason: e.to_string() })?;
        Ok(Self { made, certificate: parts.certificate })
    }

    /// Whether the key that it names made it for these bytes.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), SignatureError> {
        PublicKey::from(self.key().clone())
            .verify(self.made.namespace(), bytes, &self.made)
            .map_err(|_| SignatureError::Mismatch)
    }

    /// The fingerprint of the key that it names, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.key())
    }

    pub(crate) fn namespace(&self) -> &str {
        self.made.namespace()
    }

    pub(crate) fn key(&self) -> &KeyData {
        self.made.public_key()
    }

    /// What came along to say whose the key is.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }
}

/// Whether a key of this kind is verified here and a signature is of its kind, with somebody present where that shows.
pub(crate) fn made_by(key: &KeyData, signature: &ssh_key::Signature) -> Result<(), SignatureError> {
    let (algorithm, found) = (key.algorithm(), signature.algorithm());
    if !algorithm_verified(&algorithm) {
        return Err(SignatureError::Algorithm { found: algorithm.to_string() });
    }
    if found != algorithm {
        return Err(SignatureError::OtherAlgorithm { found: found.to_string(), key: algorithm.to_string() });
    }
    if wire::in_hardware(&algorithm) && wire::hardware_flags(signature) & PRESENT == 0 {
        return Err(SignatureError::NobodyPresent { fingerprint: fingerprint(key) });
    }
    Ok(())
}

fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Whether signatures by keys of this algorithm are verified here.
pub fn algorithm_verified(algorithm: &Algorithm) -> bool {
    algorithm_usable(algorithm) || wire::in_hardware(algorithm)
}

/// Whether signatures by keys of this algorithm can be made here: those of hardware keys are made by `ssh-keygen`.
pub fn algorithm_usable(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
}
