//! How fast a leader decides who hosts an actor: its pure machine alone, on one core, without network and disk.
//!
//! The contestants are the strategies. A decision is timed from the word `Create` until the word `Place` is out; its
//! records are committed and its checks answered at once meanwhile. That the node then says `Placed`, which ends the
//! creation, is not in the time of a decision but in that of a creation.

mod scene;

use crate::options::Options;
use crate::rounds::Figure;
use crate::spread::quantile;
use crate::unit::Unit;
use anyhow::{Context, Result};
use odeon_convention::types::Placement;
use scene::Scene;
use std::time::Duration;

/// The strategies; a creation is `Local` unless it says otherwise.
pub const CONTESTANTS: [&str; 4] = ["local", "spread", "pack", "least-loaded"];
/// Decisions of one sample. As many again are taken while a fleet's load becomes uneven, before any is timed.
const DECISIONS: u64 = 4_000;

/// What happens between two decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// Nothing: the same type and requirements each time, all checks were answered before.
    Nothing,
    /// A member's capabilities change: every other time they become a map that no other member has, the time after
    /// that one which others have. The change is in the time of the decision.
    Capabilities,
    /// The next creation asks for something else and is of the next of sixteen types: each check is asked anew.
    Requirements,
}

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// What makes it another question than the one before.
    pub between: Between,
    /// Registered members.
    pub members: u64,
    /// Their distinct capability maps.
    pub maps: u64,
}

/// What can happen between decisions, with the word that names it.
pub const BETWEEN: [(&str, Between); 3] =
    [("steady", Between::Nothing), ("changing", Between::Capabilities), ("asking anew", Between::Requirements)];
/// Members, and their distinct maps.
pub const FLEETS: [(u64, u64); 5] = [(1_000, 10), (1_000, 1_000), (10_000, 10), (10_000, 40), (10_000, 1_000)];

/// All of them, with the words that name each to a sample.
pub fn measures() -> impl Iterator<Item = (String, Measure)> {
    BETWEEN.into_iter().flat_map(|(name, between)| {
        FLEETS.into_iter().map(move |(members, maps)| (named(name, members, maps), Measure { between, members, maps }))
    })
}

/// The name of a measure.
pub fn named(between: &str, members: u64, maps: u64) -> String {
    format!("{between}, {members} members, {maps} maps")
}

/// What a sample says of a measure.
pub fn figures(name: &str) -> Vec<Figure> {
    let figure = |what: &str, unit| Figure::new(format!("{name}: {what}"), unit);
    vec![
        figure("decisions/s", Unit::PerSecond),
        figure("median", Unit::Nanoseconds),
        figure("99th percentile", Unit::Nanoseconds),
        figure("creations/s with their end", Unit::PerSecond),
    ]
}

/// One sample in this process: so many decisions of one kind.
pub fn sample(measure: Measure, contestant: &str, options: &Options) -> Result<Vec<f64>> {
    let strategy = match contestant {
        "local" => Placement::Local,
        "spread" => Placement::Spread,
        "pack" => Placement::Pack,
        "least-loaded" => Placement::LeastLoaded,
        _ => anyhow::bail!("no strategy {contestant:?}, expected one of {CONTESTANTS:?}"),
    };
    let (members, maps) = (options.size(measure.members), options.size(measure.maps));
    let mut scene = Scene::with(members, maps)?;
    let size = options.size(DECISIONS);
    let mut took = Vec::new();
    let mut ended = Duration::ZERO;
    for number in 0..2 * size {
        let one = scene.one(number, measure.between, strategy);
        let (decided, whole) = one.with_context(|| format!("{measure:?}, {contestant}, creation {number}"))?;
        if number >= size {
            took.push(u64::try_from(decided.as_nanos())?);
            ended += whole;
        }
    }
    let count = took.len() as f64;
    let seconds = took.iter().sum::<u64>() as f64 / 1e9;
    let [median, high] = [0.5, 0.99].map(|share| quantile(&mut took, share));
    Ok(vec![count / seconds, median, high, count / ended.as_secs_f64()])
}
