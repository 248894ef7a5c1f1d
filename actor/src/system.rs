//! The bases: systems of actors inside this process.
//!
//! [`ActorSystem`] is what a program uses: the base `simple` runs everything in the thread that asks, `threads` has a
//! pool of workers, and on `simulated` one seed decides what happens when (see [`crate::simulate`]). [`System`] is the engine below it; a node uses the same engine and adds what lies [`Outside`].
//! It opens no socket and decides no placement. Not compiled into wasm images.

mod activation;
mod alone;
mod base;
mod cell;
mod chain;
mod core;
mod deferral;
mod family;
mod governor;
mod inline;
mod letters;
pub mod limits;
mod lock;
mod mailbox;
mod nonce;
mod outside;
mod pool;
mod pressure;
mod private;
mod program;
mod queue;
mod recheck;
mod run;
mod simulated;
mod slots;
mod status;
mod suspension;
mod timers;
mod turn;
mod way;

pub use alone::Alone;
pub use base::{Base, ParseBaseError};
pub use chain::Chain;
pub use governor::RateLimits;
pub use mailbox::ActorState;
pub use outside::{Envelope, Exit, Outside, Pressure, Resolution};
pub use private::PrivateContext;
pub use program::{ActorSystem, AskError, Builder, CreateError};
pub use recheck::Alike;
pub use run::Run;
pub(crate) use simulated::NoEnd;
pub use simulated::{Decisions, Event, Kind, Settings, Simulated, Step, Trace};
pub use status::{ActorStatus, Totals};
pub use turn::Turn;

use self::core::{Core, Posted, Scheduler};
use crate::caught;
use crate::definition::Definition;
use crate::{ActorStatusReport, Address, NodeRef, ReportedRates, Requirements};
use mailbox::Mail;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a shutdown sleeps at most before it looks again for actors that came in between.
const SWEEP_INTERVAL: Duration = Duration::from_millis(20);

/// Whether the current thread is a worker of some system: what may take long is better not waited for in it.
pub fn on_worker() -> bool {
    pool::is_worker()
}

/// An actor to be created.
pub struct Spawn {
    /// Its type.
    pub definition: Definition,
    /// Its parent, here or elsewhere.
    pub parent: Option<Address>,
    /// A name that no other actor of this system may have.
    pub global_name: Option<String>,
    /// The promised address under which it is to be known; none mints one.
    pub address: Option<Address>,
}

/// Why an actor was not created. Nothing is left of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SpawnError {
    #[error("the constructor of {actor} failed: {reason}")]
    Constructor { actor: String, reason: String },
    #[error("global name {name:?} belongs to {by}")]
    NameTaken { name: String, by: Address },
    #[error("an actor lives at {0} already")]
    AddressTaken(Address),
    #[error("the system holds {} actors and no more", limits::SLOTS_MAX)]
    Full,
    #[error("the system is shutting down")]
    Closed,
}

/// A handle on a system of actors; clones share it. It runs until [`System::shutdown`].
#[derive(Clone)]
pub struct System(Arc<Core>);

impl System {
    /// Starts a system with its own worker threads.
    ///
    /// # Panics
    /// When the operating system starts no thread.
    pub fn start(node: NodeRef, workers: usize, outside: Arc<dyn Outside>) -> Self {
        let (pool, starts) = pool::Pool::new(workers);
        let core = Core::new(node, Scheduler::Pool(pool), outside);
        if let Some(pool) = core.pool()
            && let Err(error) = pool.start(&core, starts)
        {
            pool.stop(&core);
            panic!("the operating system starts no thread for a worker: {error}");
        }
        Self(core)
    }

    /// A system without threads: its actors run inside [`System::run`] only.
    pub fn inline(node: NodeRef, outside: Arc<dyn Outside>) -> Self {
        Self(Core::new(node, Scheduler::Inline(Arc::default()), outside))
    }

    /// Creates an actor. Its constructor runs in the caller's thread; a panic there is an error.
    pub fn spawn(&self, spawn: Spawn) -> Result<Address, SpawnError> {
        self.0.spawn(spawn)
    }

