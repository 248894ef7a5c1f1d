//! Backpressure without deadlock: who is put aside, for what, and until when.
//!
//! An actor whose message took it over a limit is put aside after that message: it keeps receiving mail but gets no
//! turn until the target has drained to its lower mark. Why no set of actors waits for each other for ever:
//!
//! 1. An actor is marked as put aside first, with what it waits for. Only then are those followed who wait: its target,
//!    what that one waits for, and so on ([`super::chain`]).
//! 2. Suppose a circle of actors that all wait for the next one. One of them was marked last. When it followed the others,
//!    all of them were marked, so it found itself, and did not wait. Where the circle goes through other nodes, those are
//!    asked to follow it on ([`super::Outside::waits`]), and the last one that was marked is let go when the question comes
//!    back. So every chain of waiting actors ends in one that is not put aside.
//! 3. That one is idle, queued or running, or its message is handled elsewhere, which ends for whoever handles it has
//!    limited time; none of them waits for another actor. At the end of each of its turns it releases those who wait for it if it
//!    has drained to the lower mark, and at zero it has; when it exits it releases them all.
//!
//! Whoever would wait for itself sends a few messages more before it is put aside again: else a circle that is full would be
//! followed for each message.
//!
//! An actor that rests, because it has sent more than it may in a second, goes on by itself after a while: others may
//! wait for it as for one that runs.
//!
//! Whoever waits for the outside has a ticket, which [`super::System::resume`] names; should nobody do that for a link or a
//! creation, it goes on after [`super::limits::PUT_ASIDE_TIME_MAX`]. Endpoints and threads outside are never held up.

use super::cell::Cell;
use super::chain::Chain;
use super::core::Core;
use super::limits::{PUT_ASIDE_TIME_MAX, RESUMED_TICKETS_MAX};
use super::mailbox::{ActorState, Released};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A limit that an actor ran into.
#[derive(Clone)]
pub(super) enum Pressed {
    Mailbox(Arc<Cell>),
    /// With the number of resumes before the outside was asked, to notice one that came before the wait began.
    Ticket {
        ticket: u64,
        seen: u64,
    },
    /// The same for a target on another node.
    Held {
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
            Pressed::Mailbox(target) => match target.chain(&self.address) {
                Chain::Returns => {
                    self.spare();
                    false
                }
                Chain::Ends => target.mailbox.lock().admit(self),
                Chain::Leaves(ticket) => {
                    let waits = target.mailbox.lock().admit(self);
                    waits.then(|| self.core.outside.waits(self.address, ticket));
                    waits
                }
            },
            Pressed::Ticket { ticket, seen } => {
                let waits = self.core.pressure.admit(self, ticket, seen);
                waits && self.core.timers.resume(PUT_ASIDE_TIME_MAX, ticket)
            }
            Pressed::Held { ticket, seen } => {
                let waits = self.core.pressure.admit(self, ticket, seen);
                waits.then(|| self.core.outside.waits(self.address, ticket));
                waits
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
        let pressed = self.pressed.lock().take();
        drop(mailbox);
        // Perhaps the last that is left of an actor.
        drop(pressed);
        mail
    }

    /// Tells those who waited for this actor, each in this way.
    pub(super) fn let_go(&self, released: Released, each: fn(&Arc<Self>)) {
        released.senders.iter().for_each(each);
        if released.outside {
            self.core.outside.drained(self.address);
        }
    }
}

impl Core {
    pub(super) fn resume(&self, ticket: u64) {
        self.pressure.resume(ticket);
    }
}
