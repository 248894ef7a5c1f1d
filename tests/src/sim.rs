//! A whole convention in one thread, decided by one seed: network, crashes, ledger, workload and every machine's draw.
//!
//! The machines are the real ones. The simulator is their driver: it carries their effects out in simulated time, and
//! tells what it saw to one checker per invariant, after every event. Start with [`run`], then `world`.

mod broken;
mod clock;
mod costs;
mod digest;
mod faults;
mod ledger;
mod link;
mod meter;
mod operators;
mod process;
mod queue;
mod random;
mod shelf;
mod truth;
pub mod watch;
mod workload;
mod world;

pub use broken::Broken;
pub use costs::{Costs, costs};
pub use meter::Words;

use random::Random;
use std::fmt;
use world::World;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many members.
    pub members: u32,
    /// How long faults happen, in simulated milliseconds.
    pub faults_ms: u64,
    /// How long everything has to settle afterwards.
    pub settle_ms: u64,
    /// A mistake that a checker has to notice.
    pub broken: Broken,
    /// Whether the report has a digest: to make it takes as long as everything else.
    pub digest: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { members: 200, faults_ms: 20_000, settle_ms: 16_000, broken: Broken::Nothing, digest: false }
    }
}

/// What happened, in numbers: a run in which nothing happened proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Report {
    pub events: u64,
    /// Nodes that the leader sees alive at the end, when every fault is over.
    pub alive_at_end: u64,
    pub created: u64,
    pub refused: u64,
    pub incompatible: u64,
    pub leader_crashes: u64,
    /// How often another node took the turn while all links stood.
    pub leader_moves: u64,
    pub member_crashes: u64,
    pub leader_stalls: u64,
    pub member_restarts: u64,
    pub links_cut: u64,
    pub partitions: u64,
    /// Messages that a broken link swallowed, and those that came late.
    pub lost: u64,
    pub delayed: u64,
    pub declared_gone: u64,
    /// Durable revocations of images, and how often an operator heard that all have confirmed one.
    pub revoked: u64,
    pub confirmed_by_all: u64,
    /// How often an actor durably became the Source Authority, and how often one that was it exited.
    pub authorities: u64,
    pub authorities_gone: u64,
    /// Times that an actor was told something that it watches.
    pub news: u64,
    /// A digest of everything that was seen, in order, where it is wanted: equal for equal seeds.
    pub digest: Option<u64>,
}

/// An invariant that does not hold, and how to see it again.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// Its size.
    pub members: u32,
    /// Simulated milliseconds.
    pub at_ms: u64,
    /// The checker.
    pub checker: &'static str,
    /// What it found.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, members, at_ms, checker, what } = self;
        writeln!(f, "{checker} does not hold at {at_ms} ms of seed {seed} with {members} members: {what}")?;
        let variables = format!("ODEON_SIM_MEMBERS={members} ODEON_SIM_SEED={seed}");
        write!(f, "replay: {variables} cargo nextest run -p odeon-tests simulator")
    }
}

/// Runs one seed to its end, or to the first invariant that does not hold.
pub fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    World::new(Random::new(seed), options.clone()).run().map_err(|(at_ms, checker, what)| Failure {
        seed,
        members: options.members,
        at_ms,
        checker,
        what,
    })
}
