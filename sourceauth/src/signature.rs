//! OpenSSH signatures over an image's bytes, as `ssh-keygen -Y sign -n odeon-image` makes them.
//!
//! A [`Signature`] was parsed, has our namespace and an algorithm that we verify; whether it fits the bytes is
//! [`Signature::verify`], and whether its key is allowed is the business of the authority.

use crate::limits::SIGNATURE_BYTES_MAX;
use crate::{AllowedSigners, Approval, Rejection};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey, SshSig};

/// The namespace that a signature for an image has: one made for mail or commits does not count.
pub const NAMESPACE: &str = "odeon-image";

/// A signature for an image, not yet compared with any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(SshSig);

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SignatureError {
    #[error("signature of {bytes} bytes is larger than {SIGNATURE_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("not an OpenSSH signature ({reason}): expected what `ssh-keygen -Y sign -n {NAMESPACE}` writes")]
    Malformed { reason: String },
    #[error("signature for the namespace {found:?}: expected {NAMESPACE:?}, as in `ssh-keygen -Y sign -n {NAMESPACE}`")]
    Namespace { found: String },
    #[error("signature by a key of the algorithm {found}: expected ssh-ed25519 or ecdsa-sha2-nistp256")]
    Algorithm { found: String },
    #[error("signature does not fit the image: the image was changed after signing, or this is another one's")]
    Mismatch,
}

impl Signature {
    /// Reads the armoured form.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureError::TooLarge { bytes: text.len() });
        }
        let signature =
            SshSig::from_pem(text.trim()).map_err(|e| SignatureError::Malformed { reason: e.to_string() })?;
        if signature.namespace() != NAMESPACE {
            return Err(SignatureError::Namespace { found: signature.namespace().to_owned() });
        }
        let found = signature.public_key().algorithm();
        if !algorithm_usable(&found) {
            return Err(SignatureError::Algorithm { found: found.to_string() });
        }
        Ok(Self(signature))
    }

    /// Whether the key that it names made it for these bytes.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), SignatureError> {
        PublicKey::from(self.0.public_key().clone())
            .verify(NAMESPACE, bytes, &self.0)
            .map_err(|_| SignatureError::Mismatch)
    }

    /// The fingerprint of the key that it names, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    pub(crate) fn key(&self) -> &KeyData {
        self.0.public_key()
    }
}

/// Verifies an image file's signature against allowed signers, whatever authority is set.
///
/// The signer is looked up before the bytes are hashed, so that a stranger's signature costs next to nothing.
pub fn verify(bytes: &[u8], signature: &str, allowed: &AllowedSigners, now_unix_s: u64) -> Result<Approval, Rejection> {
    let signature = Signature::parse(signature)?;
    let signer = allowed.signer(&signature, now_unix_s)?;
    signature.verify(bytes)?;
    Ok(Approval {
        by: signer.principals.clone(),
        reason: format!(
            "signed by {}, allowed on line {} of the allowed signers",
            signature.fingerprint(),
            signer.line
        ),
    })
}

/// Whether signatures by keys of this algorithm can be made and verified here.
pub fn algorithm_usable(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
}
