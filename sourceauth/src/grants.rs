//! What code of an image may reach outside of itself: what its manifest asks for, and what a node allows.
//!
//! Both are written alike, so that what is asked for can be copied into a flag. What is allowed covers what is asked for
//! when nothing is in the second that is not in the first. Start with [`Grants::beyond`].

mod remote;

pub use remote::{Host, Remote};

use crate::limits::{ENVIRONMENT_NAME_BYTES_MAX, FOLDER_BYTES_MAX};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What an image asks for, or a node allows. Nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Where TCP connections may go.
    pub outbound: Vec<Remote>,
    /// Folders of the node, with everything below.
    pub folders: Vec<FolderGrant>,
    /// Variables of the node's own environment.
    pub environment: Vec<EnvironmentName>,
}

/// A folder of a node: `/srv/data` to read, `/srv/data:rw` to read and write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderGrant {
    path: String,
    write: bool,
}

/// The name of a variable: letters, digits and underscores, and not one of the node's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentName(String);

/// Why a text names nothing that can be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}, expected {expected}")]
pub struct GrantError {
    /// The text.
    pub found: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl GrantError {
    fn new(found: &str, expected: &'static str) -> Self {
        let end = found.floor_char_boundary(FOLDER_BYTES_MAX);
        Self { found: found[..end].to_owned(), expected }
    }
}

impl Grants {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.outbound.is_empty() && self.folders.is_empty() && self.environment.is_empty()
    }

    /// What of this is not covered by what is allowed, each as the flag of `odeon up` that would allow it.
    pub fn beyond(&self, allowed: &Self) -> Vec<String> {
        let outbound = self.outbound.iter().filter(|ask| !allowed.covers_remote(ask));
        let folders = self.folders.iter().filter(|ask| !allowed.covers_folder(ask));
        let environment = self.environment.iter().filter(|ask| !allowed.environment.contains(ask));
        let outbound = outbound.map(|ask| format!("--allow-outbound {ask}"));
        let folders = folders.map(|ask| format!("--allow-folder {ask}"));
        let environment = environment.map(|ask| format!("--allow-environment {ask}"));
        outbound.chain(folders).chain(environment).collect()
    }

    /// What of this is allowed as well.
    pub fn within(&self, allowed: &Self) -> Self {
        let outbound = self.outbound.iter().filter(|ask| allowed.covers_remote(ask));
        let folders = self.folders.iter().filter(|ask| allowed.covers_folder(ask));
        let environment = self.environment.iter().filter(|ask| allowed.environment.contains(ask));
        Self {
            outbound: outbound.cloned().collect(),
            folders: folders.cloned().collect(),
            environment: environment.cloned().collect(),
        }
    }

    fn covers_remote(&self, ask: &Remote) -> bool {
        self.outbound.iter().any(|allowed| allowed.covers(ask))
    }

    fn covers_folder(&self, ask: &FolderGrant) -> bool {
        self.folders.iter().any(|allowed| allowed.covers(ask))
    }
}

impl FolderGrant {
    /// The folder's path: a whole one, in its shortest form.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// Whether what is in it may be changed.
    pub fn write(&self) -> bool {
        self.write
    }

    /// Whether whoever is granted this has all of the other.
    pub fn covers(&self, other: &Self) -> bool {
        other.path().starts_with(self.path()) && (self.write || !other.write)
    }
}

impl FromStr for FolderGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (path, write) = text.strip_suffix(":rw").map_or((text, false), |path| (path, true));
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
        let good = path == "/" || path.strip_prefix('/').is_some_and(|below| below.split('/').all(is_part));
        if !good || path.len() > FOLDER_BYTES_MAX {
            return Err(GrantError::new(
                text,
                "the whole path of a folder, without \"..\", and :rw behind it to write",
            ));
        }
        Ok(Self { path: path.to_owned(), write })
    }
}

impl fmt::Display for FolderGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.write { ":rw" } else { "" })
    }
}

