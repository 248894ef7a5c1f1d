//! Messages that go on being handled after their `receive` has returned: how an actor waits without a worker.
//!
//! The actor's state says `Waiting` before it is noted here that nobody runs it. Whoever ends the message notes the end
//! first and wakes the actor only if it finds that note, so the end is seen by one of the two.

use super::cell::Cell;
use super::mailbox::{ActorState, Mail};
use crate::{Ending, Suspended};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A message that is not over, and whether it is given for the second time.
pub(super) struct Open {
    pub(super) mail: Mail,
    pub(super) again: bool,
}

/// Where the message stands that was suspended last.
#[derive(Default)]
pub(super) enum Suspension {
    /// None is.
    #[default]
    None,
    /// It is handled elsewhere.
    Elsewhere,
    /// So it is, and no worker has the actor.
    Parked,
    /// It has ended so.
    Ended(Ending),
}

impl Cell {
    /// Suspends the message that is being handled.
    pub(super) fn suspended(self: &Arc<Self>) -> Suspended {
        *self.suspension.lock() = Suspension::Elsewhere;
        self.is_suspended.store(true, Relaxed);
        let cell = self.clone();
        Suspended::new(move |ending| cell.ended(ending))
    }

    fn ended(self: &Arc<Self>, ending: Ending) {
        let before = std::mem::replace(&mut *self.suspension.lock(), Suspension::Ended(ending));
        if let Suspension::Parked = before {
            let mut mailbox = self.mailbox.lock();
            // One that was destroyed in the meantime, as the system has shut down, stays where it is.
            if mailbox.state == ActorState::Waiting {
                mailbox.state = ActorState::Queued;
                drop(mailbox);
                self.core.schedule(self.clone());
            }
        }
    }

    /// How the suspended message has ended, if it has.
    pub(super) fn take_ending(&self) -> Option<Ending> {
        let mut suspension = self.suspension.lock();
        match std::mem::take(&mut *suspension) {
            Suspension::Ended(ending) => Some(ending),
            other => {
                *suspension = other;
                None
            }
        }
    }

    /// Lets go of an actor whose message is handled elsewhere. False where it has ended in the meantime.
    pub(super) fn park(&self) -> bool {
        self.mailbox.lock().state = ActorState::Waiting;
        let mut suspension = self.suspension.lock();
        if let Suspension::Ended(_) = *suspension {
            drop(suspension);
            self.mailbox.lock().state = ActorState::Running;
            return false;
        }
        *suspension = Suspension::Parked;
        true
    }
}
