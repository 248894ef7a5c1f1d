//! The base `simulated`: one thread, a clock that stands still until there is nothing else to do, and one source of decisions
//! for all that is left open otherwise: who is next, how long a message is under way, where an actor lives, what fails.
//!
//! It runs the same engine as every base, once per simulated node, and stands where the other nodes would: it is each one's
//! [`Outside`]. All actors have promised addresses, which the engine leaves to its outside, so every message comes by here and
//! the other bases pay nothing for it. [`crate::simulate`] is how a program uses it; start reading at `world`.

mod carrying;
mod creating;
mod decisions;
mod flight;
mod links;
mod place;
mod state;
mod trace;
mod watching;
mod world;

pub(super) use decisions::Random;
pub use decisions::{Decisions, Kind};
pub use trace::{Event, Step, Trace};

use super::{ActorStatus, Endpoint, Envelope, Outside, Spawn, SpawnError, System};
use crate::definition::Definition;
use crate::{Address, NodeRef, Requirements};
use decisions::Decider;
use std::sync::Arc;
use std::time::Duration;
use world::{PROGRAM, World};

/// Virtual time that an actor takes for a message, so that two who only talk to each other do not stop the clock.
const HANDLING_NS: u64 = 1_000;
/// Steps of a trace that are kept, the last ones.
const TRACE_STEPS_MAX: usize = 20_000;

/// What may happen in a simulation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shortest time that a message is under way.
    pub delay_least: Duration,
    /// The longest.
    pub delay_most: Duration,
    /// How probable it is that a handler fails, from 0 to 1.
    pub crash_probability: f64,
    /// Nodes that are lost at most.
    pub losses: usize,
    /// How often a link between two nodes is cut at most.
    pub cuts: usize,
    /// Steps after which the simulation ends.
    pub steps_max: u64,
    /// Whether a trace is kept.
    pub records: bool,
    /// Whether log lines go to the outside as well as into the trace.
    pub logs: bool,
}

/// Messages take up to ten milliseconds; nothing fails.
impl Default for Settings {
    fn default() -> Self {
        Self {
            delay_least: Duration::ZERO,
            delay_most: Duration::from_millis(10),
            crash_probability: 0.0,
            losses: 0,
            cuts: 0,
            steps_max: u64::MAX,
            records: false,
            logs: true,
        }
    }
}

/// What unwinds a program whose simulation has reached its limit of steps.
pub(crate) struct NoEnd;

/// A handle on a simulation; clones share it. It has the verbs of [`System`], for all its nodes together.
#[derive(Clone)]
pub struct Simulated(Arc<World>);

impl Simulated {
    /// A simulation of these nodes, each with its own outside: what it asks is answered for that node. `program` stands in the
    /// addresses of whatever is no actor.
    ///
    /// # Panics
    /// When there is no node.
    pub fn start(
        program: NodeRef,
        nodes: Vec<(Arc<str>, Arc<dyn Outside>)>,
        settings: Settings,
        seed: u64,
        script: Option<Decisions>,
    ) -> Self {
        assert!(!nodes.is_empty(), "a simulation has at least one node");
        let decider = match script {
            Some(script) => Decider::scripted(seed, script),
            None => Decider::seeded(seed),
        };
        Self(World::new(program, nodes, settings, decider))
    }

    /// Creates an actor on one of the nodes, whichever is decided.
    pub fn spawn(&self, spawn: Spawn) -> Result<Address, SpawnError> {
        self.0.spawn(self.0.everywhere(&spawn.definition), spawn, Requirements::none())
    }

    /// Creates an actor on one of these nodes, counted from 0, each with the definition that it has.
    pub(crate) fn spawn_on(
        &self,
        places: Vec<(usize, Definition)>,
        spawn: Spawn,
        requirements: Requirements,
    ) -> Result<Address, SpawnError> {
        let places = places.into_iter().map(|(node, definition)| (node + PROGRAM + 1, definition)).collect();
        self.0.spawn(places, spawn, requirements)
    }

    /// The nodes that are not lost, counted from 0.
    pub(crate) fn living(&self) -> Vec<usize> {
        self.0.everyone().into_iter().map(|node| node - PROGRAM - 1).collect()
    }

    /// Sends a message on its way. What is for nobody in the simulation is a dead letter, as in [`System::deliver`].
    pub fn deliver(&self, envelope: Envelope) {
        if self.0.decides(&envelope.to) {
            let _ = self.0.carry(PROGRAM, envelope);
        } else {
            self.0.dead(PROGRAM, envelope);
        }
    }

