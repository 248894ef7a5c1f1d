//! What is said to a troupe, and what a troupe and its workers say to each other.

use crate::message::UNTYPED;
use crate::{Address, AnyMessage, Encoded, Message, encoding};
use serde::{Deserialize, Serialize};

macro_rules! messages {
    ($($t:ident => $name:literal),* $(,)?) => {$(
        impl Message for $t {
            const NAME: &'static str = $name;
        }
    )*};
}

messages! {
    UpdateTroupeSettings => "odeon.UpdateTroupeSettings",
    TroupeStatusRequest => "odeon.TroupeStatusRequest",
    TroupeStatus => "odeon.TroupeStatus",
    Work => "odeon.TroupeWork",
    WorkDone => "odeon.TroupeWorkDone",
    WorkLost => "odeon.TroupeWorkLost",
    Probe => "odeon.TroupeProbe",
    Probed => "odeon.TroupeProbed",
    Tick => "odeon.TroupeTick",
}

/// Changes the settings of a troupe from now on; what is not given stays. Bad ones come back as a `PoisonMessage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateTroupeSettings {
    /// The most workers at a time, from 1 to [`super::TROUPE_WORKERS_MAX`]. Those that are too many go when they are idle.
    pub max: Option<u32>,
    /// How many workers stay when there is nothing to do, `max` at most.
    pub idle: Option<u32>,
}

/// Asks a troupe for its [`TroupeStatus`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroupeStatusRequest;

/// A troupe as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroupeStatus {
    /// The most workers at a time.
    pub max: u32,
    /// How many stay when there is nothing to do.
    pub idle: u32,
    /// Workers that are there.
    pub workers: u64,
    /// Those of them that have work.
    pub busy: u64,
    /// Messages that wait for a worker.
    pub waiting: u64,
    /// Messages that workers have handled.
    pub handled: u64,
    /// Messages that went back to their senders as `PoisonMessage`s.
    pub failed: u64,
}

/// A message for a worker.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) number: u64,
    pub(super) sender: Address,
    pub(super) message: AnyMessage,
}

/// A worker has done its work.
#[derive(Serialize, Deserialize)]
pub(super) struct WorkDone {
    pub(super) number: u64,
}

/// A worker has failed on something else, and with its state the work is gone.
#[derive(Serialize, Deserialize)]
pub(super) struct WorkLost {
    pub(super) number: u64,
}

/// Asks a worker whether it still has its work.
#[derive(Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) number: u64,
}

/// It has, or not.
#[derive(Serialize, Deserialize)]
pub(super) struct Probed {
    pub(super) number: u64,
    pub(super) has_it: bool,
}

/// What a troupe's wakeups carry.
#[derive(Serialize, Deserialize)]
pub(super) enum Tick {
    /// Workers have been idle for long enough.
    Pause,
    /// Time to look after those who have had work for long.
    Probe,
}

/// The message that a map of one key stands for, where the key is one of these names: how a shell speaks to a troupe itself.
pub(crate) fn named(message: &AnyMessage, names: &[&str]) -> Option<AnyMessage> {
    if message.name() != UNTYPED {
        return None;
    }
    let whole = message.encode().ok()?;
    let (name, content) = encoding::only_entry(&whole.bytes).filter(|(key, _)| names.contains(key))?;
    Some(AnyMessage::from_encoded(Encoded { name: name.to_owned(), bytes: content.to_owned() }))
}
