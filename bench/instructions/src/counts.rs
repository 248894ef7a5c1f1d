//! The counts that are kept in the repository.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Instructions by the name of what is measured.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// Reads a file of lines like `ring 123`; without the file nothing is known.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| file.display().to_string())?,
        };
        let line = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let lines = text.lines().filter(|l| !l.is_empty());
        let counts = lines.map(|l| line(l).with_context(|| format!("{}: {l:?}", file.display())));
        Ok(Self(counts.collect::<Result<_>>()?))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let mut text = String::new();
        for (name, count) in &self.0 {
            writeln!(text, "{name} {count:.0}")?;
        }
        fs::write(file, text).with_context(|| file.display().to_string())
    }

    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn set(&mut self, name: &str, count: f64) {
        self.0.insert(name.to_owned(), count);
    }
}
