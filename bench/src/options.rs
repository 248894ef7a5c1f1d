//! What the benchmark programs understand on their command line.

use anyhow::{Context, Result, bail, ensure};

/// Rounds unless said otherwise.
const ROUNDS: usize = 7;

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Sizes that take seconds in all: shows that everything works and arrives, and measures nothing.
    pub quick: bool,
    /// How often each contestant has its turn.
    pub rounds: usize,
    /// Put the tables into `docs/benchmarks.md` as well.
    pub write: bool,
    /// Only what has one of these words in its name; all when empty.
    pub only: Vec<String>,
}

impl Options {
    /// Reads `[--quick] [--rounds N] [--write] [WORD]...`.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self { quick: false, rounds: 0, write: false, only: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--rounds" => {
                    let rounds = arguments.next().context("--rounds needs a number")?;
                    options.rounds = rounds.parse().with_context(|| format!("--rounds {rounds:?} is no number"))?;
                    ensure!(options.rounds > 0, "--rounds 0: expected at least 1");
                }
                flag if flag.starts_with('-') => {
                    bail!("found {flag}, expected --quick, --rounds N, --write or a word of a measure's name")
                }
                word => options.only.push(word.to_owned()),
            }
        }
        ensure!(!(options.quick && options.write), "a quick run measures nothing: it is not written into the page");
        ensure!(
            !options.write || options.only.is_empty(),
            "--write replaces whole tables: it cannot go with {:?}",
            options.only
        );
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { ROUNDS };
        }
        Ok(options)
    }

    /// Whether a measure of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }

    /// A size, or its hundredth in a quick run.
    pub fn size(&self, full: u64) -> u64 {
        if self.quick { (full / 100).max(10) } else { full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_quick_run_is_small_and_never_written() {
        let quick = parse("--quick ask").unwrap();
        assert_eq!(
            (quick.rounds, quick.size(5000), quick.wants("ask, median"), quick.wants("tell")),
            (1, 50, true, false)
        );
        assert!(parse("--quick --write").is_err());
        assert!(parse("--write ask").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(parse("--rounds").is_err());
        assert!(parse("--rounds none").is_err());
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--fast").is_err());
    }
}
