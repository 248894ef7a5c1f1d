//! Images that are encrypted with age, and the keys that a leader has for them.
//!
//! Only native keys (`age-keygen`) are taken: no passphrases, whose work a stranger would choose, and no keys of ssh. What
//! is decrypted is bytes, and goes the way of all that is pushed.

use crate::limits::{AGE_HEADER_BYTES_MAX, IMAGE_BYTES_MAX};
use age::x25519::Identity;
use age::{DecryptError, Decryptor};
use std::fmt;
use std::io::Read;

/// How a file begins that is encrypted.
const BEGIN: &[u8] = b"age-encryption.org/v1\n";
/// How the last line of its header begins.
const HEADER_END: &[u8] = b"\n--- ";

/// The keys that decrypt. Neither these nor what is said of them shows any of it.
#[derive(Clone)]
pub struct Identities(Vec<Identity>);

/// Why a text has no such keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum IdentitiesError {
    #[error("line {line} is neither a comment nor a native age identity (AGE-SECRET-KEY-1…)")]
    Line { line: usize },
    #[error("there is no age identity in it")]
    Empty,
}

/// Why something cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum EncryptionError {
    #[error("it is not encrypted for any of the age identities that this leader has")]
    NotForUs,
    #[error("its age header is malformed, or longer than {AGE_HEADER_BYTES_MAX} bytes")]
    Header,
    #[error("it is damaged or cut off: what is encrypted in it does not verify")]
    Damaged,
    #[error("what is encrypted in it is larger than {IMAGE_BYTES_MAX} bytes")]
    TooLarge,
}

/// Whether a file says that it is encrypted.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(BEGIN)
}

impl Identities {
    /// Reads an identity file as `age-keygen` writes it.
    pub fn parse(text: &str) -> Result<Self, IdentitiesError> {
        let mut identities = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('#') {
                identities.push(text.parse().map_err(|_| IdentitiesError::Line { line })?);
            }
        }
        if identities.is_empty() { Err(IdentitiesError::Empty) } else { Ok(Self(identities)) }
    }

    /// What is encrypted, if it is for one of these and nothing of it was changed.
    pub fn decrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        // The library reads a header again from its start with every line.
        let head = &bytes[..bytes.len().min(AGE_HEADER_BYTES_MAX)];
        if !is_encrypted(bytes) || !head.windows(HEADER_END.len()).any(|at| at == HEADER_END) {
            return Err(EncryptionError::Header);
        }
        let decryptor = Decryptor::new_buffered(bytes).map_err(because)?;
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).map_err(because)?;
        let mut image = Vec::new();
        reader.take(IMAGE_BYTES_MAX as u64 + 1).read_to_end(&mut image).map_err(|_| EncryptionError::Damaged)?;
        if image.len() > IMAGE_BYTES_MAX { Err(EncryptionError::TooLarge) } else { Ok(image) }
    }
}

fn because(error: DecryptError) -> EncryptionError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => EncryptionError::NotForUs,
        DecryptError::DecryptionFailed | DecryptError::InvalidMac => EncryptionError::Damaged,
        // What else there is concerns the header, passphrases among it.
        _ => EncryptionError::Header,
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret;
    use proptest::prelude::*;

    fn pair() -> (Identities, age::x25519::Recipient) {
        let identity = Identity::generate();
        let text = format!("# created: now\n\n{}\n", identity.to_string().expose_secret());
        (Identities::parse(&text).unwrap(), identity.to_public())
    }

    #[test]
    fn what_is_encrypted_for_one_of_the_keys_is_decrypted_and_for_another_not() {
        let ((ours, recipient), (theirs, _)) = (pair(), pair());
        let image: Vec<u8> = (0..200_000).map(|n| n as u8).collect();
        let encrypted = age::encrypt(&recipient, &image).unwrap();
        assert!(is_encrypted(&encrypted) && !is_encrypted(&image));
        assert_eq!(ours.decrypt(&encrypted), Ok(image));
        assert_eq!(theirs.decrypt(&encrypted), Err(EncryptionError::NotForUs));
        assert_eq!(ours.decrypt(b"PK"), Err(EncryptionError::Header));
    }

    #[test]
    fn what_was_changed_or_cut_off_is_refused() {
        let (ours, recipient) = pair();
        let encrypted = age::encrypt(&recipient, &[7; 100_000]).unwrap();
        for at in [encrypted.len() - 1, encrypted.len() / 2, encrypted.len() - 100_000] {
            let mut changed = encrypted.clone();
            changed[at] ^= 1;
            assert_eq!(ours.decrypt(&changed), Err(EncryptionError::Damaged), "at {at}");
        }
        for end in [1, 16, 1000, 90_000] {
            assert!(ours.decrypt(&encrypted[..encrypted.len() - end]).is_err(), "{end} bytes less");
        }
        assert!(ours.decrypt(&[&encrypted[..], b"more"].concat()).is_err());
    }

    #[test]
    fn a_header_without_end_is_refused_before_it_is_read() {
        let (ours, _) = pair();
        let lines = b"-> X25519 AAAA\n".repeat(AGE_HEADER_BYTES_MAX / 8);
        assert_eq!(ours.decrypt(&[BEGIN, &lines].concat()), Err(EncryptionError::Header));
    }

    #[test]
    fn a_text_that_is_no_identity_is_refused_without_showing_it() {
        let secret = Identity::generate().to_string().expose_secret().to_owned();
        let error = Identities::parse(&format!("# key\n{secret}x\n")).unwrap_err();
        assert_eq!(error, IdentitiesError::Line { line: 2 });
        assert!(!error.to_string().contains(&secret));
        assert_eq!(Identities::parse("# nothing\n").unwrap_err(), IdentitiesError::Empty);
        let identities = Identities::parse(&secret).unwrap();
        assert_eq!(format!("{identities:?}"), "Identities(1)");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(damage: proptest::sample::Index, with: u8, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (ours, recipient) = pair();
            let mut bytes = age::encrypt(&recipient, &tail).unwrap();
            let at = damage.index(bytes.len());
            bytes[at] ^= with;
            let decrypted = ours.decrypt(&bytes);
            prop_assert!(with == 0 || decrypted.is_err());
            let _ = ours.decrypt(&[BEGIN, &tail].concat());
        }
    }
}
