//! A mailbox: what waits for an actor, and where the actor stands with the scheduler.
//!
//! Each mailbox has a lock of its own, held for a push or for taking everything that is there. No message is
//! handled and no other lock is taken while it is held.

use super::cell::Cell;
use super::limits::{IDLE_BUFFER_MESSAGES_MAX, MAILBOX_MESSAGES_HIGH, MAILBOX_MESSAGES_LOW};
use super::queue::Queue;
use super::run::Run;
use crate::{Address, AnyMessage};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A message in the mailbox of the actor that it is for.
pub(super) struct Mail {
    pub(super) sender: Address,
    pub(super) message: AnyMessage,
}

/// Where an actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorState {
    /// Its constructor runs.
    Starting,
    /// Nothing to do.
    Idle,
    /// It has messages and waits for a worker.
    Queued,
    /// It handles a message.
    Running,
    /// The message that it was given last is handled by another process.
    Waiting,
    /// It waits until somebody to whom it sent too much has caught up.
    PutAside,
    /// It has sent more than it may in a second, and goes on by itself.
    Resting,
    /// It is destroyed and waits for its children to be gone.
    Exiting,
}

impl fmt::Display for ActorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ActorState::Starting => "starting",
            ActorState::Idle => "idle",
            ActorState::Queued => "queued",
            ActorState::Running => "running",
            ActorState::Waiting => "waiting",
            ActorState::PutAside => "put aside",
            ActorState::Resting => "resting",
            ActorState::Exiting => "exiting",
        })
    }
}

pub(super) struct Mailbox {
    incoming: Queue,
    /// Messages that the running actor has taken out, as of its last look.
    taken: u32,
    pub(super) state: ActorState,
    /// Senders that are put aside until this mailbox has drained.
    waiters: Vec<Arc<Cell>>,
    /// Whether the outside wants to know when it has.
    tells_outside: bool,
}

/// Who hears that a mailbox has drained.
#[must_use]
pub(super) struct Released {
    pub(super) senders: Vec<Arc<Cell>>,
    pub(super) outside: bool,
}

/// What became of a message that was put into a mailbox.
pub(super) enum Pushed<M> {
    Kept,
    /// The actor was idle: it has to be scheduled.
    Wake,
    /// Kept, but there is more than there should be.
    Over,
    /// The actor is gone.
    Closed(M),
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self {
            incoming: Queue::default(),
            taken: 0,
            state: ActorState::Starting,
            waiters: Vec::new(),
            tells_outside: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.incoming.len() + self.taken as usize
    }

    #[inline]
    pub(super) fn push(&mut self, sender: &Address, message: AnyMessage) -> Pushed<AnyMessage> {
        if self.state == ActorState::Exiting {
            return Pushed::Closed(message);
        }
        // Written once, where it stays until it is handled.
        self.incoming.push_back(Mail { sender: *sender, message });
        self.pushed()
    }

    /// The same for messages that came together. Whether those are too many is said when the next ones come.
    pub(super) fn push_run(&mut self, run: Box<Run>) -> Pushed<Box<Run>> {
        if self.state == ActorState::Exiting {
            return Pushed::Closed(run);
        }
        self.incoming.push_run(run);
        self.pushed()
    }

    #[inline]
    fn pushed<M>(&mut self) -> Pushed<M> {
        if self.state == ActorState::Idle {
            self.state = ActorState::Queued;
            return Pushed::Wake;
        }
        if self.len() > MAILBOX_MESSAGES_HIGH { Pushed::Over } else { Pushed::Kept }
    }

    /// Gives all that is there to the actor, which has handled what it had and goes on with the first of it. False where
    /// there is nothing.
    pub(super) fn take(&mut self, batch: &mut Queue) -> bool {
        debug_assert!(batch.is_empty(), "what was taken before comes first");
        std::mem::swap(&mut self.incoming, batch);
        self.note_taken(batch.len().saturating_sub(1));
        !batch.is_empty()
    }

    /// Notes how many messages the actor has taken out and not begun with.
    pub(super) fn note_taken(&mut self, count: usize) {
        self.taken = u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// An idle actor keeps one small buffer and no other.
    pub(super) fn trim(&mut self, batch: &mut Queue) {
        if self.incoming.capacity() == 0 {
            std::mem::swap(&mut self.incoming, batch);
        }
        if self.incoming.capacity() > IDLE_BUFFER_MESSAGES_MAX {
            self.incoming = Queue::default();
        }
        if batch.capacity() > 0 {
            *batch = Queue::default();
        }
    }

    /// Whether whoever sends here may go on.
    pub(super) fn is_drained(&self) -> bool {
        self.len() <= MAILBOX_MESSAGES_LOW
    }

    /// Who may go on now.
    pub(super) fn released(&mut self) -> Released {
        if self.is_drained() { self.release() } else { Released { senders: Vec::new(), outside: false } }
    }

    fn release(&mut self) -> Released {
        let outside = std::mem::take(&mut self.tells_outside);
        Released { senders: std::mem::take(&mut self.waiters), outside }
    }

    /// Whether there is something to wait for.
    fn is_waited_for(&self) -> bool {
        !self.is_drained() && self.state != ActorState::Exiting
    }

    /// Puts a sender on the list of those who wait for this mailbox, unless it has drained; says which.
    pub(super) fn admit(&mut self, sender: &Arc<Cell>) -> bool {
        let waits = self.is_waited_for();
        if waits {
            self.waiters.push(sender.clone());
        }
        waits
    }

    /// Has the outside told when this mailbox has drained, unless it has; says which.
    pub(super) fn admit_outside(&mut self) -> bool {
        let waits = self.is_waited_for();
        // Somebody else may wait to be told already.
        self.tells_outside |= waits;
        waits
    }

    /// Closes the mailbox: what was in it, and who waited for it.
    pub(super) fn close(&mut self) -> (Queue, Released) {
        self.state = ActorState::Exiting;
        self.taken = 0;
        (std::mem::take(&mut self.incoming), self.release())
    }
}
