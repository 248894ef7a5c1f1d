//! The links' thread, which lends itself to actors: what a small message wakes has its turn there, between two looks at
//! the runtime, where a worker would have to be woken first and would have to wake this thread for the answer.
//!
//! A handler may take as long as it likes, so a second thread stands by. It takes the runtime over where a turn lasts for
//! two of its looks, and nothing is lent until the first is back and stands by in its turn.

use odeon::system::Turn;
use parking_lot::{Condvar, Mutex};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// How often the thread that stands by looks, while there are turns.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Looks without a turn after which it sleeps until there is one.
const QUIET_LOOKS_MAX: u32 = 50;
/// Tasks between two looks at what other threads want, and at the sockets and what is lent: an answer is to go out soon.
const REMOTE_EVERY: u32 = 3;
const EVENTS_EVERY: u32 = 13;
/// How often an end is looked for.
const END_LOOK: Duration = Duration::from_millis(1);

thread_local! {
    /// On the threads of a lender.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

struct Here {
    lender: Arc<Lender>,
    /// What is to be run next.
    turn: Option<Turn>,
    waker: Option<Waker>,
}

struct Lender {
    runtime: Runtime,
    /// Odd while a turn lasts. Whoever makes it even again has the runtime from then on.
    turns: AtomicU64,
    stands_by: AtomicBool,
    /// Whether the thread that stands by sleeps until there is a turn.
    sleeps: Mutex<bool>,
    wakes: Condvar,
    stopped: AtomicBool,
    stop: tokio::sync::Notify,
}

/// A runtime with the threads that drive it.
pub(crate) struct Lending {
    lender: Arc<Lender>,
    threads: Vec<JoinHandle<()>>,
}

impl Lending {
    /// # Errors
    /// When the operating system has no thread or no room for it.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let lender = Arc::new(Lender {
            runtime: Builder::new_current_thread()
                .global_queue_interval(REMOTE_EVERY)
                .event_interval(EVENTS_EVERY)
                .enable_all()
                .build()?,
            turns: AtomicU64::new(0),
            stands_by: AtomicBool::new(false),
            sleeps: Mutex::new(false),
            wakes: Condvar::new(),
            stopped: AtomicBool::new(false),
            stop: tokio::sync::Notify::new(),
        });
        let start = |drives: bool| {
            let lender = lender.clone();
            std::thread::Builder::new().name(name.to_owned()).spawn(move || lender.serve(drives))
        };
        let threads = vec![start(true)?, start(false)?];
        Ok(Self { lender, threads })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.lender.runtime.handle()
    }

    /// Ends it, and the tasks in it. A handler that does not return keeps its thread.
    pub(crate) fn shutdown_timeout(self, timeout: Duration) {
        let Self { lender, threads } = self;
        lender.stop();
        let until = Instant::now() + timeout;
        while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(END_LOOK);
        }
        if let Some(lender) = Arc::into_inner(lender) {
            lender.runtime.shutdown_timeout(timeout);
        }
    }
}

impl Lender {
    fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.stop.notify_one();
        *self.sleeps.lock() = false;
        self.wakes.notify_all();
    }

    /// One of the two threads.
    fn serve(self: Arc<Self>, mut drives: bool) {
        HERE.set(Some(Here { lender: self.clone(), turn: None, waker: None }));
        while drives || self.stand_by() {
            match self.drive() {
                Some(again) => drives = again,
                None => break,
            }
        }
        HERE.take();
    }

    /// Drives the runtime until there is a turn, and has that. Says whether the runtime is still this thread's; none at
    /// the end.
    fn drive(&self) -> Option<bool> {
        let turn = self.runtime.block_on(async {
            tokio::select! {
                () = self.stop.notified() => None,
                turn = poll_fn(next_turn) => Some(turn),
            }
        })?;
        let number = self.turns.fetch_add(1, SeqCst) + 1;
        self.rouse();
        turn.run();
        Some(self.ends(number))
    }

    /// Ends a turn for whoever is the first to do so.
    fn ends(&self, number: u64) -> bool {
        self.turns.compare_exchange(number, number + 1, SeqCst, SeqCst).is_ok()
    }

    /// Has the thread that stands by look.
    fn rouse(&self) {
        let mut sleeps = self.sleeps.lock();
        if std::mem::take(&mut *sleeps) {
            self.wakes.notify_one();
        }
    }

    /// Waits until a turn lasts for too long. False at the end.
    fn stand_by(&self) -> bool {
        self.stands_by.store(true, SeqCst);
        let (mut seen, mut quiet) = (0, 0);
        while !self.stopped.load(SeqCst) {
            let turns = self.turns.load(SeqCst);
            let is_new = turns != seen;
            if !is_new && turns % 2 == 1 && self.ends(turns) {
                self.stands_by.store(false, SeqCst);
                return true;
            }
            seen = turns;
            quiet = if is_new { 0 } else { quiet + 1 };
            let mut sleeps = self.sleeps.lock();
            if quiet < QUIET_LOOKS_MAX {
                self.wakes.wait_for(&mut sleeps, LOOK_EVERY);
            } else if self.turns.load(SeqCst) == turns && !self.stopped.load(SeqCst) {
                *sleeps = true;
                self.wakes.wait(&mut sleeps);
                quiet = 0;
            }
        }
        false
    }
}

/// The next turn that is lent on this thread.
fn next_turn(cx: &mut std::task::Context<'_>) -> Poll<Turn> {
    HERE.with_borrow_mut(|here| {
        let Some(here) = here else { return Poll::Pending };
        match here.turn.take() {
            Some(turn) => Poll::Ready(turn),
            None => {
                here.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
}

/// Whether the current task is run by a thread that may lend itself now.
pub(crate) fn may_lend() -> bool {
    HERE.with_borrow(|here| here.as_ref().is_some_and(|here| here.turn.is_none() && here.lender.stands_by.load(SeqCst)))
}

/// Has a turn run by this thread as soon as its tasks have been. Elsewhere a worker has it.
pub(crate) fn lend(turn: Turn) {
    let (rest, waker) = HERE.with_borrow_mut(|here| match here {
        Some(here) if here.turn.is_none() => {
            here.turn = Some(turn);
            (None, here.waker.take())
        }
        _ => (Some(turn), None),
    });
    // Not while it is borrowed: both may come back here.
    drop(rest);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
