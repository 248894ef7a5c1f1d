//! Which workers sleep, and who is woken when there is work.
//!
//! A worker notes that it sleeps before its last look at all queues; whoever adds work looks for sleepers after adding.
//! One of the two sees the other. While a worker searches nobody else is woken: the last one that stops searching looks
//! again (when it parks) or wakes the next (when it found something and there is more).
//!
//! `scripts/loom` runs the tests of this file with every order of these steps.

use super::sync::{AtomicUsize, Mutex, fence};
use std::sync::atomic::Ordering::SeqCst;

#[derive(Default)]
pub(super) struct Parking {
    sleepers: Mutex<Vec<usize>>,
    asleep: AtomicUsize,
    searching: AtomicUsize,
}

impl Parking {
    /// Work was added. Gives the worker to unpark, which counts as searching; none where one searches already or none
    /// sleeps.
    pub(super) fn wake(&self, has_work: impl Fn() -> bool) -> Option<usize> {
        fence(SeqCst);
        while self.asleep.load(SeqCst) > 0 && self.searching.compare_exchange(0, 1, SeqCst, SeqCst).is_ok() {
            let sleeper = {
                let mut sleepers = self.sleepers.lock();
                let sleeper = sleepers.pop();
                self.asleep.store(sleepers.len(), SeqCst);
                sleeper
            };
            if sleeper.is_some() {
                return sleeper;
            }
            // Nobody slept after all. Whoever relied on this search in the meantime is looked after here.
            self.searching.fetch_sub(1, SeqCst);
            if !has_work() {
                return None;
            }
        }
        None
    }

    /// A worker that has nothing to do looks for work.
    pub(super) fn begin_search(&self) {
        self.searching.fetch_add(1, SeqCst);
    }

    /// A worker that searched has found something. Gives the worker to unpark as [`Parking::wake`] does.
    pub(super) fn found(&self, has_work: impl Fn() -> bool) -> Option<usize> {
        // What was added while this one searched woke nobody. It runs what it found first, so others may be needed; where
        // there is nothing more, it looks again itself before it sleeps.
        if self.searching.fetch_sub(1, SeqCst) == 1 && has_work() { self.wake(has_work) } else { None }
    }

    /// A worker that searched wants to sleep. Says whether it has to park; it counts as searching afterwards in any case.
    pub(super) fn sleep(&self, worker: usize, has_work: impl Fn() -> bool) -> bool {
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(worker);
            self.asleep.store(sleepers.len(), SeqCst);
        }
        self.searching.fetch_sub(1, SeqCst);
        fence(SeqCst);
        let left = has_work() && {
            let mut sleepers = self.sleepers.lock();
            let before = sleepers.len();
            sleepers.retain(|sleeper| *sleeper != worker);
            self.asleep.store(sleepers.len(), SeqCst);
            sleepers.len() < before
        };
        if left {
            self.searching.fetch_add(1, SeqCst);
        }
        // Whoever takes a worker off the list has counted it as searching, and unparks it.
        !left
    }

    /// How many sleep.
    pub(super) fn asleep(&self) -> usize {
        self.asleep.load(SeqCst)
    }
}

#[cfg(all(loom, test))]
mod tests {
    use super::*;
    use loom::sync::atomic::AtomicBool;
    use loom::sync::{Arc, Condvar};
    use loom::thread;

    /// What a worker parks with: a token, as of the real one.
    #[derive(Default)]
    struct Token(loom::sync::Mutex<bool>, Condvar);

    impl Token {
        fn unpark(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }

        fn park(&self) {
            let mut there = self.0.lock().unwrap();
            while !*there {
                there = self.1.wait(there).unwrap();
            }
            *there = false;
        }
    }

    struct Model {
        parking: Parking,
        queue: loom::sync::Mutex<usize>,
        left: loom::sync::Mutex<usize>,
        /// Whether a piece of work takes until all others have begun.
        together: bool,
        all_begun: Condvar,
        stopped: AtomicBool,
        tokens: Vec<Token>,
    }

    impl Model {
        fn new(workers: usize, work: usize, together: bool) -> Arc<Self> {
            Arc::new(Self {
                parking: Parking::default(),
                queue: loom::sync::Mutex::new(0),
                left: loom::sync::Mutex::new(work),
                together,
                all_begun: Condvar::new(),
                stopped: AtomicBool::new(false),
                tokens: (0..workers).map(|_| Token::default()).collect(),
            })
        }

        fn has_work(&self) -> bool {
            *self.queue.lock().unwrap() > 0 || self.stopped.load(SeqCst)
        }

        fn unpark(&self, woken: Option<usize>) {
            if let Some(worker) = woken {
                self.tokens[worker].unpark();
            }
        }

        fn add(&self) {
            *self.queue.lock().unwrap() += 1;
            self.unpark(self.parking.wake(|| self.has_work()));
        }

        fn take(&self) -> bool {
            let mut queue = self.queue.lock().unwrap();
            let there = *queue > 0;
            *queue -= usize::from(there);
            there
        }

        fn do_one(&self) {
            let mut left = self.left.lock().unwrap();
            *left -= 1;
            if *left == 0 {
                self.stopped.store(true, SeqCst);
                self.tokens.iter().for_each(Token::unpark);
                self.all_begun.notify_all();
            }
            while self.together && *left > 0 {
                left = self.all_begun.wait(left).unwrap();
            }
        }

        /// As `Pool::work_as`; the last piece of work stops all.
        fn work(&self, worker: usize) {
            let mut searching = false;
            while !self.stopped.load(SeqCst) {
                if self.take() {
                    if std::mem::take(&mut searching) {
                        self.unpark(self.parking.found(|| self.has_work()));
                    }
                    self.do_one();
                    continue;
                }
                if !searching {
                    searching = true;
                    self.parking.begin_search();
                }
                if self.parking.sleep(worker, || self.has_work()) {
                    self.tokens[worker].park();
                }
            }
        }
    }

    fn check(workers: usize, work: usize, together: bool) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let model = Model::new(workers, work, together);
            let threads: Vec<_> = (0..workers)
                .map(|worker| {
                    let model = model.clone();
                    thread::spawn(move || model.work(worker))
                })
                .collect();
            (0..work).for_each(|_| model.add());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*model.left.lock().unwrap(), 0);
        });
    }

    #[test]
    fn whatever_is_added_is_worked_by_one_worker() {
        check(1, 2, false);
    }

    #[test]
    fn whatever_is_added_is_worked_by_two_workers() {
        check(2, 2, false);
    }

    #[test]
    fn nothing_waits_for_a_worker_that_is_held_up() {
        check(2, 2, true);
    }
}
