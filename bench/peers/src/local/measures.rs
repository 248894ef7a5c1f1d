//! What is measured, in which sizes.

use super::{Contestant, Crowd, contestant};
use anyhow::{Context, Result};
use odeon_bench::options::Options;
use odeon_bench::rounds::Figure;
use odeon_bench::spread::quantile;
use odeon_bench::unit::Unit;
use std::time::Duration;

/// Producers of a fan-in.
const PRODUCERS: u64 = 8;
/// Actors of the ring.
const RING_ACTORS: u64 = 1000;
/// A warm-up's part of the whole.
const WARM_UP: u64 = 50;
/// A run takes about this long at most; slow contestants do less.
const RUN_MAX: Duration = Duration::from_secs(2);

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// One producer, one actor.
    Tell,
    /// Eight producers, one actor.
    FanIn,
    /// One message in a ring of a thousand actors.
    Ring,
    /// Two actors and one message.
    PingPong,
    /// Question and answer inside the system.
    Ask,
    /// Question and answer from a thread outside.
    AskFromOutside,
    /// Many idle actors.
    Crowd,
}

/// All of them, with the word that names each to a sample.
pub const MEASURES: [(&str, Measure); 7] = [
    ("tell", Measure::Tell),
    ("fan-in", Measure::FanIn),
    ("ring", Measure::Ring),
    ("ping-pong", Measure::PingPong),
    ("ask", Measure::Ask),
    ("outside-ask", Measure::AskFromOutside),
    ("crowd", Measure::Crowd),
];

impl Measure {
    /// What a sample of it says.
    pub fn figures(self) -> Vec<Figure> {
        let one = |name: &str, unit| vec![Figure::new(name, unit)];
        match self {
            Measure::Tell => one("tell, messages/s", Unit::PerSecond),
            Measure::FanIn => one("fan-in of 8, messages/s", Unit::PerSecond),
            Measure::Ring => one("ring of 1,000, hops/s", Unit::PerSecond),
            Measure::PingPong => one("ping-pong, rounds/s", Unit::PerSecond),
            Measure::Ask => one("ask, median", Unit::Nanoseconds),
            Measure::AskFromOutside => one("ask from outside, median", Unit::Nanoseconds),
            Measure::Crowd => vec![
                Figure::new("spawn until running, actors/s", Unit::PerSecond),
                Figure::new("an idle actor, bytes", Unit::Bytes),
                Figure::new("after its first message, bytes", Unit::Bytes),
            ],
        }
    }

    /// Messages, hops, rounds or actors of a full run.
    fn size(self, contestant: &str) -> u64 {
        match self {
            Measure::Tell | Measure::FanIn => 4_000_000,
            Measure::Ring | Measure::PingPong => 2_000_000,
            Measure::Ask => 500_000,
            Measure::AskFromOutside => 50_000,
            // A million of theirs is 8 GB.
            Measure::Crowd if ["ractor", "kameo"].contains(&contestant) => 250_000,
            Measure::Crowd => 1_000_000,
        }
    }
}

/// One sample in this process.
pub fn sample(name: &str, measure: Measure, options: &Options) -> Result<Vec<f64>> {
    let contestant = contestant(name)?;
    let size = options.size(measure.size(name));
    let of = &*contestant;
    match measure {
        Measure::Tell => rate(size, |messages| of.tell(1, messages)),
        // Every producer has the same share.
        Measure::FanIn => rate(size, |messages| of.tell(PRODUCERS, messages)),
        Measure::Ring => rate(size, |hops| of.ring(RING_ACTORS, hops)),
        Measure::PingPong => rate(size, |rounds| of.ring(2, 2 * rounds)),
        Measure::Ask => median(size, |rounds| of.ask(rounds)),
        Measure::AskFromOutside => median(size, |rounds| of.ask_from_outside(rounds)),
        Measure::Crowd => crowd(of, size),
    }
    .with_context(|| format!("{name}: {measure:?} of {size}"))
}

/// Things in a second, after a warm-up that also says how many can be done in the time.
fn rate(size: u64, run: impl Fn(u64) -> Result<Duration>) -> Result<Vec<f64>> {
    let warm_up = eighths(size / WARM_UP);
    let time = run(warm_up)?;
    let fits = (warm_up as f64 / time.as_secs_f64() * RUN_MAX.as_secs_f64()) as u64;
    let size = eighths(size.min(fits.max(warm_up)));
    Ok(vec![size as f64 / run(size)?.as_secs_f64()])
}

/// A number that eight producers can share.
fn eighths(number: u64) -> u64 {
    number.div_ceil(PRODUCERS) * PRODUCERS
}

fn median(size: u64, run: impl Fn(u64) -> Result<Vec<u64>>) -> Result<Vec<f64>> {
    run((size / WARM_UP).max(1))?;
    Ok(vec![quantile(&mut run(size)?, 0.5)])
}

fn crowd(of: &dyn Contestant, actors: u64) -> Result<Vec<f64>> {
    let Crowd { spawning, idle_bytes, used_bytes } = of.crowd(actors)?;
    let actors = actors as f64;
    Ok(vec![actors / spawning.as_secs_f64(), idle_bytes / actors, used_bytes / actors])
}
