//! What is asked of the process of an image.

use odeon::host::Host;
use odeon::process::Described;
use odeon::{Address, AnyMessage, Ending, Failure, Requirements, Suspended, Value};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

/// What a check wants to know next, or what it says.
pub(super) enum Checking {
    Reads(String),
    Says(Result<bool, Failure>),
}

/// Something that a process is asked for. Whoever waits sees the end of its channel where it is never answered.
pub(super) enum Work {
    Describe(SyncSender<Result<Vec<Described>, Failure>>),
    Check(Check),
    Build(Build),
    Message(Letter),
}

/// A capability check.
pub(super) struct Check {
    pub(super) actor: Arc<str>,
    pub(super) requirements: Requirements,
    pub(super) says: SyncSender<Checking>,
    pub(super) values: Receiver<Option<Value>>,
}

/// An actor to be built, for whoever waits for it.
pub(super) struct Build {
    pub(super) actor: u64,
    pub(super) name: Arc<str>,
    pub(super) says: SyncSender<Result<(), Failure>>,
}

/// A message for an actor, which is built first where the process does not have it.
pub(super) struct Letter {
    pub(super) actor: u64,
    pub(super) name: Arc<str>,
    pub(super) host: Arc<dyn Host>,
    pub(super) sender: Address,
    pub(super) message: AnyMessage,
    pub(super) end: Suspended,
}

impl Work {
    /// Whoever waits is told why it will not be done.
    pub(super) fn fail(self, why: &Failure) {
        match self {
            Self::Describe(says) => tell(&says, Err(why.clone())),
            Self::Check(check) => tell(&check.says, Checking::Says(Err(why.clone()))),
            Self::Build(build) => tell(&build.says, Err(why.clone())),
            Self::Message(letter) => letter.end.end(Ending::Failed(why.clone())),
        }
    }

    /// Whether somebody waits for it in a thread.
    pub(super) fn is_call(&self) -> bool {
        !matches!(self, Self::Message(_))
    }
}

/// Tells whoever waits. One that has given up needs no word.
pub(super) fn tell<T>(says: &SyncSender<T>, what: T) {
    let _ = says.try_send(what);
}
