//! What is told of a failing seed: why, with how little, and how it is seen again.

use super::run::{Reason, Run, run};
use super::shrink::Shrinker;
use super::{SEED_VARIABLE, Simulation};
use crate::system::ActorSystem;
use std::fmt;

/// Why an exploration did not come to a good end.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExploreError {
    /// A seed fails.
    #[error("{0}")]
    Found(Box<Found>),
    /// `ODEON_SEED` is no seed.
    #[error("{SEED_VARIABLE} is {found:?}: expected a number from 0 to {}", u64::MAX)]
    Seed {
        /// What it is.
        found: String,
    },
}

/// As for people, so that `unwrap` in a test prints what there is to read.
impl fmt::Debug for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl ExploreError {
    /// The failing seed, if there is one.
    pub fn found(&self) -> Option<&Found> {
        match self {
            ExploreError::Found(found) => Some(found),
            ExploreError::Seed { .. } => None,
        }
    }
}

/// A seed with which the program fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// Why it fails.
    pub reason: Reason,
    /// How many seeds were run, with this one.
    pub seeds_run: u64,
    /// The run as the seed decides it.
    pub run: Run,
    /// The smallest run that fails in the same way; its reason may have other values.
    pub shrunk: Run,
    /// Runs that it took to find that.
    pub shrink_runs: usize,
    /// Whether the seed did the same twice. Else the program depends on something that the simulation does not decide.
    pub is_reproducible: bool,
}

/// Runs a failing seed again, twice, and shrinks it.
pub(super) fn examine(
    simulation: &Simulation,
    seed: u64,
    seeds_run: u64,
    program: &dyn Fn(&ActorSystem) -> Result<(), String>,
) -> Found {
    let first = run(simulation, seed, None, true, program);
    let second = run(simulation, seed, None, true, program);
    let mut found = Found {
        seed,
        reason: Reason::Error("it failed once, and not when it was run again".to_owned()),
        seeds_run,
        is_reproducible: first == second,
        shrunk: first.clone(),
        run: first,
        shrink_runs: 0,
    };
    let Some(reason) = found.run.failure.clone() else {
        found.is_reproducible = false;
        return found;
    };
    found.reason = reason.clone();
    if !found.is_reproducible {
        return found;
    }
    let mut shrinker = Shrinker { simulation, seed, program, reason, runs: 0 };
    let shrunk = shrinker.shrink(found.run.clone());
    found.shrink_runs = shrinker.runs;
    found.shrunk = run(simulation, seed, Some(shrunk.decisions), true, program);
    found
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, reason, seeds_run, run, shrunk, shrink_runs, is_reproducible } = self;
        writeln!(f, "seed {seed} fails, the {} of those that were run: {reason}", Nth(*seeds_run))?;
        writeln!(f, "once more: {SEED_VARIABLE}={seed}")?;
        if !is_reproducible {
            writeln!(
                f,
                "two runs of this seed differ: the program depends on something that the seed does not decide,"
            )?;
            return writeln!(f, "such as the order of a HashMap, the real time, or another thread\n{}", run.trace);
        }
        let (before, after) = (&run.decisions, &shrunk.decisions);
        writeln!(f, "decisions that are no plain choice: {before}; shrunk in {shrink_runs} runs: {after}")?;
        if let Some(failure) = shrunk.failure.as_ref().filter(|failure| *failure != reason) {
            writeln!(f, "the shrunk run fails so: {failure}")?;
        }
        write!(f, "{}", shrunk.trace)
    }
}

struct Nth(u64);

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match (self.0 % 10, self.0 % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(f, "{}{end}", self.0)
    }
}
