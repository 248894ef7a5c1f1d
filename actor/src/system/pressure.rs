//! Backpressure without deadlock: who is put aside, for what, and until when.
//!
//! An actor whose message took it over a limit is put aside after that message: it keeps receiving mail but gets no
//! turn until the target has drained to its lower mark. Why no set of actors can wait for each other for ever:
//!
//! 1. An actor is marked as put aside first, under its own mailbox's lock. Only then does it look at its target,
//!    under the target's lock, and it waits only if the target is not put aside itself.
//! 2. Suppose a cycle of actors that all wait for the next one. One of them was marked last. When it looked at its
//!    target, that one was marked already, so it did not wait. So there is no cycle, and every chain of waiting
//!    actors ends in one that is not put aside.
//! 3. That one is idle, queued or running, or its message is handled elsewhere, which ends for whoever handles it has
//!    limited time; none of them waits for another actor. At the end of each of its turns it releases those who wait for it if it
//!    has drained to the lower mark, and at zero it has; when it exits it releases them all.
//!
//! An actor that rests, because it has sent more than it may in a second, goes on by itself after a while: others may
//! wait for it as for one that runs.
//!
//! An actor never waits for itself. Whoever waits for the outside has a ticket, which [`super::System::resume`]
//! names; should nobody do that, it goes on after [`super::limits::PUT_ASIDE_TIME_MAX`]. Endpoints and threads
//! outside are never held up.

use super::cell::Cell;
use super::core::Core;
use super::limits::{PUT_ASIDE_TIME_MAX, RESUMED_TICKETS_MAX};
use super::mailbox::ActorState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A limit that an actor ran into.
pub(super) enum Pressed {
    Mailbox(Arc<Cell>),
    /// With the number of resumes before the outside was asked, to notice one that came before the wait began.
    Ticket {
        ticket: u64,
        seen: u64,
    },
    /// More was sent than may be in a second.
    Rate,
}

#[derive(Default)]
struct Tickets {
    waiting: HashMap<u64, Vec<Arc<Cell>>>,
    /// Tickets resumed lately, each with the number of its resume.
    resumed: VecDeque<(u64, u64)>,
}

/// Those who wait for the outside.
#[derive(Default)]
pub(super) struct Waits {
    tickets: Mutex<Tickets>,
    resumes: AtomicU64,
}

impl Waits {
    /// How many resumes there were.
    pub(super) fn resumes(&self) -> u64 {
        self.resumes.load(SeqCst)
    }

    /// Notes that an actor waits, unless its ticket was resumed after `seen`; says which.
    fn admit(&self, sender: &Arc<Cell>, ticket: u64, seen: u64) -> bool {
        let mut tickets = self.tickets.lock();
        let missed = tickets.resumed.iter().rev().take_while(|(_, number)| *number > seen).any(|(t, _)| *t == ticket);
        if !missed {
            tickets.waiting.entry(ticket).or_default().push(sender.clone());
        }
        !missed
    }

    pub(super) fn resume(&self, ticket: u64) {
        let released = {
            let mut tickets = self.tickets.lock();
            let number = self.resumes.fetch_add(1, SeqCst) + 1;
            if tickets.resumed.len() == RESUMED_TICKETS_MAX {
                tickets.resumed.pop_front();
            }
            tickets.resumed.push_back((ticket, number));
            tickets.waiting.remove(&ticket)
        };
        released.iter().flatten().for_each(Cell::go_on);
    }

    /// Lets everybody go on: the system shuts down.
    pub(super) fn resume_all(&self) {
        let waiting = std::mem::take(&mut self.tickets.lock().waiting);
        waiting.values().flatten().for_each(Cell::go_on);
    }
}

impl Cell {
    /// Waits for what the actor ran into, or goes on if it must not wait. The mailbox says `PutAside` already.
    pub(super) fn put_aside(self: &Arc<Self>, by: Pressed) {
        let waits = match by {
            _ if self.core.is_closing() => false,
            Pressed::Mailbox(target) if Arc::ptr_eq(&target, self) => false,
            Pressed::Mailbox(target) => target.mailbox.lock().admit(self),
            Pressed::Ticket { ticket, seen } => {
                let waits = self.core.pressure.admit(self, ticket, seen);
                waits && self.core.timers.resume(PUT_ASIDE_TIME_MAX, ticket)
            }
            Pressed::Rate => self.rests(),
        };
        // Shutting down may have begun, and let everybody go on, between the two looks.
        if !waits || self.core.is_closing() {
            self.go_on();
        }
    }

    /// Has the clock wake an actor that is ahead of its rate; false where it is not any more.
    fn rests(self: &Arc<Self>) -> bool {
        let Core { governor, timers, pressure, .. } = &*self.core;
        let rest = governor.get().and_then(|governor| governor.rest(self.address, timers.elapsed_ns()));
        rest.is_some_and(|(time, ticket)| {
            pressure.admit(self, ticket, pressure.resumes()) && timers.resume(time, ticket)
        })
    }

    /// Gives an actor that was put aside its turn back. Anyone else is not affected.
    pub(super) fn go_on(self: &Arc<Self>) {
        if self.wants_to_go_on() {
            self.core.schedule(self.clone());
        }
    }

    /// The same by the actor for which it waited, in that one's turn.
    pub(super) fn go_on_after_this(self: &Arc<Self>) {
        if self.wants_to_go_on() {
            self.core.schedule_after_this(self.clone());
        }
    }

    /// Ends its being put aside. Says whether it has to be given a turn.
    fn wants_to_go_on(&self) -> bool {
        let mut mailbox = self.mailbox.lock();
        if !matches!(mailbox.state, ActorState::PutAside | ActorState::Resting) {
            return false;
        }
        let mail = mailbox.len() > 0;
        mailbox.state = if mail { ActorState::Queued } else { ActorState::Idle };
        mail
    }
}

impl Core {
    pub(super) fn resume(&self, ticket: u64) {
        self.pressure.resume(ticket);
    }
}
