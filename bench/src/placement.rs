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
pub const CONTESTANTS: [&str; 3] = ["local", "spread", "least-loaded"];
/// Registered members, of so many distinct capability maps.
const MEMBERS: u64 = 10_000;

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The same type and requirements each time: all checks were answered before.
    Seen,
    /// Other requirements each time and sixteen types in turn: each check is asked anew.
    Changing,
}

/// All of them, with the word that names each to a sample.
pub const MEASURES: [(&str, Measure); 2] = [("seen", Measure::Seen), ("changing", Measure::Changing)];

impl Measure {
    /// What a sample of it says.
    pub fn figures(self, name: &str) -> Vec<Figure> {
        let figure = |what: &str, unit| Figure::new(format!("{name}, {what}"), unit);
        vec![
            figure("decisions/s", Unit::PerSecond),
            figure("median", Unit::Nanoseconds),
            figure("99th percentile", Unit::Nanoseconds),
            figure("longest", Unit::Nanoseconds),
            figure("creations/s with their end", Unit::PerSecond),
        ]
    }
}

/// One sample in this process: so many decisions of one kind.
pub fn sample(measure: Measure, contestant: &str, options: &Options) -> Result<Vec<f64>> {
    let strategy = match contestant {
        "local" => Placement::Local,
        "spread" => Placement::Spread,
        "least-loaded" => Placement::LeastLoaded,
        _ => anyhow::bail!("no strategy {contestant:?}, expected one of {CONTESTANTS:?}"),
    };
    let mut scene = Scene::with(options.size(MEMBERS))?;
    let size = options.size(300);
    let mut took = Vec::new();
    let mut ended = Duration::ZERO;
    // The first tenth warms up.
    for number in 0..size / 10 + size {
        let (decided, whole) = scene
            .create(number, measure == Measure::Changing, strategy)
            .with_context(|| format!("{measure:?}, {contestant}, creation {number}"))?;
        if number >= size / 10 {
            took.push(u64::try_from(decided.as_nanos())?);
            ended += whole;
        }
    }
    let count = took.len() as f64;
    let seconds = took.iter().sum::<u64>() as f64 / 1e9;
    let [median, high, longest] = [0.5, 0.99, 1.0].map(|share| quantile(&mut took, share));
    Ok(vec![count / seconds, median, high, longest, count / ended.as_secs_f64()])
}
