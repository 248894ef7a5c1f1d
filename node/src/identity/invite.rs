//! The code of an invitation: a secret of a node that waits for one and of whoever invites it.
//!
//! Each side shows a key in the handshake that only who knows the secret can have, and a different one, so neither can
//! be played back to the other. The code stays in the node's folder until it was used.

use super::{IdentityError, TokenKey, private_file};
use data_encoding::BASE64URL_NOPAD;
use odeon_convention::codes;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

const PREFIX: &str = "odeon-invite1.";
const CHECKSUM_BYTES: usize = 4;
const FILE: &str = "invite.code";
/// Characters of a code's text at most.
const TEXT_BYTES_MAX: usize = 256;

/// What lets one leader invite one node.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InviteCode {
    secret: [u8; 32],
}

/// The text is not a code. It is not repeated: it may be one but for a slip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the code of the invitation {0}")]
pub(crate) struct NotACode(&'static str);

impl NotACode {
    pub(crate) fn code(&self) -> u16 {
        codes::TOKEN_MALFORMED
    }
}

impl InviteCode {
    fn create() -> Result<Self, IdentityError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| IdentityError::Certificate(e.to_string()))?;
        Ok(Self { secret })
    }

    /// The one that this folder waits with: that of an earlier start, or else a new one.
    pub(crate) fn of_folder(data: &Path) -> Result<Self, IdentityError> {
        let path = data.join(FILE);
        if path.exists() {
            let text = private_file::read_private(&path)?;
            let wrong = |e: NotACode| IdentityError::corrupt(&path, e.to_string(), "the code of an invitation");
            return text.parse().map_err(wrong);
        }
        let code = Self::create()?;
        private_file::write(&path, code.to_string().as_bytes())?;
        Ok(code)
    }

    /// It was used: the next one is another.
    pub(crate) fn forget(data: &Path) -> Result<(), IdentityError> {
        let path = data.join(FILE);
        std::fs::remove_file(&path).map_err(IdentityError::unwritable(&path))
    }

    /// The key that the node that waits shows.
    pub(crate) fn waiting_key(&self) -> Result<TokenKey, IdentityError> {
        self.key("waits")
    }

    /// The key that the one who invites shows.
    pub(crate) fn inviting_key(&self) -> Result<TokenKey, IdentityError> {
        self.key("invites")
    }

    fn key(&self, who: &str) -> Result<TokenKey, IdentityError> {
        let seed = Sha256::new().chain_update(b"odeon invitation ").chain_update(who).chain_update(self.secret);
        TokenKey::from_secret(&seed.finalize().into())
    }
}

fn checksum(secret: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(secret).into();
    [digest[0], digest[1], digest[2], digest[3]]
}

impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.secret[..], &checksum(&self.secret)].concat();
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode")
    }
}

impl FromStr for InviteCode {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, NotACode> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotACode("is too long"));
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(NotACode("does not start with \"odeon-invite1.\""))?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| NotACode("is not base64url"))?;
        let (secret, found) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(NotACode("is too short"))?;
        if checksum(secret) != *found {
            return Err(NotACode("does not fit its checksum: it was cut or mistyped"));
        }
        Ok(Self { secret: secret.try_into().map_err(|_| NotACode("has another length"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_back_and_a_slip_in_it_is_noticed() {
        let code = InviteCode::create().unwrap();
        let text = code.to_string();
        assert_eq!(text.parse(), Ok(code));
        for at in PREFIX.len()..text.len() {
            let mut slip = text.clone().into_bytes();
            slip[at] = if slip[at] == b'A' { b'B' } else { b'A' };
            assert!(String::from_utf8(slip).unwrap().parse::<InviteCode>().is_err(), "{at}");
        }
    }

    #[test]
    fn a_folder_keeps_its_code_until_it_is_used_and_each_side_has_a_key_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let code = InviteCode::of_folder(dir.path()).unwrap();
        assert_eq!(InviteCode::of_folder(dir.path()).unwrap(), code);
        assert_ne!(code.waiting_key().unwrap().id(), code.inviting_key().unwrap().id());
        InviteCode::forget(dir.path()).unwrap();
        assert_ne!(InviteCode::of_folder(dir.path()).unwrap(), code);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(odeon-invite1\\.)?[A-Za-z0-9_-]{0,60}|\\PC{0,300}") {
            let _ = text.parse::<InviteCode>();
        }
    }
}
