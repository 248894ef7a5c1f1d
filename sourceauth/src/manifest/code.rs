//! Where the code of an image is: one file, or one for each processor architecture.

use std::collections::BTreeMap;

/// The architectures that a manifest may name, as Rust calls them (`std::env::consts::ARCH`).
pub const ARCHITECTURES: &[&str] = &["aarch64", "arm", "powerpc64", "riscv64", "s390x", "x86", "x86_64"];

/// The files of an image that hold its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// One for every architecture.
    Any(String),
    /// A program for each of some architectures.
    ByArchitecture(BTreeMap<String, String>),
}

impl Code {
    /// The file for an architecture, if there is one.
    pub fn of(&self, architecture: &str) -> Option<&str> {
        match self {
            Self::Any(file) => Some(file),
            Self::ByArchitecture(files) => files.get(architecture).map(String::as_str),
        }
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::Any(file) => (Some(file), None),
            Self::ByArchitecture(files) => (None, Some(files.values())),
        };
        one.into_iter().chain(many.into_iter().flatten()).map(String::as_str)
    }
}
