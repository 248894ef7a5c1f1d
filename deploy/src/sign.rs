//! Signatures by the keys that people have: the same files as `ssh-keygen -Y sign -n odeon-image`.
//!
//! Keys in an agent or on a hardware token are signed with by `ssh-keygen` itself.

use crate::FileError;
use crate::file::{read, read_text, write};
use odeon_sourceauth::limits::{ALLOWED_SIGNERS_BYTES_MAX, IMAGE_BYTES_MAX, SIGNATURE_BYTES_MAX};
use odeon_sourceauth::{
    AllowedSigners, AllowedSignersError, Approval, Image, ImageError, NAMESPACE, Rejection, algorithm_usable, verify,
};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use std::path::{Path, PathBuf};

/// Bytes of a private key's file.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SignError {
    #[error(
        "found a public key, expected an OpenSSH private key (one in an agent signs with `ssh-keygen -Y sign -n {NAMESPACE}`)"
    )]
    PublicKey,
    #[error("not an OpenSSH private key: {reason}")]
    Key { reason: String },
    #[error("key of the algorithm {found}: expected ssh-ed25519 or ecdsa-sha2-nistp256")]
    Algorithm { found: String },
    #[error("the key is protected by a passphrase, and none was given")]
    PassphraseNeeded,
    #[error("the passphrase does not open the key")]
    PassphraseWrong,
    #[error("the key does not sign: {reason}")]
    Failed { reason: String },
}

/// A signature that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The signature's file.
    pub path: PathBuf,
    /// The fingerprint of the key.
    pub fingerprint: String,
}

/// Why an image's file was not signed. No file was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SignFileError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not an image", path.display())]
    Image { path: PathBuf, source: ImageError },
    #[error("key {}", path.display())]
    Sign { path: PathBuf, source: SignError },
}

/// Why an image's file and a signature do not go together.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VerifyFileError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} cannot be used", path.display())]
    AllowedSigners { path: PathBuf, source: AllowedSignersError },
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// Signs bytes with the text of an OpenSSH private key and gives the armoured signature.
///
/// `passphrase` is asked only for a key that is protected by one.
pub fn sign(
    bytes: &[u8],
    private_key: &str,
    passphrase: &mut dyn FnMut() -> Option<String>,
) -> Result<String, SignError> {
    sign_with(bytes, &open_key(private_key, passphrase)?)
}

/// Signs an image's file. The signature goes to `to`, or beside the image with `.sig` added to its name.
pub fn sign_file(
    image: &Path,
    key: &Path,
    to: Option<&Path>,
    passphrase: &mut dyn FnMut() -> Option<String>,
) -> Result<Signed, SignFileError> {
    let bytes = read(image, IMAGE_BYTES_MAX as u64)?;
    let opened = Image::open(bytes).map_err(|source| SignFileError::Image { path: image.to_owned(), source })?;
    let failed = |source| SignFileError::Sign { path: key.to_owned(), source };
    let private_key = open_key(&read_text(key, KEY_BYTES_MAX)?, passphrase).map_err(failed)?;
    let signature = sign_with(opened.bytes(), &private_key).map_err(failed)?;
    let path = to.map_or_else(|| beside(image), Path::to_owned);
    write(&path, signature.as_bytes())?;
    Ok(Signed { path, fingerprint: private_key.fingerprint(HashAlg::Sha256).to_string() })
}

/// Verifies an image's file against a signature and allowed signers, as a keyring authority would now.
pub fn verify_file(
    image: &Path,
    signature: &Path,
    allowed_signers: &Path,
    now_unix_s: u64,
) -> Result<Approval, VerifyFileError> {
    let bytes = read(image, IMAGE_BYTES_MAX as u64)?;
    let signature = read_text(signature, SIGNATURE_BYTES_MAX as u64)?;
    let text = read_text(allowed_signers, ALLOWED_SIGNERS_BYTES_MAX as u64)?;
    let allowed = AllowedSigners::parse(&text)
        .map_err(|source| VerifyFileError::AllowedSigners { path: allowed_signers.to_owned(), source })?;
    Ok(verify(&bytes, &signature, &allowed, now_unix_s)?)
}

fn open_key(text: &str, passphrase: &mut dyn FnMut() -> Option<String>) -> Result<PrivateKey, SignError> {
    if ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| text.trim_start().starts_with(kind)) {
        return Err(SignError::PublicKey);
    }
    let key = PrivateKey::from_openssh(text).map_err(|e| SignError::Key { reason: e.to_string() })?;
    if !algorithm_usable(&key.algorithm()) {
        return Err(SignError::Algorithm { found: key.algorithm().to_string() });
    }
    if !key.is_encrypted() {
        return Ok(key);
    }
    let passphrase = passphrase().ok_or(SignError::PassphraseNeeded)?;
    key.decrypt(passphrase).map_err(|_| SignError::PassphraseWrong)
}

fn sign_with(bytes: &[u8], key: &PrivateKey) -> Result<String, SignError> {
    let failed = |e: ssh_key::Error| SignError::Failed { reason: e.to_string() };
    key.sign(NAMESPACE, HashAlg::Sha512, bytes).map_err(failed)?.to_pem(LineEnding::LF).map_err(failed)
}

fn beside(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
