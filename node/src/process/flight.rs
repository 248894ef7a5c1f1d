//! What a process works, and until when.

use super::calls::Calls;
use super::work::{Check, Checking, Letter, tell};
use odeon::process::Described;
use odeon::{Ending, Failure, Suspended};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

/// Something that a process works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Call(u64),
    Actor(u64),
}

pub(super) enum Flight {
    Describe(SyncSender<Result<Vec<Described>, Failure>>),
    Check(Check),
    Build(SyncSender<Result<(), Failure>>),
    /// Its actor is built first.
    Before(Letter),
    Message {
        end: Suspended,
        calls: Arc<Calls>,
    },
}

/// What is in the air, and until when it has to land.
pub(super) struct InTheAir {
    pub(super) flight: Flight,
    pub(super) limit_ms: u64,
    pub(super) until: Instant,
    /// The node is asked for something: that time is its own.
    pub(super) asks: bool,
}

impl Flight {
    /// Whoever waits for it is told why it will not land.
    pub(super) fn fail(self, why: &Failure) {
        match self {
            Self::Describe(says) => tell(&says, Err(why.clone())),
            Self::Check(check) => tell(&check.says, Checking::Says(Err(why.clone()))),
            Self::Build(says) => tell(&says, Err(why.clone())),
            Self::Before(letter) => letter.end.end(Ending::Failed(why.clone())),
            Self::Message { end, .. } => end.end(Ending::Failed(why.clone())),
        }
    }
}
