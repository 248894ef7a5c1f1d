//! The bytes of an OpenSSH signature (PROTOCOL.sshsig), read field by field.
//!
//! The `ssh-key` crate reads them too, but not where a certificate stands in place of the key.

use super::SignatureError;
use data_encoding::BASE64;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, HashAlg, PublicKey};
use std::str::FromStr;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
/// How the names of certificates' types end.
const CERTIFICATE: &[u8] = b"-cert-v01@openssh.com";
/// What a hardware key adds to its signature: a byte of flags and a counter.
const HARDWARE_BYTES: usize = 5;

/// What a signature says, nothing of it checked against anything.
pub(super) struct Parts {
    /// The key that signed; with a certificate the one that it certifies.
    pub(super) key: KeyData,
    pub(super) certificate: Option<Box<Certificate>>,
    pub(super) namespace: String,
    pub(super) hash: HashAlg,
    pub(super) signature: ssh_key::Signature,
}

/// Whether keys of this kind are held by hardware that wants to be touched.
pub(super) fn in_hardware(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
}

/// The flags that a hardware key signed along.
pub(super) fn hardware_flags(signature: &ssh_key::Signature) -> u8 {
    signature.as_bytes().iter().rev().nth(HARDWARE_BYTES - 1).copied().unwrap_or(0)
}

/// Reads the armoured form.
pub(super) fn decode(text: &str) -> Result<Parts, SignatureError> {
    let malformed = |reason: &str| SignatureError::Malformed { reason: reason.to_owned() };
    let bytes = unarmoured(text).ok_or_else(|| malformed("no armour with base64 in it"))?;
    let fields = Fields::read(&bytes).ok_or_else(|| malformed("a field is missing or cut short"))?;
    if fields.version != VERSION {
        return Err(malformed(&format!("version {}, expected {VERSION}", fields.version)));
    }
    if !fields.reserved.is_empty() {
        return Err(malformed("a field that is reserved is in use"));
    }
    let utf8 = |field| std::str::from_utf8(field).map_err(|_| malformed("a text is not UTF-8"));
    let namespace = utf8(fields.namespace)?.to_owned();
    let hash = HashAlg::from_str(utf8(fields.hash)?).map_err(|_| malformed("an unknown hash"))?;
    let (key, certificate) = key(fields.key)?;
    let signature = signature(fields.signature).ok_or_else(|| malformed("what the key made is no signature"))?;
    Ok(Parts { key, certificate, namespace, hash, signature })
}

/// What stands before the armour, and the armour.
pub(crate) fn armour_begins(text: &str) -> Option<(&str, &str)> {
    text.find(BEGIN).map(|at| text.split_at(at))
}

fn unarmoured(text: &str) -> Option<Vec<u8>> {
    let inside = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let digits: Vec<u8> = inside.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    BASE64.decode(&digits).ok()
}

struct Fields<'a> {
    version: u32,
    key: &'a [u8],
    namespace: &'a [u8],
    reserved: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let fields = Self {
            version: number(&mut rest)?,
            key: string(&mut rest)?,
            namespace: string(&mut rest)?,
            reserved: string(&mut rest)?,
            hash: string(&mut rest)?,
            signature: string(&mut rest)?,
        };
        rest.is_empty().then_some(fields)
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_be_bytes(*number))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = usize::try_from(number(rest)?).ok()?;
    let (string, behind) = rest.split_at_checked(bytes)?;
    *rest = behind;
    Some(string)
}

fn key(bytes: &[u8]) -> Result<(KeyData, Option<Box<Certificate>>), SignatureError> {
    let malformed = |reason: String| SignatureError::Malformed { reason };
    let name = string(&mut &*bytes).ok_or_else(|| malformed("the key has no type".into()))?;
    if !name.ends_with(CERTIFICATE) {
        let key = PublicKey::from_bytes(bytes).map_err(|e| malformed(format!("its key: {e}")))?;
        return Ok((key.key_data().clone(), None));
    }
    let certificate = Certificate::from_bytes(bytes).map_err(|e| SignatureError::Certificate {
        reason: match e {
            // The crate holds no time beyond those of a clock, and "forever" is one.
            ssh_key::Error::Time => "it has no end: make it with `ssh-keygen -V`".to_owned(),
            other => other.to_string(),
        },
    })?;
    Ok((certificate.public_key().clone(), Some(Box::new(certificate))))
}

fn signature(bytes: &[u8]) -> Option<ssh_key::Signature> {
    let mut rest = bytes;
    let algorithm = Algorithm::from_str(std::str::from_utf8(string(&mut rest)?).ok()?).ok()?;
    let mut made = string(&mut rest)?.to_vec();
    if in_hardware(&algorithm) {
        let (added, behind) = rest.split_first_chunk::<HARDWARE_BYTES>()?;
        made.extend(added);
        rest = behind;
    }
    if rest.is_empty() { ssh_key::Signature::new(algorithm, made).ok() } else { None }
}
