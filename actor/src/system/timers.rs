//! All wakeups of one system, by the time they are due, and the clock thread of a pool.
//!
//! On a simulated system the time is virtual, and whoever runs the simulation moves it. Asking which costs wakeups a branch
//! and messages nothing.
//!
//! Wakeups of actors that are gone are not delivered; they are thrown out once they are more than half of all.

use super::cell::Cell;
use super::core::Core;
use super::limits::{QUIET_LOOKS_MAX, RESCUE_INTERVAL, WAKEUPS_MAX};
use super::pool::Pool;
use crate::message::Encoded;
use crate::{Address, AnyMessage, Wakeup, WakeupMessage};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What stands for "for ever": nothing runs as long.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// Below this many it is not worth while to look for wakeups of actors that are gone, or that were cancelled.
const ABANDONED_MIN: usize = 1024;

/// What tells when a wakeup is due.
#[derive(Clone, Default)]
pub(super) enum Clock {
    #[default]
    Real,
    Virtual(Arc<VirtualClock>),
}

/// A clock that stands still until it is moved.
pub(super) struct VirtualClock {
    start: Instant,
    elapsed_ns: AtomicU64,
}

impl VirtualClock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), elapsed_ns: AtomicU64::new(0) }
    }

    /// Nanoseconds since it was made.
    pub(super) fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns.load(SeqCst)
    }

    /// Moves it to so many nanoseconds since it was made, never back.
    pub(super) fn advance(&self, to_ns: u64) {
        self.elapsed_ns.fetch_max(to_ns, SeqCst);
    }

    /// When something is due, in nanoseconds since it was made.
    pub(super) fn ns_of(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Clock {
    fn now(&self) -> Instant {
        match self {
            Clock::Real => Instant::now(),
            Clock::Virtual(clock) => clock.start + Duration::from_nanos(clock.elapsed_ns()),
        }
    }
}

enum What {
    Wake { actor: Address, message: Box<WakeupMessage> },
    Resume(u64),
}

struct Due {
    at: Instant,
    /// Those due at the same time come in the order in which they were asked for.
    number: u64,
    what: What,
}

impl Due {
    fn is_cancelled(&self, cancelled: &HashMap<u64, Address>) -> bool {
        matches!(&self.what, What::Wake { actor, .. } if cancelled.get(&self.number) == Some(actor))
    }

    /// Its actor has one less to come.
    fn discount(&self, core: &Core) {
        if let What::Wake { actor, .. } = &self.what
            && let Some(cell) = core.find(actor)
        {
            cell.wakeups.fetch_sub(1, Relaxed);
        }
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap has the greatest on top; the earliest is to be there.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Due>,
    number: u64,
    /// How many are for actors that are gone.
    abandoned: usize,
    /// Numbers that were cancelled, by whom. Some may have come before that; they are forgotten with the others.
    cancelled: HashMap<u64, Address>,
}

pub(super) struct Timers {
    clock: Clock,
    start: Instant,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// The clock sleeps until a wakeup is due or somebody pokes it.
    sleeps: AtomicBool,
}

impl Timers {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            start: clock.now(),
            clock,
            queue: Mutex::default(),
            changed: Condvar::new(),
            sleeps: AtomicBool::new(false),
        }
    }

    /// Nanoseconds since the system's start.
    pub(super) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.clock.now().duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Wakes an actor later. None when there are too many wakeups.
    pub(super) fn wake(&self, cell: &Cell, delay: Duration, payload: Option<Encoded>) -> Option<Wakeup> {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        // Its number is known when it is due.
        let message = Box::new(WakeupMessage { delay_ms, payload, wakeup: Wakeup::NEVER });
        let number = self.add(delay, What::Wake { actor: cell.address, message })?;
        cell.wakeups.fetch_add(1, Relaxed);
        Some(Wakeup(number))
    }

    /// Has a wakeup of an actor not come, if it has not come yet.
    pub(super) fn cancel(&self, core: &Core, actor: Address, wakeup: Wakeup) {
        let mut queue = self.queue.lock();
        if wakeup == Wakeup::NEVER || wakeup.0 > queue.number {
            return;
        }
        queue.cancelled.insert(wakeup.0, actor);
        if queue.cancelled.len() > ABANDONED_MIN.max(queue.heap.len() / 2) {
            let cancelled = std::mem::take(&mut queue.cancelled);
            queue.heap.retain(|due| {
                let is_cancelled = due.is_cancelled(&cancelled);
                if is_cancelled {
                    due.discount(core);
                }
                !is_cancelled
            });
        }
    }

    /// Resumes a ticket later, in case nobody else does.
    pub(super) fn resume(&self, delay: Duration, ticket: u64) -> bool {
        self.add(delay, What::Resume(ticket)).is_some()
    }

    /// The number of what was added.
    fn add(&self, delay: Duration, what: What) -> Option<u64> {
        let now = self.clock.now();
        let at = now.checked_add(delay.min(FOREVER)).unwrap_or(now);
        let mut queue = self.queue.lock();
        if queue.heap.len() >= WAKEUPS_MAX {
            return None;
        }
        let first = queue.heap.peek().is_none_or(|due| at < due.at);
        queue.number += 1;
        let number = queue.number;
        queue.heap.push(Due { at, number, what });
        drop(queue);
        if first {
            self.changed.notify_all();
        }
        Some(number)
    }

    /// Notes that `wakeups` of them are for an actor that is gone.
    pub(super) fn abandon(&self, core: &Core, wakeups: usize) {
        if wakeups == 0 {
            return;
        }
        let mut queue = self.queue.lock();
        queue.abandoned += wakeups;
        if queue.abandoned > ABANDONED_MIN.max(queue.heap.len() / 2) {
            queue.abandoned = 0;
            queue.heap.retain(|due| match &due.what {
                What::Wake { actor, .. } => core.find(actor).is_some(),
                What::Resume(_) => true,
            });
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.lock().heap.peek().map(|due| due.at)
    }

    /// Delivers everything that is due.
    pub(super) fn run_due(&self, core: &Core) {
        loop {
            let now = self.clock.now();
            let due = {
                let mut queue = self.queue.lock();
                if queue.heap.peek().is_none_or(|due| due.at > now) {
                    return;
                }
                let Some(due) = queue.heap.pop() else { return };
                if !queue.cancelled.is_empty() && due.is_cancelled(&queue.cancelled) {
                    queue.cancelled.remove(&due.number);
                    drop(queue);
                    due.discount(core);
                    continue;
                }
                due
            };
            match due.what {
                What::Resume(ticket) => core.resume(ticket),
                What::Wake { actor, mut message } => match core.find(&actor) {
                    Some(cell) => {
                        message.wakeup = Wakeup(due.number);
                        cell.wakeups.fetch_sub(1, Relaxed);
                        let message = AnyMessage::new(*message);
                        // The actor may exit in this moment: its wakeups go with it, not to the dead letters.
                        let _ = core.post(&actor, &actor, message);
                    }
                    None => {
                        let mut queue = self.queue.lock();
                        queue.abandoned = queue.abandoned.saturating_sub(1);
                    }
                },
            }
        }
    }

    /// Ends the clock's sleep because the pool has work again.
    pub(super) fn poke(&self) {
        if self.sleeps.load(SeqCst) {
            self.poke_always();
        }
    }

    pub(super) fn poke_always(&self) {
        let _queue = self.queue.lock();
        self.changed.notify_all();
    }

    /// The clock thread: delivers what is due, and while the pool is busy looks after held-up workers.
    pub(super) fn run_clock(&self, core: &Arc<Core>, pool: &Pool) {
        let mut quiet = 0;
        let mut turns = Vec::new();
        while !pool.is_stopped() {
            self.run_due(core);
            if pool.is_busy() {
                quiet = 0;
                pool.rescue(&mut turns);
            } else {
                quiet += 1;
            }
            let mut queue = self.queue.lock();
            let next = queue.heap.peek().map(|due| due.at);
            let soon = Instant::now() + RESCUE_INTERVAL;
            if quiet <= QUIET_LOOKS_MAX {
                self.changed.wait_until(&mut queue, next.map_or(soon, |next| next.min(soon)));
                continue;
            }
            // Either a worker that starts sees this, or this thread sees that it started.
            self.sleeps.store(true, SeqCst);
            if !pool.is_busy() && !pool.is_stopped() {
                match next {
                    Some(next) => drop(self.changed.wait_until(&mut queue, next)),
                    None => self.changed.wait(&mut queue),
                }
            }
            self.sleeps.store(false, SeqCst);
        }
    }
}
