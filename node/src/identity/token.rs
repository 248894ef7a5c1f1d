//! The one line that lets a node or an operator in.

use super::{IdentityError, TokenError, TokenKey};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Addresses in a token at most.
pub const TOKEN_ADDRESSES_MAX: usize = 16;
/// Bytes of a token's text at most.
pub const TOKEN_TEXT_BYTES_MAX: usize = 8 * 1024;
const PREFIX: &str = "odeon1.";
const CHECKSUM_BYTES: usize = 4;

/// Where the leaders are, which CA they belong to, and a secret that they know the public half of.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// `host:port` of the leaders, best first.
    pub addresses: Vec<String>,
    /// The SHA-256 of the CA's certificate.
    pub ca_digest: [u8; 32],
    /// The seed of an Ed25519 key pair.
    pub secret: [u8; 32],
}

impl Token {
    /// A token with a new secret.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn create(addresses: Vec<String>, ca_digest: [u8; 32]) -> Result<Self, IdentityError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| IdentityError::Certificate(e.to_string()))?;
        Ok(Self { addresses, ca_digest, secret })
    }

    /// The SHA-256 of the token's public key: what the leader keeps of it.
    ///
    /// # Errors
    /// When the key cannot be made of the secret.
    pub fn id(&self) -> Result<[u8; 32], IdentityError> {
        Ok(TokenKey::from_secret(&self.secret)?.id())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.ca_digest[..], &self.secret].concat();
        for address in self.addresses.iter().take(TOKEN_ADDRESSES_MAX) {
            // An address that is too long for a token could not be dialled either.
            if let Ok(length) = u8::try_from(address.len()) {
                bytes.push(length);
                bytes.extend_from_slice(address.as_bytes());
            }
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let short = TokenError::Content("it ends before the secret does");
        let (ca_digest, rest) = bytes.split_first_chunk().ok_or(short.clone())?;
        let (secret, mut rest) = rest.split_first_chunk().ok_or(short)?;
        let mut addresses = Vec::new();
        while let Some((length, after)) = rest.split_first() {
            let Some((text, after)) = after.split_at_checked(usize::from(*length)) else {
                return Err(TokenError::Content("it ends within an address"));
            };
            let text = std::str::from_utf8(text).map_err(|_| TokenError::Content("an address is not text"))?;
            addresses.push(text.to_owned());
            rest = after;
        }
        match addresses.len() {
            0 => Err(TokenError::Content("it names no address")),
            1..=TOKEN_ADDRESSES_MAX => Ok(Self { addresses, ca_digest: *ca_digest, secret: *secret }),
            _ => Err(TokenError::Content("it names more than 16 addresses")),
        }
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    [digest[0], digest[1], digest[2], digest[3]]
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.to_bytes();
        bytes.extend_from_slice(&checksum(&bytes));
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.len() > TOKEN_TEXT_BYTES_MAX {
            return Err(TokenError::TooLong { found: text.len(), max: TOKEN_TEXT_BYTES_MAX });
        }
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| TokenError::Prefix { found: text.chars().take(PREFIX.len()).collect() })?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|e| TokenError::Encoding(e.to_string()))?;
        let (content, found) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TokenError::Checksum)?;
        if checksum(content) != *found {
            return Err(TokenError::Checksum);
        }
        Self::from_bytes(content)
    }
}