    /// Creates an actor of which its creator asked something: it exits when that does not hold any more.
    pub fn spawn_where(&self, spawn: Spawn, requirements: Requirements) -> Result<Address, SpawnError> {
        self.0.spawn_where(spawn, requirements)
    }

    /// All actors that are not gone, those together that are alike.
    pub fn alike(&self) -> Vec<Alike> {
        self.0.alike()
    }

    /// Asks an actor here to exit with its children. One that is gone does not mind.
    pub fn ask_to_leave(&self, actor: Address) {
        self.0.ask_to_leave(actor);
    }

    /// Asks those actors to exit that the capabilities do not suit any more.
    pub(crate) fn recheck(&self) {
        self.0.recheck();
    }

    /// Delivers to an actor here; what has no live target goes to [`Outside::dead_letter`]. Never waits. Says whether the
    /// actor has more than it should.
    pub fn deliver(&self, envelope: Envelope) -> bool {
        let Envelope { to, sender, message } = envelope;
        self.0.deliver(to, Mail { sender, message })
    }

    /// Delivers messages that came together. Says whether the actor has more than it should.
    pub fn deliver_run(&self, run: Run) -> bool {
        self.0.deliver_run(run)
    }

    /// Has [`Outside::drained`] called once when an actor has drained or is gone, unless it has or is; says which.
    pub fn tell_when_drained(&self, actor: Address) -> bool {
        self.0.find(&actor).is_some_and(|cell| cell.mailbox.lock().admit_outside())
    }

    /// Follows those who wait, from one actor on to the one that it waits for and so on, until that is `origin`.
    pub fn chain(&self, from: Address, origin: Address) -> Chain {
        self.0.find(&from).map_or(Chain::Ends, |cell| cell.chain(&origin))
    }

    /// Lets an actor go on that waits for itself by way of other nodes. False where it does not live here.
    pub fn let_go(&self, actor: Address) -> bool {
        let cell = self.0.find(&actor);
        cell.iter().for_each(|cell| {
            cell.spare();
            cell.go_on();
        });
        cell.is_some()
    }

    /// Like [`System::deliver`], but gives the message back where nobody lives at the address.
    pub fn try_deliver(&self, envelope: Envelope) -> Result<(), Envelope> {
        let Envelope { to, sender, message } = envelope;
        match self.0.post(&to, &sender, message) {
            Posted::Dead(message) => Err(Envelope { to, sender, message }),
            _ => Ok(()),
        }
    }

    /// Tells a parent here that a child elsewhere, or one that was promised, is gone or never came to be.
    /// Only the first call for a child does anything.
    pub fn child_exited(&self, parent: Address, child: Address, reason: &str) {
        self.0.child_exited(parent, child, reason);
    }

    /// Lets the senders go on that were put aside with this ticket.
    pub fn resume(&self, ticket: u64) {
        self.0.resume(ticket);
    }

    /// Bounds how much actors may send in a second. Only the first call does anything.
    pub fn limit_rates(&self, limits: RateLimits) {
        if !limits.is_none() {
            self.0.governor.get_or_init(|| governor::Governor::new(limits));
        }
    }

    /// Those bounds, and how often an actor had to rest because of them.
    pub fn rates(&self) -> (RateLimits, u64) {
        self.0.governor.get().map_or_else(Default::default, |governor| (governor.limits(), governor.rests()))
    }

    /// Gives something that is not an actor an address. The callback runs in the sender's thread and must not block.
    pub fn endpoint(&self, on_message: Box<dyn Fn(Envelope) + Send + Sync>) -> Result<Endpoint, SpawnError> {
        let address = self.0.open_line(on_message)?;
        Ok(Endpoint { core: self.0.clone(), address })
    }

    /// All actors that are not gone.
    pub fn actors(&self) -> Vec<ActorStatus> {
        self.0.cells().iter().map(|cell| cell.status()).collect()
    }

    /// What is told of an actor to one that asks, on this node or another.
    pub fn report(&self, of: Address) -> ActorStatusReport {
        self.0.report(of)
    }

    /// Hands to the handler of dead letters what could not be delivered outside of this system.
    pub fn hand_dead_letter(&self, letter: &Envelope) {
        self.0.hand_dead_letter(letter);
    }

