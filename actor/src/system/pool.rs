//! The pool of workers: who runs which actor when.
//!
//! An actor that a worker wakes is what this worker runs next, so a conversation stays where its data is warm. What
//! that displaces goes to the worker's queue, from which idle workers steal, and one that sleeps is woken for it. An actor is
//! in at most one of these places at a time, because only the change of its mailbox from idle to queued puts it there.
//!
//! An actor that has used up its turn goes to the queue and wakes nobody, nor do senders that it lets go on: those who talk
//! to each other all the time are quicker on one worker, without waiting for each other's memory. What is in a queue when the
//! clock looks is for two workers, and it wakes one; what a worker is to run next, but does not get at, the clock hands to all.
//!
//! `parking` says when a worker sleeps and who wakes it.

mod parking;
mod sync;

use super::caught::caught;
use super::cell::Cell;
use super::core::Core;
use super::limits::{ACTIVATION_MESSAGES_MAX, IDLE_LOOKS, INJECTOR_TURNS, LIFO_RUNS_MAX, WORKERS_MAX};
use super::turn;
use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;
use crossbeam_utils::sync::{Parker, Unparker};
use parking::Parking;
use parking_lot::{Mutex, RwLock};
use std::cell::{Cell as Plain, OnceCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread::JoinHandle;

/// What others see of a worker.
struct Seat {
    stealer: Stealer<Arc<Cell>>,
    /// What this worker runs next. Only the clock takes it away, when the worker is held up.
    next: AtomicCell<Option<Arc<Cell>>>,
    unparker: Unparker,
    turns: AtomicU64,
}

/// What a worker has for itself.
struct Local {
    pool: usize,
    index: usize,
    queue: Worker<Arc<Cell>>,
    /// How often in a row it ran what was woken last.
    lifo_runs: Plain<u32>,
    turn: Plain<u32>,
}

thread_local! {
    static LOCAL: OnceCell<Local> = const { OnceCell::new() };
}

/// Whether the current thread is a worker of some pool, or gives a turn in place of one.
pub(super) fn is_worker() -> bool {
    LOCAL.with(|local| local.get().is_some()) || turn::guest_of().is_some()
}

/// What one of the pool's threads does.
type Run = Box<dyn FnOnce(&Arc<Core>, &Pool) + Send>;

static POOLS: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Pool {
    number: usize,
    injector: Injector<Arc<Cell>>,
    seats: Box<[CachePadded<Seat>]>,
    parking: Parking,
    stopped: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by other threads while they give one of its actors a turn.
    guests: RwLock<()>,
}

/// What a worker thread needs to begin.
pub(super) struct Start {
    queue: Worker<Arc<Cell>>,
    parker: Parker,
}

impl Pool {
    pub(super) fn new(workers: usize) -> (Self, Vec<Start>) {
        let starts: Vec<_> = (0..workers.clamp(1, WORKERS_MAX))
            .map(|_| Start { queue: Worker::new_fifo(), parker: Parker::new() })
            .collect();
        let seat = |start: &Start| {
            CachePadded::new(Seat {
                stealer: start.queue.stealer(),
                next: AtomicCell::new(None),
                unparker: start.parker.unparker().clone(),
                turns: AtomicU64::new(0),
            })
        };
        let pool = Self {
            number: POOLS.fetch_add(1, Relaxed),
            injector: Injector::new(),
            seats: starts.iter().map(seat).collect(),
            parking: Parking::default(),
            stopped: AtomicBool::new(false),
            threads: Mutex::new(Vec::new()),
            guests: RwLock::new(()),
        };
        (pool, starts)
    }

    /// Starts the threads.
    pub(super) fn start(&self, core: &Arc<Core>, starts: Vec<Start>) -> std::io::Result<()> {
        let spawn = |name: String, run: Run| {
            let core = core.clone();
            let thread = std::thread::Builder::new().name(name).spawn(move || {
                if let Some(pool) = core.pool() {
                    run(&core, pool);
                }
            })?;
            self.threads.lock().push(thread);
            Ok(())
        };
        for (index, start) in starts.into_iter().enumerate() {
            spawn(format!("odeon-worker-{index}"), Box::new(move |core, pool| pool.work(core, index, start)))?;
        }
        spawn("odeon-clock".to_owned(), Box::new(|core, pool| core.timers.run_clock(core, pool)))
    }

    fn with_local<T>(&self, then: impl FnOnce(Option<&Local>) -> T) -> T {
        LOCAL.with(|local| then(local.get().filter(|local| local.pool == self.number)))
    }

    /// Whether the current thread is one of the pool's.
    pub(super) fn is_mine(&self) -> bool {
        self.with_local(|local| local.is_some()) || turn::guest_of() == Some(self.number)
    }

    /// What tells it from others of this process.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Does something outside of the pool's threads that a stop waits for. Nothing once the pool is stopped.
    pub(super) fn while_it_runs<T>(&self, then: impl FnOnce() -> T) -> Option<T> {
        let _guest = self.guests.read();
        (!self.is_stopped()).then(then)
    }

    /// Gives an actor that was just woken its turn.
    pub(super) fn schedule(&self, cell: Arc<Cell>) {
        self.with_local(|local| match local {
            Some(local) => {
                if let Some(displaced) = self.seats[local.index].next.swap(Some(cell)) {
                    local.queue.push(displaced);
                    self.notify();
                }
            }
            None => {
                if let Some(cell) = turn::catch(self.number, cell) {
                    self.injector.push(cell);
                    self.notify();
                }
            }
        });
    }

    /// Gives an actor its turn after the others of the current worker, and wakes nobody for it.
    pub(super) fn schedule_after_this(&self, cell: Arc<Cell>) {
        self.with_local(|local| match local {
            Some(local) => local.queue.push(cell),
            None => self.schedule(cell),
        });
    }

    /// Wakes a worker, unless one searches already.
    fn notify(&self) {
        self.unpark(self.parking.wake(|| self.has_work()));
    }

    fn unpark(&self, worker: Option<usize>) {
        if let Some(worker) = worker {
            self.seats[worker].unparker.unpark();
        }
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.seats.iter().any(|seat| !seat.stealer.is_empty())
    }

    fn work(&self, core: &Core, index: usize, start: Start) {
        let local = Local {
            pool: self.number,
            index,
            queue: start.queue,
            lifo_runs: Plain::new(0),
            turn: Plain::new(index as u32),
        };
        LOCAL.with(|place| {
            let local = place.get_or_init(|| local);
            self.work_as(core, local, &start.parker);
        });
    }

    fn work_as(&self, core: &Core, local: &Local, parker: &Parker) {
        let mut searching = false;
        while !self.stopped.load(SeqCst) {
            // Turns catch the panics of actors by themselves; one that comes here is a callback's.
            let _ = caught(|| self.take_turns(core, local, parker, &mut searching));
        }
    }

    fn take_turns(&self, core: &Core, local: &Local, parker: &Parker, searching: &mut bool) {
        let seat = &self.seats[local.index];
        while !self.stopped.load(SeqCst) {
            if let Some(cell) = self.find(local) {
                if std::mem::take(searching) {
                    self.unpark(self.parking.found(|| self.has_work()));
                }
                seat.turns.store(seat.turns.load(Relaxed) + 1, Relaxed);
                if cell.activate(ACTIVATION_MESSAGES_MAX) {
                    local.queue.push(cell);
                }
                continue;
            }
            if !*searching {
                *searching = true;
                self.parking.begin_search();
            }
            if !self.look_again() {
                if self.parking.sleep(local.index, || self.has_work() || self.stopped.load(SeqCst)) {
                    parker.park();
                }
                core.timers.poke();
            }
        }
    }

    /// A few looks at the queues before it is worth while to park.
    fn look_again(&self) -> bool {
        (0..IDLE_LOOKS).any(|_| {
            (0..64).for_each(|_| std::hint::spin_loop());
            self.has_work()
        })
    }

    /// The next actor for a worker.
    fn find(&self, local: &Local) -> Option<Arc<Cell>> {
        local.turn.set(local.turn.get().wrapping_add(1));
        if local.turn.get().is_multiple_of(INJECTOR_TURNS)
            && let Some(cell) = retried(|| self.injector.steal())
        {
            return Some(cell);
        }
        if let Some(cell) = self.seats[local.index].next.take() {
            if local.lifo_runs.get() < LIFO_RUNS_MAX || local.queue.is_empty() {
                local.lifo_runs.set(local.lifo_runs.get() + 1);
                return Some(cell);
            }
            local.queue.push(cell);
        }
        local.lifo_runs.set(0);
        local
            .queue
            .pop()
            .or_else(|| retried(|| self.injector.steal_batch_and_pop(&local.queue)))
            .or_else(|| self.steal(local))
    }

    fn steal(&self, local: &Local) -> Option<Arc<Cell>> {
        let seats = self.seats.len();
        let others = (1..seats).map(|distance| &self.seats[(local.index + distance) % seats]);
        others.into_iter().find_map(|seat| retried(|| seat.stealer.steal_batch_and_pop(&local.queue)))
    }

    /// Whether a worker is awake.
    pub(super) fn is_busy(&self) -> bool {
        self.parking.asleep() < self.seats.len()
    }

    /// The clock's look: lets others take what workers run next that are still in the turn that they were in at the last
    /// look, and wakes one where anything waits.
    pub(super) fn rescue(&self, turns: &mut Vec<u64>) {
        turns.resize(self.seats.len(), 0);
        for (seat, last) in self.seats.iter().zip(turns) {
            let now = seat.turns.load(Relaxed);
            if now == *last
                && let Some(cell) = seat.next.take()
            {
                self.injector.push(cell);
            }
            *last = now;
        }
        if self.has_work() {
            self.notify();
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Stops the threads once their current turns are over, and waits for them.
    pub(super) fn stop(&self, core: &Core) {
        self.stopped.store(true, SeqCst);
        self.seats.iter().for_each(|seat| seat.unparker.unpark());
        core.timers.poke_always();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
        if turn::guest_of() != Some(self.number) {
            drop(self.guests.write());
        }
    }

    /// Empties the queues of a stopped pool.
    pub(super) fn clear(&self) {
        while retried(|| self.injector.steal()).is_some() {}
        for seat in &self.seats {
            seat.next.take();
            while retried(|| seat.stealer.steal()).is_some() {}
        }
    }
}

fn retried(mut steal: impl FnMut() -> Steal<Arc<Cell>>) -> Option<Arc<Cell>> {
    loop {
        match steal() {
            Steal::Success(cell) => return Some(cell),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
