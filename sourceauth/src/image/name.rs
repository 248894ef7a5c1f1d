//! Which names a file in an image may have: those that mean the same place on every system, inside the image.

use crate::limits::{NAME_BYTES_MAX, NAME_DEPTH_MAX};

/// Why a name is refused. Reads on after "its name" or "it".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("has {bytes} bytes, expected at most {NAME_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("has other characters than ASCII without the flag that says UTF-8")]
    NotMarkedUtf8,
    #[error("has the control character {0:?}")]
    Control(char),
    #[error("has a backslash, expected slashes")]
    Backslash,
    #[error("has a colon, which names a drive or a stream on some systems")]
    Colon,
    #[error("is absolute, expected a relative path")]
    Absolute,
    #[error("has the part {0:?}, expected a path that stays where it is")]
    Dots(String),
    #[error("has an empty part between two slashes or at its end")]
    EmptyPart,
    #[error("has the part {0:?}, which ends in a dot or a space")]
    Trailing(String),
    #[error("has {depth} parts, expected at most {NAME_DEPTH_MAX}")]
    TooDeep { depth: usize },
}

/// Checks the name of a file in an image.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    if let Some(c) = name.chars().find(|c| c.is_control()) {
        return Err(NameError::Control(c));
    }
    if name.contains('\\') {
        return Err(NameError::Backslash);
    }
    if name.contains(':') {
        return Err(NameError::Colon);
    }
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    let depth = name.split('/').count();
    if depth > NAME_DEPTH_MAX {
        return Err(NameError::TooDeep { depth });
    }
    name.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), NameError> {
    match part {
        "" => Err(NameError::EmptyPart),
        "." | ".." => Err(NameError::Dots(part.to_owned())),
        _ if part.ends_with(['.', ' ']) => Err(NameError::Trailing(part.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_relative_names_are_good() {
        for name in ["odeon.toml", "a/b/c.txt", ".hidden", "größe/ü.txt", "a b", "..a", "1/2/3/4/5/6/7/8"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn every_other_name_says_why() {
        let cases = [
            ("", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("../x", NameError::Dots("..".into())),
            ("a/../../x", NameError::Dots("..".into())),
            ("./x", NameError::Dots(".".into())),
            ("a//b", NameError::EmptyPart),
            ("a/", NameError::EmptyPart),
            ("a\\b", NameError::Backslash),
            ("C:x", NameError::Colon),
            ("a\0b", NameError::Control('\0')),
            ("a\nb", NameError::Control('\n')),
            ("a./b", NameError::Trailing("a.".into())),
            ("1/2/3/4/5/6/7/8/9", NameError::TooDeep { depth: 9 }),
        ];
        for (name, expected) in cases {
            assert_eq!(check_name(name), Err(expected), "{name:?}");
        }
        assert_eq!(check_name(&"a".repeat(241)), Err(NameError::TooLong { bytes: 241 }));
    }
}