    /// One actor, when it is here and not gone.
    pub fn status(&self, actor: Address) -> Option<ActorStatus> {
        self.0.find(&actor).map(|cell| cell.status())
    }

    /// All actors together. Looks at each of them: not for a thread that must not wait.
    pub fn totals(&self) -> Totals {
        self.0.totals()
    }

    /// The bounds of what actors send, as actors are told.
    pub fn reported_rates(&self) -> ReportedRates {
        self.0.reported_rates()
    }

    /// How many actors are not gone.
    pub fn count(&self) -> usize {
        self.0.count.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Who has a global name in this system.
    pub fn named(&self, name: &str) -> Option<Address> {
        self.0.named(name)
    }

    /// Whether the current thread is one of this system's workers.
    pub fn is_worker_thread(&self) -> bool {
        self.0.pool().is_some_and(pool::Pool::is_mine)
    }

    /// Runs the actors of a system without threads until none has mail, `enough` holds, or for so many turns.
    /// A system with threads runs by itself.
    pub fn run(&self, turns_max: usize, enough: impl Fn() -> bool) {
        if let Scheduler::Inline(inline) = &self.0.scheduler {
            inline.run(&self.0, turns_max, enough);
        }
    }

    /// For a system without threads: whether an actor has mail now, and else when the next wakeup is due.
    pub(crate) fn idle_until(&self) -> (bool, Option<Instant>) {
        match &self.0.scheduler {
            Scheduler::Inline(inline) => (inline.has_work(), self.0.timers.next()),
            Scheduler::Pool(_) => (false, None),
        }
    }

    /// For a system without threads: waits, at most until then, for an actor to have mail or for `enough`.
    pub(crate) fn rest(&self, until: Option<Instant>, enough: impl Fn() -> bool) {
        if let Scheduler::Inline(inline) = &self.0.scheduler {
            inline.rest(until, enough);
        }
    }

    /// Asks all actors to exit, waits for them up to `timeout`, and stops the workers. What is still there then is
    /// destroyed, but for an actor whose handler does not return. Says whether all exited in time.
    ///
    /// Called by an actor it only asks: an actor cannot wait for itself.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        let core = &self.0;
        let deadline = Instant::now().checked_add(timeout);
        core.close();
        let waits = !self.is_worker_thread();
        let lock = parking_lot::Mutex::new(());
        let is_over = || self.count() == 0 && core.holds.load(std::sync::atomic::Ordering::SeqCst) == 0;
        loop {
            core.ask_all_to_exit();
            self.run(limits::TELL_ACTIVATIONS_MAX, || false);
            let now = Instant::now();
            if is_over() || !waits || deadline.is_some_and(|deadline| now >= deadline) {
                break;
            }
            let soon = now + SWEEP_INTERVAL;
            core.quiet.wait_until(&mut lock.lock(), deadline.map_or(soon, |deadline| deadline.min(soon)));
        }
        let all = is_over();
        match &core.scheduler {
            Scheduler::Pool(pool) if waits => {
                pool.stop(core);
                core.clear();
                pool.clear();
            }
            Scheduler::Pool(_) => {}
            Scheduler::Inline(inline) => {
                core.clear();
                inline.clear();
            }
        }
        all
    }
}

impl Core {
    /// Begins a shutdown that nobody waits for.
    fn begin_shutdown(&self) {
        self.close();
        self.ask_all_to_exit();
    }

    /// Asks every actor whose parent is not here. Asked twice, an actor that is gone does not mind.
    fn ask_all_to_exit(&self) {
        for cell in self.cells() {
            let orphan = cell.parent.is_none_or(|parent| self.find(&parent).is_none());
            if orphan && !cell.asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
                let message = crate::AnyMessage::new(crate::ActorExitRequest { recursive: true });
                let _ = self.post(&cell.address, &cell.address, message);
            }
        }
    }
}

/// The address of something that is not an actor; dropping it frees the address.
pub struct Endpoint {
    core: Arc<Core>,
    address: Address,
}

impl Endpoint {
    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.core.slots.release(self.address.slot());
    }
}
