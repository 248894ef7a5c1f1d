//! Creations on real nodes, from the asking until the running actor is known: a leader and three members as processes,
//! with their ledger on the disk, against the same messages between as many processes over bare QUIC.
//!
//! One member asks, and has not what the actors need. The other two have it, so each creation goes from the asker to
//! the leader, which chooses, to the host, which creates, and back the same way. An actor that asks is sure once its
//! child has answered a first message under its address: two messages more, straight between asker and host.

mod actors;
mod commands;
mod fleet;
mod floor;

pub use actors::register;
pub use fleet::Fleet;
pub use floor::{Floor, sample, serve};

use crate::options::Options;
use crate::rounds::Figure;
use crate::spread::quantile;
use crate::unit::Unit;
use odeon_convention::types::Placement;

/// The contestants; the first is ours.
pub const CONTESTANTS: [&str; 2] = ["odeon", "quinn"];
/// What a node has that hosts the actors.
const HOSTS: &str = "hosts";
/// Which of the hosts it is.
const HOST: &str = "host";
/// Part of the creations that are made before those that count.
const WARM_UP: u64 = 10;

/// Who asks, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// An actor asks for children.
    Actor,
    /// An actor asks for children with global names: a name is in the ledger before the answer leaves.
    ActorForNamed,
    /// Commands at the asker's socket, with this strategy.
    Command(Placement),
}

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Who asks.
    pub asks: Asks,
    /// Creations that are under way at once.
    pub at_once: u64,
}

/// Commands at once: a node serves 64, and one counts until its connection is seen to be closed.
const COMMANDS: u64 = 32;

/// All of them.
pub fn measures() -> impl Iterator<Item = Measure> {
    let by_actors = [Asks::Actor, Asks::ActorForNamed].into_iter().flat_map(|asks| [1, 64, 1024].map(|n| (asks, n)));
    let by_commands = [Placement::Spread, Placement::LeastLoaded]
        .into_iter()
        .flat_map(|p| [1, COMMANDS].map(|n| (Asks::Command(p), n)));
    by_actors.chain(by_commands).map(|(asks, at_once)| Measure { asks, at_once })
}

impl Measure {
    /// What names it.
    pub fn name(self) -> String {
        let at_once = self.at_once;
        match self.asks {
            Asks::Actor => format!("actor, {at_once} at once"),
            Asks::ActorForNamed => format!("actor, named, {at_once} at once"),
            Asks::Command(Placement::LeastLoaded) => format!("command, least-loaded, {at_once} at once"),
            Asks::Command(_) => format!("command, spread, {at_once} at once"),
        }
    }

    /// What a sample of it says.
    pub fn figures(self) -> Vec<Figure> {
        let name = self.name();
        vec![
            Figure::new(format!("{name}: creations/s"), Unit::PerSecond),
            Figure::new(format!("{name}: median"), Unit::Nanoseconds),
            Figure::new(format!("{name}: 99th percentile"), Unit::Nanoseconds),
        ]
    }

    /// Creations of a sample, beside the tenth that warms up.
    pub fn size(self, options: &Options) -> u64 {
        options.size(match (self.asks, self.at_once) {
            (Asks::Actor, 1) => 2_000,
            (Asks::Actor, _) => 8_000,
            (Asks::ActorForNamed, 1) => 500,
            (Asks::ActorForNamed, _) => 4_000,
            (Asks::Command(_), 1) => 1_000,
            (Asks::Command(_), _) => 4_000,
        })
    }

    /// Messages of one creation between the processes.
    pub fn hops(self) -> u64 {
        match self.asks {
            Asks::Actor | Asks::ActorForNamed => 6,
            Asks::Command(_) => 4,
        }
    }
}

/// Creations a second, the median and the 99th percentile of one.
fn figures_of(seconds: f64, mut took: Vec<u64>) -> [f64; 3] {
    let per_second = took.len() as f64 / seconds;
    [per_second, quantile(&mut took, 0.5), quantile(&mut took, 0.99)]
}
