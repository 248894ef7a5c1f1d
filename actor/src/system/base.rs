//! Which base runs a program's actors.

use std::fmt;
use std::str::FromStr;

/// A way of running actors inside one process. Actor code is the same on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// No threads: actors run inside the calls of the program, in an order that is the same every time.
    Simple,
    /// A pool of worker threads.
    Threads,
    /// No threads either, and a virtual clock: one seed decides what happens when. See [`crate::simulate`].
    Simulated,
}

/// A text that names no base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no base: expected \"simple\", \"threads\" or \"simulated\"")]
pub struct ParseBaseError {
    found: String,
}

impl FromStr for Base {
    type Err = ParseBaseError;

    fn from_str(text: &str) -> Result<Self, ParseBaseError> {
        match text {
            "simple" => Ok(Base::Simple),
            "threads" => Ok(Base::Threads),
            "simulated" => Ok(Base::Simulated),
            _ => Err(ParseBaseError { found: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Base::Simple => "simple",
            Base::Threads => "threads",
            Base::Simulated => "simulated",
        })
    }
}
