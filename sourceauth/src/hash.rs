//! The source hash: SHA-256 over an image's bytes, its text form, and prefixes of it as people type them.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Hex digits that a prefix has at least.
const PREFIX_DIGITS_MIN: usize = 8;
const DIGITS: usize = 64;

/// The SHA-256 of an image's bytes. Its text form is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceHash(pub [u8; 32]);

/// The hash of bytes that are all there.
pub fn hash(bytes: &[u8]) -> SourceHash {
    SourceHash(Sha256::digest(bytes).into())
}

/// A hash that is fed piece by piece.
#[derive(Clone, Default)]
pub struct Hashing(Sha256);

/// The first 8 to 64 hex digits of a hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HashPrefix(String);

/// Why a text is not a hash or a prefix of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseHashError {
    #[error("source hash of {found} characters: expected {DIGITS} hex digits")]
    Length { found: usize },
    #[error("prefix of a source hash of {found} characters: expected {PREFIX_DIGITS_MIN} to {DIGITS} hex digits")]
    PrefixLength { found: usize },
    #[error("source hash with the character {found:?} at {at}: expected hex digits")]
    Digit { found: char, at: usize },
}

impl Hashing {
    /// A hash over nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything that was added.
    pub fn finish(self) -> SourceHash {
        SourceHash(self.0.finalize().into())
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceHash({self})")
    }
}

impl FromStr for SourceHash {
    type Err = ParseHashError;

    /// Takes upper case too: hashes are pasted from other tools.
    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        check_digits(text)?;
        let wrong_length = || ParseHashError::Length { found: text.chars().count() };
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong_length())?;
        Ok(Self(bytes.try_into().map_err(|_| wrong_length())?))
    }
}

impl HashPrefix {
    /// Whether the hash begins with these digits.
    pub fn matches(&self, hash: &SourceHash) -> bool {
        hash.to_string().starts_with(&self.0)
    }

    /// The digits, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HashPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HashPrefix {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        check_digits(text)?;
        if !(PREFIX_DIGITS_MIN..=DIGITS).contains(&text.len()) {
            return Err(ParseHashError::PrefixLength { found: text.len() });
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

fn check_digits(text: &str) -> Result<(), ParseHashError> {
    match text.char_indices().find(|(_, c)| !c.is_ascii_hexdigit()) {
        Some((at, found)) => Err(ParseHashError::Digit { found, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_hash_of_nothing_is_the_known_one() {
        assert_eq!(hash(b"").to_string(), EMPTY);
    }

    #[test]
    fn a_hash_fed_in_pieces_is_the_hash_of_the_whole() {
        let mut hashing = Hashing::new();
        for piece in b"some bytes of an image".chunks(5) {
            hashing.update(piece);
        }
        assert_eq!(hashing.finish(), hash(b"some bytes of an image"));
    }

    #[test]
    fn a_hash_is_read_back_from_its_text_in_either_case() {
        assert_eq!(EMPTY.parse(), Ok(hash(b"")));
        assert_eq!(EMPTY.to_uppercase().parse(), Ok(hash(b"")));
    }

    #[test]
    fn texts_that_are_no_hash_say_what_is_wrong() {
        assert_eq!(EMPTY[1..].parse::<SourceHash>(), Err(ParseHashError::Length { found: 63 }));
        let with_x = format!("{}x", &EMPTY[1..]);
        assert_eq!(with_x.parse::<SourceHash>(), Err(ParseHashError::Digit { found: 'x', at: 63 }));
        assert_eq!("e3b0c44".parse::<HashPrefix>(), Err(ParseHashError::PrefixLength { found: 7 }));
        assert_eq!(format!("{EMPTY}0").parse::<HashPrefix>(), Err(ParseHashError::PrefixLength { found: 65 }));
        assert!("é3b0c4429".parse::<HashPrefix>().is_err());
    }

    #[test]
    fn a_prefix_of_eight_digits_matches_its_hash_only() {
        let prefix: HashPrefix = "E3B0C442".parse().unwrap();
        assert!(prefix.matches(&hash(b"")));
        assert!(!prefix.matches(&hash(b"x")));
        assert!(EMPTY.parse::<HashPrefix>().unwrap().matches(&hash(b"")));
    }
}
