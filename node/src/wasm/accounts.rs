//! What the actors of an image use on this node: counters that its loaded code has for all of its instances together.
//!
//! Each counter is one atomic number, and none is ordered with another: people read them, no decision stands on them.

use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What the actors of one image have used here since its code was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmUsage {
    /// The image's source hash.
    pub hash: Arc<str>,
    /// Its name and version, for people.
    pub title: Arc<str>,
    /// Actors that are there now.
    pub actors: u64,
    /// Messages that were handled or failed. One that is given twice is counted twice.
    pub messages: u64,
    /// Wall time in the instances' code: their starts, constructors, checks and messages, with what the node did for
    /// them meanwhile.
    pub wall: Duration,
    /// Bytes of linear memory that the instances have now.
    pub memory_bytes: u64,
    /// The most that it was.
    pub memory_bytes_peak: u64,
    /// Messages, constructors and checks that failed, for whatever reason: those that broke a limit or trapped as well.
    pub failures: u64,
    /// Those that took too long.
    pub time_breaches: u64,
    /// Those that asked for too much memory.
    pub memory_breaches: u64,
    /// Those that called the node too often, or handed it too much.
    pub call_breaches: u64,
    /// Those that ended in another trap: a panic, a stack that is used up, a call that is not allowed.
    pub traps: u64,
}

/// Why a call of an instance failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Time,
    Memory,
    Calls,
    Trap,
    /// The actor has said so itself, and its instance is whole.
    Said,
}

/// The counters of an image.
#[derive(Default)]
pub(super) struct Accounts {
    actors: AtomicU64,
    messages: AtomicU64,
    wall_ns: AtomicU64,
    memory_bytes: AtomicU64,
    memory_bytes_peak: AtomicU64,
    failures: AtomicU64,
    time_breaches: AtomicU64,
    memory_breaches: AtomicU64,
    call_breaches: AtomicU64,
    traps: AtomicU64,
}

impl Accounts {
    pub(super) fn received(&self) {
        self.messages.fetch_add(1, Relaxed);
    }

    pub(super) fn worked(&self, wall: Duration) {
        // Five centuries fit.
        self.wall_ns.fetch_add(wall.as_nanos() as u64, Relaxed);
    }

    pub(super) fn failed(&self, cause: Cause) {
        self.failures.fetch_add(1, Relaxed);
        match cause {
            Cause::Time => self.time_breaches.fetch_add(1, Relaxed),
            Cause::Memory => self.memory_breaches.fetch_add(1, Relaxed),
            Cause::Calls => self.call_breaches.fetch_add(1, Relaxed),
            Cause::Trap => self.traps.fetch_add(1, Relaxed),
            Cause::Said => 0,
        };
    }

    pub(super) fn grew(&self, bytes: usize) {
        let now = self.memory_bytes.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        self.memory_bytes_peak.fetch_max(now, Relaxed);
    }

    pub(super) fn shrank(&self, bytes: usize) {
        self.memory_bytes.fetch_sub(bytes as u64, Relaxed);
    }

    fn usage(&self, hash: &Arc<str>, title: &Arc<str>) -> WasmUsage {
        WasmUsage {
            hash: hash.clone(),
            title: title.clone(),
            actors: self.actors.load(Relaxed),
            messages: self.messages.load(Relaxed),
            wall: Duration::from_nanos(self.wall_ns.load(Relaxed)),
            memory_bytes: self.memory_bytes.load(Relaxed),
            memory_bytes_peak: self.memory_bytes_peak.load(Relaxed),
            failures: self.failures.load(Relaxed),
            time_breaches: self.time_breaches.load(Relaxed),
            memory_breaches: self.memory_breaches.load(Relaxed),
            call_breaches: self.call_breaches.load(Relaxed),
            traps: self.traps.load(Relaxed),
        }
    }
}

/// That an actor is there.
pub(super) struct Counted(Arc<Accounts>);

impl Counted {
    pub(super) fn new(accounts: &Arc<Accounts>) -> Counted {
        accounts.actors.fetch_add(1, Relaxed);
        Counted(accounts.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.actors.fetch_sub(1, Relaxed);
    }
}

/// The counters of each image whose code is in use.
#[derive(Default)]
pub(super) struct Books(Mutex<HashMap<Arc<str>, Book>>);

struct Book {
    title: Arc<str>,
    accounts: Weak<Accounts>,
}

impl Books {
    /// The counters of an image, which go on while anything of it is there.
    pub(super) fn open(&self, hash: &str, title: &str) -> Arc<Accounts> {
        let mut books = self.0.lock();
        books.retain(|_, book| book.accounts.strong_count() > 0);
        let known = books.get(hash).and_then(|book| book.accounts.upgrade());
        let accounts = known.unwrap_or_default();
        books.insert(hash.into(), Book { title: title.into(), accounts: Arc::downgrade(&accounts) });
        accounts
    }

    /// All of them, as of now.
    pub(super) fn usage(&self) -> Vec<WasmUsage> {
        let books = self.0.lock();
        let open = |(hash, book): (&Arc<str>, &Book)| book.accounts.upgrade().map(|a| a.usage(hash, &book.title));
        books.iter().filter_map(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::time::Instant;

    #[test]
    fn counters_go_on_while_anything_of_the_image_is_there_and_begin_anew_after_that() {
        let books = Books::default();
        let accounts = books.open("ab", "hello@1");
        accounts.received();
        let again = books.open("ab", "hello@1");
        again.received();
        assert_eq!(books.usage()[0].messages, 2);
        drop((accounts, again));
        assert!(books.usage().is_empty());
        let _anew = books.open("ab", "hello@1");
        assert_eq!(books.usage()[0].messages, 0);
    }

    #[test]
    fn the_peak_is_the_most_that_was_there_at_once() {
        let books = Books::default();
        let accounts = books.open("ab", "hello@1");
        accounts.grew(100);
        accounts.shrank(60);
        accounts.grew(50);
        let usage = &books.usage()[0];
        assert_eq!((usage.memory_bytes, usage.memory_bytes_peak), (90, 100));
        let actors = [Counted::new(&accounts), Counted::new(&accounts)];
        assert_eq!(books.usage()[0].actors, 2);
        drop(actors);
        assert_eq!(books.usage()[0].actors, 0);
    }

    /// What an instance does for its accounts with each message, and nothing else: nanoseconds of each.
    fn message_ns(accounts: &Accounts) -> f64 {
        const MESSAGES: u32 = 2_000_000;
        let since = Instant::now();
        for _ in 0..MESSAGES {
            accounts.received();
            let started = black_box(Instant::now());
            accounts.worked(started.elapsed());
        }
        since.elapsed().as_nanos() as f64 / f64::from(MESSAGES)
    }

    #[test]
    #[ignore = "for docs/benchmarks.md: in a release build, on a machine that does nothing else"]
    fn what_accounting_adds_to_a_message() {
        let accounts = Accounts::default();
        let median = |sample: &dyn Fn() -> f64| {
            let mut samples: Vec<f64> = (0..7).map(|_| sample()).collect();
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        };
        let alone = median(&|| message_ns(&accounts));
        // Two workers with actors of one image, which share its counters.
        let both = median(&|| {
            std::thread::scope(|scope| {
                let other = scope.spawn(|| message_ns(&accounts));
                let mine = message_ns(&accounts);
                f64::midpoint(mine, other.join().unwrap())
            })
        });
        println!("accounting takes {alone:.0} ns of a message, {both:.0} ns where two workers account for one image");
        assert!(cfg!(debug_assertions) || alone < 150.0, "more than a tenth of what a message takes: {alone} ns");
    }
}
