//! An approval statement: a short text that says which image may be used, and from when to when. It is signed instead of
//! the image, in a namespace of its own, by whoever wants to say more than "yes".
//!
//! There is one way to write each statement, so that what was signed is what was read: a text that says the same in
//! another form is refused.

use crate::limits::STATEMENT_BYTES_MAX;
use crate::time::{format_unix_s, read_unix_s};
use crate::{Image, SourceHash, Version};
use std::fmt;
use std::str::FromStr;

/// The namespace that the signature over a statement has.
pub const STATEMENT_NAMESPACE: &str = "odeon-approval";

const HEADER: &str = "odeon-approval 1";

/// Which image may be used, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The image's hash.
    pub hash: SourceHash,
    /// The name in its manifest.
    pub name: String,
    /// The version in its manifest.
    pub version: Version,
    /// Seconds since 1970 from which on it counts.
    pub not_before_unix_s: Option<u64>,
    /// Seconds since 1970 up to which it counts.
    pub not_after_unix_s: Option<u64>,
}

/// Why a text is not a statement, or not one on this image now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum StatementError {
    #[error("statement of {bytes} bytes is larger than {STATEMENT_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("statement line {line}: found {found:?}, expected {expected}")]
    Line { line: usize, found: String, expected: &'static str },
    #[error("statement is not in the form that `odeon image sign --statement` writes")]
    NotCanonical,
    #[error("statement counts until {not_after}, which is before {not_before}")]
    Times { not_before: String, not_after: String },
    #[error("statement without a signature: sign it with `ssh-keygen -Y sign -n {STATEMENT_NAMESPACE} -f KEY FILE`")]
    Unsigned,
    #[error("signature does not fit the statement: it was changed after signing")]
    Mismatch,
    #[error("statement on the image {found}, and this one is {expected}")]
    OtherImage { found: String, expected: String },
    #[error("statement counts from {not_before} on")]
    NotYet { not_before: String },
    #[error("statement counted until {not_after}")]
    Over { not_after: String },
}

impl Statement {
    /// A statement on this image without times.
    pub fn on(image: &Image) -> Self {
        let manifest = image.manifest();
        Self {
            hash: image.hash(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            not_before_unix_s: None,
            not_after_unix_s: None,
        }
    }

    /// Whether a text is meant to be one, with a signature behind it or without.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("odeon-approval ")
    }

    /// Checks the times against each other.
    pub fn with_times(self, not_before: Option<u64>, not_after: Option<u64>) -> Result<Self, StatementError> {
        match (not_before, not_after) {
            (Some(before), Some(after)) if after < before => {
                Err(StatementError::Times { not_before: format_unix_s(before), not_after: format_unix_s(after) })
            }
            _ => Ok(Self { not_before_unix_s: not_before, not_after_unix_s: not_after, ..self }),
        }
    }

    /// Whether it is on this image.
    pub(crate) fn is_on(&self, image: &Image) -> Result<(), StatementError> {
        let Self { hash, name, version, .. } = Self::on(image);
        if (&hash, &name, &version) == (&self.hash, &self.name, &self.version) {
            return Ok(());
        }
        let all = |hash: &SourceHash, name: &str, version: &Version| format!("{name}@{version} {hash}");
        let (found, expected) = (all(&self.hash, &self.name, &self.version), all(&hash, &name, &version));
        Err(StatementError::OtherImage { found, expected })
    }