impl EnvironmentName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let mut bytes = text.bytes();
        let good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good || text.len() > ENVIRONMENT_NAME_BYTES_MAX {
            return Err(GrantError::new(text, "a letter or underscore, then letters, digits and underscores"));
        }
        // A join token may be there.
        if text.starts_with("ODEON_") {
            return Err(GrantError::new(text, "another name: those that begin with ODEON_ are the node's own"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(outbound: &[&str], folders: &[&str], environment: &[&str]) -> Grants {
        Grants {
            outbound: outbound.iter().map(|text| text.parse().unwrap()).collect(),
            folders: folders.iter().map(|text| text.parse().unwrap()).collect(),
            environment: environment.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn what_is_not_allowed_is_named_with_the_flag_that_would_allow_it() {
        let asks = grants(&["db:5432", "10.0.0.0/8:443"], &["/srv/data", "/srv/out:rw"], &["ZONE", "RACK"]);
        assert_eq!(
            asks.beyond(&Grants::default()),
            [
                "--allow-outbound db:5432",
                "--allow-outbound 10.0.0.0/8:443",
                "--allow-folder /srv/data",
                "--allow-folder /srv/out:rw",
                "--allow-environment ZONE",
                "--allow-environment RACK",
            ]
        );
        let some = grants(&["*:5432"], &["/srv"], &["ZONE"]);
        assert_eq!(
            asks.beyond(&some),
            ["--allow-outbound 10.0.0.0/8:443", "--allow-folder /srv/out:rw", "--allow-environment RACK"]
        );
        assert_eq!(asks.within(&some), grants(&["db:5432"], &["/srv/data"], &["ZONE"]));
        assert!(asks.beyond(&asks).is_empty());
        assert_eq!(asks.within(&asks), asks);
        assert!(Grants::default().beyond(&Grants::default()).is_empty() && asks.within(&Grants::default()).is_empty());
    }

    #[test]
    fn a_folder_covers_what_is_below_it_and_writing_covers_reading() {
        let covers = |allowed: &str, ask: &str| {
            allowed.parse::<FolderGrant>().unwrap().covers(&ask.parse::<FolderGrant>().unwrap())
        };
        for (allowed, ask) in [("/srv", "/srv"), ("/srv", "/srv/a/b"), ("/srv:rw", "/srv/a"), ("/", "/etc"), ("/", "/")]
        {
            assert!(covers(allowed, ask), "{allowed} {ask}");
        }
        for (allowed, ask) in [("/srv", "/srvx"), ("/srv/a", "/srv"), ("/srv", "/srv:rw"), ("/srv/a", "/srv/b")] {
            assert!(!covers(allowed, ask), "{allowed} {ask}");
        }
    }

    #[test]
    fn what_names_no_folder_and_no_variable_is_refused_with_what_was_expected() {
        let long = format!("/{}", "x".repeat(FOLDER_BYTES_MAX));
        for text in ["", "srv", "/srv/", "/srv//a", "/srv/../etc", "/./srv", "/srv:rw:rw/", "//", "/a\n", &long] {
            let refused = text.parse::<FolderGrant>();
            assert!(refused.as_ref().is_err_and(|e| e.found.len() <= FOLDER_BYTES_MAX), "{text:?}: {refused:?}");
        }
        assert_eq!("/".parse::<FolderGrant>().unwrap().to_string(), "/");
        assert_eq!("/a b/ä:rw".parse::<FolderGrant>().unwrap().to_string(), "/a b/ä:rw");
        let long = "x".repeat(ENVIRONMENT_NAME_BYTES_MAX + 1);
        for text in ["", "1A", "A=B", "A B", "Ä", "ODEON_JOIN", &long] {
            assert!(text.parse::<EnvironmentName>().is_err(), "{text:?}");
        }
        assert_eq!("_zone2".parse::<EnvironmentName>().unwrap().as_str(), "_zone2");
    }
}
