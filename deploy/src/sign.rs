//! Signatures by the keys that people have: the same files as `ssh-keygen -Y sign -n odeon-image`, and statements with the
//! signatures of `ssh-keygen -Y sign -n odeon-approval`.
//!
//! Keys in an agent or on a hardware token are signed with by `ssh-keygen` itself.

use crate::FileError;
use crate::file::{read, read_text, write};
use odeon_sourceauth::limits::{ALLOWED_SIGNERS_BYTES_MAX, IMAGE_BYTES_MAX, SIGNATURE_BYTES_MAX, STATEMENT_BYTES_MAX};
use odeon_sourceauth::{
    Approval, Image, ImageError, Keyring, KeyringError, NAMESPACE, Rejection, STATEMENT_NAMESPACE, Statement,
    StatementError, algorithm_usable,
};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use std::path::{Path, PathBuf};

/// Bytes of a private key's file.
const KEY_BYTES_MAX: u64 = 64 * 1024;
const SIGNATURE_SUFFIX: &str = ".sig";

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
    #[error(
        "key of the algorithm {found}: expected ssh-ed25519 or ecdsa-sha2-nistp256 (one in hardware signs with \
         `ssh-keygen -Y sign -n {NAMESPACE}`)"
    )]
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
    /// The fingerprint of the key; none where the statement is still to be signed.
    pub fingerprint: Option<String>,
}

/// From when to when a statement counts, in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// From then on.
    pub not_before_unix_s: Option<u64>,
    /// Up to then.
    pub not_after_unix_s: Option<u64>,
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
    #[error(transparent)]
    Statement(#[from] StatementError),
}

/// Why an image's file and a signature do not go together.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VerifyFileError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not an image", path.display())]
    Image { path: PathBuf, source: ImageError },
    #[error("{} cannot be used", path.display())]
    AllowedSigners { path: PathBuf, source: KeyringError },
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
    sign_with(NAMESPACE, bytes, &open_key(private_key, passphrase)?)
}

/// Signs an image's file. The signature goes to `to`, or beside the image with `.sig` added to its name.
pub fn sign_file(
    image: &Path,
    key: &Path,
    to: Option<&Path>,
    passphrase: &mut dyn FnMut() -> Option<String>,
) -> Result<Signed, SignFileError> {
    let opened = open_image(image)?;
    let (signature, fingerprint) = sign_with_file(NAMESPACE, opened.bytes(), key, passphrase)?;
    let path = to.map_or_else(|| beside(image, SIGNATURE_SUFFIX), Path::to_owned);
    write(&path, signature.as_bytes())?;
    Ok(Signed { path, fingerprint: Some(fingerprint) })
}

/// Writes a statement on an image's file, with the signature of a key behind it if there is one. It goes to `to`, or
/// beside the image with `.approval` added to its name.
pub fn sign_statement(
    image: &Path,
    times: Times,
    key: Option<&Path>,
    to: Option<&Path>,
    passphrase: &mut dyn FnMut() -> Option<String>,
) -> Result<Signed, SignFileError> {
    let statement = Statement::on(&open_image(image)?).with_times(times.not_before_unix_s, times.not_after_unix_s)?;
    let mut text = statement.to_string();
    let mut fingerprint = None;
    if let Some(key) = key {
        let (signature, by) = sign_with_file(STATEMENT_NAMESPACE, text.as_bytes(), key, passphrase)?;
        text.push_str(&signature);
        fingerprint = Some(by);
    }
    let path = to.map_or_else(|| beside(image, ".approval"), Path::to_owned);
    write(&path, text.as_bytes())?;
    Ok(Signed { path, fingerprint })
}

/// What a person gives along with an image: a signature, or a statement, whose signature stands behind it or in a file
/// beside it with `.sig` added to its name, as `ssh-keygen` writes it.
pub fn read_evidence(path: &Path) -> Result<String, FileError> {
    let mut text = read_text(path, (STATEMENT_BYTES_MAX + SIGNATURE_BYTES_MAX) as u64)?;
    let signed_beside = beside(path, SIGNATURE_SUFFIX);
    // One that is not signed at all is refused where signatures are judged.
    if Statement::is_meant(&text) && text.len() <= STATEMENT_BYTES_MAX && signed_beside.exists() {
        text.push_str(&read_text(&signed_beside, SIGNATURE_BYTES_MAX as u64)?);
    }
    Ok(text)
}

/// Verifies an image's file against signatures and allowed signers of which so many have to sign, as a keyring authority
/// would now.
pub fn verify_file(
    image: &Path,
    signatures: &[PathBuf],
    allowed_signers: &Path,
    required: usize,
    now_unix_s: u64,
) -> Result<Approval, VerifyFileError> {
    let bytes = read(image, IMAGE_BYTES_MAX as u64)?;
    let opened = Image::open(bytes).map_err(|source| VerifyFileError::Image { path: image.to_owned(), source })?;
    let evidence = signatures.iter().map(|path| read_evidence(path)).collect::<Result<Vec<_>, _>>()?;
    let text = read_text(allowed_signers, ALLOWED_SIGNERS_BYTES_MAX as u64)?;
    let keyring = Keyring::parse(&text, required)
        .map_err(|source| VerifyFileError::AllowedSigners { path: allowed_signers.to_owned(), source })?;
    Ok(keyring.approve(&opened, &evidence, now_unix_s)?)
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

fn open_image(path: &Path) -> Result<Image, SignFileError> {
    let bytes = read(path, IMAGE_BYTES_MAX as u64)?;
    Image::open(bytes).map_err(|source| SignFileError::Image { path: path.to_owned(), source })
}

/// The signature by the key in a file, and the key's fingerprint.
fn sign_with_file(
    namespace: &str,
    bytes: &[u8],
    key: &Path,
    passphrase: &mut dyn FnMut() -> Option<String>,
) -> Result<(String, String), SignFileError> {
    let failed = |source| SignFileError::Sign { path: key.to_owned(), source };
    let private_key = open_key(&read_text(key, KEY_BYTES_MAX)?, passphrase).map_err(failed)?;
    let signature = sign_with(namespace, bytes, &private_key).map_err(failed)?;
    Ok((signature, private_key.fingerprint(HashAlg::Sha256).to_string()))
}

fn sign_with(namespace: &str, bytes: &[u8], key: &PrivateKey) -> Result<String, SignError> {
    let failed = |e: ssh_key::Error| SignError::Failed { reason: e.to_string() };
    key.sign(namespace, HashAlg::Sha512, bytes).map_err(failed)?.to_pem(LineEnding::LF).map_err(failed)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