    /// Whether somebody is at an address, or will be.
    pub fn is_there(&self, address: Address) -> bool {
        self.0.is_there(&address)
    }

    /// Runs until `enough` holds, nothing is left to do, or `time` has passed; then that is the time.
    pub fn run(&self, time: Duration, enough: impl Fn() -> bool) {
        let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = self.0.now_ns().saturating_add(time_ns);
        while !enough() {
            if !self.0.step(until_ns) {
                if until_ns < u64::MAX {
                    self.0.clock.advance(until_ns);
                }
                return;
            }
        }
    }

    /// Virtual time since the beginning.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.now_ns())
    }

    /// Whether no actor has mail and nothing is under way. Wakeups may still come.
    pub fn is_quiet(&self) -> bool {
        self.0.queue.len() == 0 && self.0.state.lock().flight.next().is_none()
    }

    /// Loses a node now, counted from 0.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn lose(&self, node: usize) {
        self.0.lose(PROGRAM + 1 + node);
    }

    /// A node, counted from 0, has another value for a key than before, or none: those who watch capabilities are told, and
    /// its actors are looked at again.
    pub(crate) fn capability_changed(&self, node: usize, key: String) {
        self.0.tell_changed(PROGRAM + 1 + node, key);
        self.0.nodes[PROGRAM + 1 + node].system.recheck();
    }

    /// See [`System::endpoint`].
    pub fn endpoint(&self, on_message: Box<dyn Fn(Envelope) + Send + Sync>) -> Result<Endpoint, SpawnError> {
        self.program().endpoint(on_message)
    }

    /// The engine of the program's own node, where no actor lives.
    pub fn program(&self) -> &System {
        &self.0.nodes[PROGRAM].system
    }

    /// See [`System::child_exited`].
    pub fn child_exited(&self, parent: Address, child: Address, reason: &str) {
        let home = self.0.state.lock().residents.get(&parent).and_then(|parent| parent.node);
        if let Some(home) = home {
            self.0.nodes[home].system.child_exited(parent, child, reason);
        }
    }

    /// See [`System::resume`].
    pub fn resume(&self, ticket: u64) {
        self.0.nodes.iter().for_each(|node| node.system.resume(ticket));
    }

    /// See [`System::actors`]: in the order of their creation.
    pub fn actors(&self) -> Vec<ActorStatus> {
        let all = self.0.state.lock().in_order(|_| true);
        all.into_iter().filter_map(|actor| self.status(actor)).collect()
    }

    /// See [`System::status`].
    pub fn status(&self, actor: Address) -> Option<ActorStatus> {
        let (home, parent) = {
            let state = self.0.state.lock();
            let resident = state.residents.get(&actor)?;
            (resident.node?, resident.parent)
        };
        self.0.nodes[home].system.status(actor).map(|status| ActorStatus { parent, ..status })
    }

    /// See [`System::count`].
    pub fn count(&self) -> usize {
        self.0.state.lock().residents.len()
    }

    /// See [`System::named`].
    pub fn named(&self, name: &str) -> Option<Address> {
        self.0.named(name)
    }

    /// What was decided so far.
    pub fn decisions(&self) -> Decisions {
        self.0.state.lock().decider.taken().clone()
    }

    /// What happened so far, if the settings say that it is kept.
    pub fn trace(&self) -> Trace {
        self.0.state.lock().trace.clone()
    }

    /// Whether the limit of steps was reached.
    pub(crate) fn is_over(&self) -> bool {
        self.0.state.lock().over
    }

    /// Asks all actors to exit and waits for them up to `timeout` in virtual time; what is still there then is destroyed.
    /// Says whether all exited in time.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        if self.0.state.lock().stopped {
            return self.count() == 0;
        }
        let deadline = self.now().saturating_add(timeout);
        self.0.nodes.iter().for_each(|node| node.system.0.close());
        let mut asked = std::collections::HashSet::new();
        loop {
            let new: Vec<_> = self.0.roots().into_iter().filter(|root| asked.insert(*root)).collect();
            if new.is_empty() {
                break;
            }
            for root in new {
                self.0.ask_to_exit(root);
            }
            self.run(deadline.saturating_sub(self.now()), || self.count() == 0);
        }
        let all = self.count() == 0;
        self.stop();
        all
    }

    /// Destroys what is there. Nothing runs any more.
    pub fn stop(&self) {
        self.0.stop();
    }
}
