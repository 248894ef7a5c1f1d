//! Looks for the run of a program of actors that goes wrong: over seeds, until one fails, and then for the smallest.
//!
//! On the base `simulated` one seed decides everything that real systems leave to chance: which actor is next, how long a
//! message is under way, on which node an actor lives, and, where they are asked for, which handlers fail, which nodes are lost
//! and which links are cut. Time is virtual: an hour of waiting takes no time. What is promised is kept: messages from one to another arrive
//! in order, an actor that fails is given its message once more, a parent is told of a child that is gone.
//!
//! ```
//! use odeon::simulate::{Simulation, explore};
//! use odeon::{Context, Registry, actor};
//! use std::time::Duration;
//!
//! /// Counts in an actor of its own, and forgets that others count as well.
//! #[derive(Default)]
//! struct Register(i64);
//!
//! #[actor]
//! impl Register {
//!     #[handler]
//!     fn read(&mut self, _: &(), cx: &mut Context) {
//!         cx.reply(self.0);
//!     }
//!
//!     #[handler]
//!     fn write(&mut self, value: &i64, _: &mut Context) {
//!         self.0 = *value;
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Clerk(Option<odeon::Address>);
//!
//! #[actor]
//! impl Clerk {
//!     #[handler]
//!     fn begin(&mut self, register: &odeon::Address, cx: &mut Context) {
//!         self.0 = Some(*register);
//!         cx.send(*register, ());
//!     }
//!
//!     #[handler]
//!     fn add(&mut self, value: &i64, cx: &mut Context) {
//!         self.0.into_iter().for_each(|register| cx.send(register, value + 1));
//!     }
//! }
//!
//! let patience = Duration::from_secs(1);
//! let found = explore(0..1_000, &Simulation::new(Registry::new()), |system| {
//!     let register = system.create_actor::<Register>().map_err(|error| error.to_string())?;
//!     for _ in 0..2 {
//!         let clerk = system.create_actor::<Clerk>().map_err(|error| error.to_string())?;
//!         system.tell(clerk, register);
//!     }
//!     system.listen(patience);
//!     match system.ask::<i64>(register, (), patience) {
//!         Ok(2) => Ok(()),
//!         other => Err(format!("two clerks counted to {other:?}")),
//!     }
//! });
//! let found = found.unwrap_err();
//! assert!(found.to_string().contains("two clerks counted to Ok(1)"));
//! ```
//!
//! What the program and its actors do must depend on nothing else: not on the order of a `HashMap`, on `Instant::now` or on
//! other threads. A failing seed is run twice, and the report says so if the two runs differ.

mod report;
mod run;
mod shrink;

pub use crate::system::{Decisions, Event, Kind, Step, Trace};
pub use report::{ExploreError, Found};
pub use run::{Reason, Run};

use crate::definition::Registry;
use crate::host::Level;
use crate::system::{ActorSystem, Settings};
use odeon_capabilities::CapabilityMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The variable that names the one seed to be run, whatever seeds the program gives.
pub const SEED_VARIABLE: &str = "ODEON_SEED";
/// Steps that a run takes at most, unless the program says otherwise.
pub const STEPS_MAX: u64 = 100_000;
/// Runs in search of a smaller failure.
pub const SHRINK_RUNS_MAX: usize = 2_000;

/// What a program is run on: nodes, and what may happen to them.
#[derive(Clone)]
pub struct Simulation {
    registry: Registry,
    nodes: Vec<(String, CapabilityMap)>,
    settings: Settings,
}

impl Simulation {
    /// One node without capabilities that has these actors. Messages are under way for up to ten milliseconds; nothing fails.
    pub fn new(registry: Registry) -> Self {
        let settings = Settings { steps_max: STEPS_MAX, logs: false, ..Settings::default() };
        Self { registry, nodes: vec![("node".to_owned(), CapabilityMap::new())], settings }
    }

    /// How long messages are under way. The shortest is what a shrunk run takes.
    pub fn delays(mut self, delays: RangeInclusive<Duration>) -> Self {
        (self.settings.delay_least, self.settings.delay_most) = delays.into_inner();
        self
    }

