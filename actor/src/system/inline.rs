//! The scheduler of the base `simple`: one queue, first come first served, run by whoever asks, one message a turn. The
//! base `simulated` has one queue for all its nodes, and says itself who is next.

use super::cell::Cell;
use super::core::Core;
use parking_lot::{Condvar, Mutex, ReentrantMutex, ReentrantMutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Inline {
    queue: Mutex<VecDeque<Arc<Cell>>>,
    /// Told when an actor has mail, and when something outside of the actors was told something.
    changed: Condvar,
    /// Held while actors run: two threads that ask at once take turns. An actor that asks does so within its turn.
    turn: ReentrantMutex<()>,
}

impl Inline {
    pub(super) fn schedule(&self, cell: Arc<Cell>) {
        self.queue.lock().push_back(cell);
        self.changed.notify_all();
    }

    /// Runs actors until none has mail, until `enough` says so, or for so many turns.
    pub(super) fn run(&self, core: &Core, turns_max: usize, enough: impl Fn() -> bool) {
        for _ in 0..turns_max {
            if enough() {
                return;
            }
            let _turn = self.turn.lock();
            core.timers.run_due(core);
            let next = self.queue.lock().pop_front();
            let Some(cell) = next else { return };
            if let Ok(true) = super::caught::caught(|| cell.activate(1)) {
                self.schedule(cell);
            }
        }
    }

    /// Waits, at most until then, for an actor to have mail or for `enough`.
    pub(super) fn rest(&self, until: Option<Instant>, enough: impl Fn() -> bool) {
        let mut queue = self.queue.lock();
        if queue.is_empty() && !enough() {
            match until {
                Some(until) => drop(self.changed.wait_until(&mut queue, until)),
                None => self.changed.wait(&mut queue),
            }
        }
    }

    /// Has whoever rests look again.
    pub(super) fn poke(&self) {
        let _queue = self.queue.lock();
        self.changed.notify_all();
    }

    /// Keeps everybody else from running actors while it is held.
    pub(super) fn turn(&self) -> ReentrantMutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// Gives the actor at a place of the queue its turn, for one message.
    pub(super) fn run_at(&self, place: usize) -> Option<Arc<Cell>> {
        let cell = self.queue.lock().remove(place)?;
        if let Ok(true) = super::caught::caught(|| cell.activate(1)) {
            self.schedule(cell.clone());
        }
        Some(cell)
    }

    /// How many actors wait for their turn.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Takes the actors of one system off the queue.
    pub(super) fn forget(&self, core: &Arc<Core>) {
        self.queue.lock().retain(|cell| !Arc::ptr_eq(&cell.core, core));
    }

    /// Whether an actor waits for its turn.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.lock().is_empty()
    }

    pub(super) fn clear(&self) {
        self.queue.lock().clear();
    }
}
