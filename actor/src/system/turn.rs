//! Turns that are had outside of the pool: a thread that is about to wake an actor may give it its turn itself, where a
//! worker would have to be woken first. To hand the actor to a sleeping thread takes longer than most turns.
//!
//! Such a thread counts as a worker for as long as the turn lasts. Whoever gives turns has to see to what it does else: a
//! handler may take as long as it likes.

use super::System;
use super::caught::caught;
use super::cell::Cell;
use super::limits::{LONG_TURN, TURN_MESSAGES_MAX, TURNS_AFTER_A_LONG_ONE};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

thread_local! {
    static CATCH: RefCell<Option<Catch>> = const { RefCell::new(None) };
    /// The pool of the actor that has its turn on this thread, which is none of the pool's.
    static GUEST_OF: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// What a thread that catches has caught.
struct Catch {
    pool: usize,
    cell: Option<Arc<Cell>>,
}

/// The pool whose turn the current thread gives, while it does.
pub(super) fn guest_of() -> Option<usize> {
    GUEST_OF.get()
}

/// Keeps an actor that was woken for a turn on this thread, where that is wanted; else gives it back.
pub(super) fn catch(pool: usize, cell: Arc<Cell>) -> Option<Arc<Cell>> {
    CATCH.with_borrow_mut(|catch| match catch {
        Some(catch) if catch.pool == pool && catch.cell.is_none() && may_be_caught(&cell) => {
            catch.cell = Some(cell);
            None
        }
        _ => Some(cell),
    })
}

/// An actor whose last turn of this kind was long goes to the workers for a while.
fn may_be_caught(cell: &Cell) -> bool {
    // Only whoever has woken the actor is here.
    let left = cell.turns_by_workers.load(Relaxed);
    cell.turns_by_workers.store(left.saturating_sub(1), Relaxed);
    left == 0
}

/// The next turn of an actor that was just woken. Dropped, it is had by a worker.
pub struct Turn(Option<Arc<Cell>>);

impl System {
    /// Does something, and gives the turn of the first actor that is woken by it. Nothing is caught by a worker, which
    /// runs next what it wakes, and in a system without threads.
    pub fn catch_turn(&self, wake: impl FnOnce()) -> Option<Turn> {
        let Some(pool) = self.0.pool() else {
            wake();
            return None;
        };
        CATCH.set(Some(Catch { pool: pool.number(), cell: None }));
        let mut caught = Caught(None);
        wake();
        caught.take();
        caught.0.take()
    }
}

/// Ends the catching, also where what was to wake somebody panics: then a worker has the turn.
struct Caught(Option<Turn>);

impl Caught {
    fn take(&mut self) {
        self.0 = CATCH.take().and_then(|catch| catch.cell).map(|cell| Turn(Some(cell)));
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        self.take();
    }
}

impl Turn {
    /// Has it on this thread: some messages, and whatever their handlers do.
    pub fn run(mut self) {
        let Some(cell) = self.0.take() else { return };
        let core = cell.core.clone();
        let Some(pool) = core.pool() else { return };
        let again = pool.while_it_runs(|| {
            let began = Instant::now();
            let before = GUEST_OF.replace(Some(pool.number()));
            // As in a worker: what panics here is a callback, and its actor is not given another turn.
            let again = caught(|| cell.activate(TURN_MESSAGES_MAX)).unwrap_or(false);
            GUEST_OF.set(before);
            if began.elapsed() > LONG_TURN {
                cell.turns_by_workers.store(TURNS_AFTER_A_LONG_ONE, Relaxed);
            }
            again
        });
        if again == Some(true) {
            core.schedule(cell);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.core.clone().schedule(cell);
        }
    }
}

#[cfg(test)]
mod tests;
