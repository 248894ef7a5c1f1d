//! An image's version and the order of versions.

use crate::limits::VERSION_BYTES_MAX;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version: digits, letters and dots, or nothing at all.
///
/// Order: no version is the lowest. Parts are compared from the left, cut at dots and between digits and letters.
/// Digits compare as numbers of any length, letters as text, letters are lower than digits, and a version that ends
/// is lower than one that goes on with digits and higher than one that goes on with letters: `1.0rc1 < 1.0 < 1.0.1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Version(String);

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VersionError {
    #[error("version of {bytes} bytes is longer than {VERSION_BYTES_MAX} bytes")]
    TooLong { bytes: usize },
    #[error("version {found:?}: expected digits, letters and dots, with something between the dots")]
    Characters { found: String },
}

/// One run of digits or letters. The order of the variants is the order of versions.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Letters(&'a str),
    End,
    /// The count of digits without leading zeros comes first: of two numbers the longer is the larger.
    Number(usize, &'a str),
}

impl Version {
    /// No version: lower than any other.
    pub fn none() -> Self {
        Self::default()
    }

    /// The text; empty for no version.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let runs = self
            .0
            .split('.')
            .flat_map(|part| part.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).map(run));
        runs.chain(std::iter::once(Run::End))
    }
}

fn run(bytes: &[u8]) -> Run<'_> {
    // The text was checked to be ASCII, so the cut is never inside a character.
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b) if b.is_ascii_digit() => {
            let digits = text.trim_start_matches('0');
            Run::Number(digits.len(), digits)
        }
        Some(_) => Run::Letters(text),
        None => Run::End,
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // `01` and `1` are the same number but not the same version, so the text decides last.
        let either_is_none = || self.0.is_empty().cmp(&other.0.is_empty()).reverse();
        either_is_none().then_with(|| self.runs().cmp(other.runs())).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// The empty text is no version.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > VERSION_BYTES_MAX {
            return Err(VersionError::TooLong { bytes: text.len() });
        }
        let part_is_good = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if !text.is_empty() && !text.split('.').all(part_is_good) {
            return Err(VersionError::Characters { found: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_as_people_expect() {
        let ascending =
            ["", "a", "0.9", "1", "1.0rc1", "1.0rc2", "1.0rc10", "1.0", "1.0.1", "1.2", "1.10", "1.10.0", "2"];
        for (i, lower) in ascending.iter().enumerate() {
            for higher in &ascending[i + 1..] {
                assert!(version(lower) < version(higher), "{lower:?} < {higher:?}");
            }
        }
    }

    #[test]
    fn numbers_longer_than_any_integer_compare_as_numbers() {
        assert!(version("99999999999999999999999999") < version("100000000000000000000000000"));
    }

    #[test]
    fn other_characters_and_empty_parts_are_refused() {
        for text in ["1..0", ".1", "1.", "1-0", "1 0", "1.0é", "../x"] {
            assert_eq!(text.parse::<Version>(), Err(VersionError::Characters { found: text.to_owned() }));
        }
        assert_eq!("1".repeat(65).parse::<Version>(), Err(VersionError::TooLong { bytes: 65 }));
    }

    proptest! {
        #[test]
        fn the_order_is_total(
            a in "([0-9a-c]{1,3}(\\.[0-9a-c]{1,3}){0,3})?",
            b in "([0-9a-c]{1,3}(\\.[0-9a-c]{1,3}){0,3})?",
            c in "([0-9a-c]{1,3}(\\.[0-9a-c]{1,3}){0,3})?",
        ) {
            let (a, b, c) = (version(&a), version(&b), version(&c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