    /// Whether it counts at a time.
    pub(crate) fn counts_at(&self, now_unix_s: u64) -> Result<(), StatementError> {
        match (self.not_before_unix_s, self.not_after_unix_s) {
            (Some(before), _) if now_unix_s < before => {
                Err(StatementError::NotYet { not_before: format_unix_s(before) })
            }
            (_, Some(after)) if now_unix_s > after => Err(StatementError::Over { not_after: format_unix_s(after) }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Statement {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |unix_s: Option<u64>| unix_s.map_or_else(String::new, |s| format!(" {}", format_unix_s(s)));
        let version = if self.version == Version::none() { String::new() } else { format!(" {}", self.version) };
        writeln!(f, "{HEADER}\nhash: {}\nname: {}\nversion:{version}", self.hash, self.name)?;
        writeln!(f, "not-before:{}", time(self.not_before_unix_s))?;
        writeln!(f, "not-after:{}", time(self.not_after_unix_s))
    }
}

impl FromStr for Statement {
    type Err = StatementError;

    fn from_str(text: &str) -> Result<Self, StatementError> {
        if text.len() > STATEMENT_BYTES_MAX {
            return Err(StatementError::TooLarge { bytes: text.len() });
        }
        let mut lines = Lines { lines: text.split('\n'), number: 0 };
        lines.read(HEADER, |rest| rest.is_empty().then_some(()))?;
        let statement = Self {
            hash: lines.read("hash: and 64 hex digits", |rest| rest.strip_prefix("hash: ")?.parse().ok())?,
            name: lines.read("name: and the image's name", |rest| name(rest.strip_prefix("name: ")?))?,
            version: lines.read("version: and the image's version, if any", |rest| {
                match value(rest.strip_prefix("version:")?)? {
                    Some(version) => version.parse().ok(),
                    None => Some(Version::none()),
                }
            })?,
            not_before_unix_s: lines.read("not-before: and a time, if any", |rest| time(rest, "not-before:"))?,
            not_after_unix_s: lines.read("not-after: and a time, if any", |rest| time(rest, "not-after:"))?,
        };
        let (before, after) = (statement.not_before_unix_s, statement.not_after_unix_s);
        let statement = statement.with_times(before, after)?;
        if statement.to_string() == text { Ok(statement) } else { Err(StatementError::NotCanonical) }
    }
}

struct Lines<'a> {
    lines: std::str::Split<'a, char>,
    number: usize,
}

impl<'a> Lines<'a> {
    /// The next line, as `read` takes it.
    fn read<T>(&mut self, expected: &'static str, read: impl Fn(&'a str) -> Option<T>) -> Result<T, StatementError> {
        self.number += 1;
        let line = self.lines.next().unwrap_or_default();
        // Of the first line the rest is what is behind the header.
        let rest = if self.number == 1 { line.strip_prefix(HEADER) } else { Some(line) };
        rest.and_then(read).ok_or_else(|| StatementError::Line {
            line: self.number,
            found: line.chars().take(80).collect(),
            expected,
        })
    }
}

/// What is behind the colon: nothing, or a space and something.
fn value(rest: &str) -> Option<Option<&str>> {
    if rest.is_empty() { Some(None) } else { rest.strip_prefix(' ').filter(|v| !v.is_empty()).map(Some) }
}

fn name(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
}

fn time(line: &str, key: &str) -> Option<Option<u64>> {
    match value(line.strip_prefix(key)?)? {
        Some(text) => read_unix_s(text).map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;
    use crate::limits::{IMAGE_NAME_BYTES_MAX, VERSION_BYTES_MAX};
    use proptest::prelude::*;

    fn statement() -> Statement {
        Statement {
            hash: hash(b"an image"),
            name: "hello".into(),
            version: "1.0.0".parse().unwrap(),
            not_before_unix_s: Some(1_577_836_800),
            not_after_unix_s: None,
        }
    }

    #[test]
    fn a_statement_is_six_lines_and_is_read_back() {
        let text = statement().to_string();
        let expected = format!(
            "odeon-approval 1\nhash: {}\nname: hello\nversion: 1.0.0\nnot-before: 2020-01-01T00:00:00Z\nnot-after:\n",
            hash(b"an image")
        );
        assert_eq!(text, expected);
        assert_eq!(text.parse(), Ok(statement()));
        let without = Statement { version: Version::none(), not_before_unix_s: None, ..statement() };
        assert!(without.to_string().contains("\nversion:\nnot-before:\nnot-after:\n"), "{without}");
        assert_eq!(without.to_string().parse(), Ok(without));
    }

    #[test]
    fn whatever_is_another_text_is_refused_with_its_line() {
        let text = statement().to_string();
        for (from, to, line) in [
            ("odeon-approval 1", "odeon-approval 2", 1),
            ("odeon-approval 1", "odeon-approval 1 ", 1),
            ("hash: ", "hash:  ", 2),
            ("hash: ", "Hash: ", 2),
            ("name: hello", "name: ", 3),
            ("name: hello", "name: he llo", 3),
            ("1.0.0", "1..0", 4),
            ("version: 1.0.0", "version: ", 4),
            ("2020-01-01T00:00:00Z", "soon", 5),
            ("2020-01-01T00:00:00Z", "2020-02-30T00:00:00Z", 5),
            ("\nnot-after:", "", 6),
        ] {
            assert!(text.contains(from));
            match text.replacen(from, to, 1).parse::<Statement>() {
                Err(StatementError::Line { line: found, .. }) => assert_eq!(found, line, "{to:?}"),
                other => panic!("{to:?}: {other:?}"),
            }
        }
        let upper = text.replacen(&hash(b"an image").to_string(), &hash(b"an image").to_string().to_uppercase(), 1);
        for other in [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}and more"),
            text.replacen("2020-01-01T00:00:00Z", "20200101", 1),
            upper,
        ] {
            assert_eq!(other.parse::<Statement>(), Err(StatementError::NotCanonical), "{other:?}");
        }
        assert!(matches!(text.replace('\n', "\r\n").parse::<Statement>(), Err(StatementError::Line { line: 1, .. })));
        let huge = "x".repeat(STATEMENT_BYTES_MAX + 1);
        assert!(matches!(huge.parse::<Statement>(), Err(StatementError::TooLarge { .. })));
    }

    #[test]
    fn the_longest_name_and_version_fit() {
        let longest = Statement {
            name: "n".repeat(IMAGE_NAME_BYTES_MAX),
            version: "1".repeat(VERSION_BYTES_MAX).parse().unwrap(),
            not_after_unix_s: Some(crate::time::UNIX_S_MAX),
            ..statement()
        };
        assert_eq!(longest.to_string().parse(), Ok(longest));
    }

    #[test]
    fn it_counts_from_its_first_second_to_its_last() {
        let statement = statement().with_times(Some(100), Some(200)).unwrap();
        assert!(matches!(statement.counts_at(99), Err(StatementError::NotYet { .. })));
        assert_eq!((statement.counts_at(100), statement.counts_at(200)), (Ok(()), Ok(())));
        assert!(matches!(statement.counts_at(201), Err(StatementError::Over { .. })));
        assert!(matches!(statement.with_times(Some(2), Some(1)), Err(StatementError::Times { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}|(odeon-approval 1\nhash: [0-9a-f]{64}\n)?[a-z0-9: .\nTZ-]{0,80}") {
            if let Ok(statement) = text.parse::<Statement>() {
                prop_assert_eq!(statement.to_string(), text);
            }
        }
    }
}