    /// How probable it is that a handler fails as by a panic, for each message: before it has done anything, or after it has
    /// done everything. From 0 to 1.
    ///
    /// # Panics
    /// When it is not between 0 and 1.
    pub fn crashes(mut self, probability: f64) -> Self {
        assert!((0.0..=1.0).contains(&probability), "{probability} is no probability: expected 0 to 1");
        self.settings.crash_probability = probability;
        self
    }

    /// The nodes, by name and capabilities, instead of the one. An actor lives on any that accepts it.
    ///
    /// # Panics
    /// When there is none.
    pub fn nodes<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = (N, CapabilityMap)>) -> Self {
        self.nodes = nodes.into_iter().map(|(name, capabilities)| (name.into(), capabilities)).collect();
        assert!(!self.nodes.is_empty(), "a simulation has at least one node");
        self
    }

    /// How many nodes are lost at most, some time in the first four thousand steps. Parents of their actors are told, what is
    /// sent to them is a dead letter; what they have sent arrives.
    pub fn lost_nodes(mut self, most: usize) -> Self {
        self.settings.losses = most;
        self
    }

    /// How often the link between two nodes is cut at most, before some of the first four thousand messages that are to cross it.
    /// It is whole again after 65 seconds at the latest; what is sent meanwhile waits, and arrives then in its order.
    pub fn cut_links(mut self, most: usize) -> Self {
        self.settings.cuts = most;
        self
    }

    /// Steps after which a run counts as one that does not end. A step is one message handled, or a move of the clock.
    pub fn steps_max(mut self, steps: u64) -> Self {
        self.settings.steps_max = steps;
        self
    }

    /// A system that does what this seed decides, for a program that is not explored.
    pub fn start(&self, seed: u64) -> ActorSystem {
        self.system(seed, None, false)
    }

    fn system(&self, seed: u64, script: Option<Decisions>, records: bool) -> ActorSystem {
        let settings = Settings { records, ..self.settings.clone() };
        ActorSystem::simulated(self.registry.clone(), self.nodes.clone(), Level::Error, settings, seed, script)
    }
}

/// Runs a program with each seed until one fails, and then with fewer and smaller decisions for as long as it fails still.
/// Answers how many seeds it ran.
///
/// The program fails when it returns an error, panics, or does not come to an end within the steps that it has. Where the
/// variable `ODEON_SEED` is set, its seed is the only one.
pub fn explore(
    seeds: impl IntoIterator<Item = u64>,
    simulation: &Simulation,
    program: impl Fn(&ActorSystem) -> Result<(), String>,
) -> Result<u64, ExploreError> {
    match std::env::var(SEED_VARIABLE) {
        Ok(text) => {
            let seed =
                text.trim().parse().map_err(|_| ExploreError::Seed { found: text.chars().take(80).collect() })?;
            search([seed], simulation, &program)
        }
        Err(std::env::VarError::NotPresent) => search(seeds, simulation, &program),
        Err(error) => Err(ExploreError::Seed { found: error.to_string() }),
    }
}

fn search(
    seeds: impl IntoIterator<Item = u64>,
    simulation: &Simulation,
    program: &dyn Fn(&ActorSystem) -> Result<(), String>,
) -> Result<u64, ExploreError> {
    let mut runs = 0;
    for seed in seeds {
        runs += 1;
        if run::run(simulation, seed, None, false, program).failure.is_some() {
            return Err(ExploreError::Found(Box::new(report::examine(simulation, seed, runs, program))));
        }
    }
    Ok(runs)
}

/// Runs a program once, with one seed, and keeps what happened.
pub fn replay(seed: u64, simulation: &Simulation, program: impl Fn(&ActorSystem) -> Result<(), String>) -> Run {
    run::run(simulation, seed, None, true, &program)
}

/// Runs a program once with these decisions, and plain choices where they say nothing.
pub fn rerun(
    seed: u64,
    decisions: Decisions,
    simulation: &Simulation,
    program: impl Fn(&ActorSystem) -> Result<(), String>,
) -> Run {
    run::run(simulation, seed, Some(decisions), true, &program)
}
