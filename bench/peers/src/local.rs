//! Messages and actors inside one process: Odeon's base `threads` and its peers do the same work.
//!
//! Each contestant has two threads and is used as its own documentation does. Actors talk to actors; where a peer
//! has no actor for a part (whoever asks), a task of its runtime plays it.

mod actix;
mod aims;
mod goal;
mod kameo;
mod measures;
mod odeon;
mod ractor;
mod raw;

pub use aims::aims;
pub use goal::Payload;
pub use measures::{MEASURES, Measure, sample};

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Threads that run actors.
const WORKERS: usize = 2;

/// The contestants; the first is ours.
pub const CONTESTANTS: [&str; 6] = ["odeon", "tokio mpsc", "ractor", "kameo", "actix, 2 arbiters", "actix, 1 arbiter"];

/// How long each step of a crowd took, and what it cost.
pub(crate) struct Crowd {
    /// From the first spawn until every actor runs.
    spawning: Duration,
    /// Bytes more in memory once all of them run, and after each had its first message.
    idle_bytes: f64,
    used_bytes: f64,
}

/// Who can be measured. Every call waits until all messages have arrived, and fails when one does not.
trait Contestant {
    /// So many producers send so many messages in all to one actor.
    fn tell(&self, producers: u64, messages: u64) -> Result<Duration>;
    /// One message goes round in a ring of actors; in one of two, that is ping-pong.
    fn ring(&self, actors: u64, hops: u64) -> Result<Duration>;
    /// Somebody inside the system asks an actor, one question at a time: nanoseconds of each.
    fn ask(&self, rounds: u64) -> Result<Vec<u64>>;
    /// The same from a thread of the program that runs no actors.
    fn ask_from_outside(&self, rounds: u64) -> Result<Vec<u64>>;
    /// Two spawners create so many actors, which then have one message each.
    fn crowd(&self, actors: u64) -> Result<Crowd>;
}

/// A contestant by its name.
fn contestant(name: &str) -> Result<Box<dyn Contestant>> {
    Ok(match name {
        "odeon" => Box::new(odeon::Odeon::start()),
        "tokio mpsc" => Box::new(raw::Raw::start()?),
        "ractor" => Box::new(ractor::Ractor::start()?),
        "kameo" => Box::new(kameo::Kameo::start()?),
        "actix, 2 arbiters" => Box::new(actix::Actix::start(WORKERS)),
        "actix, 1 arbiter" => Box::new(actix::Actix::start(1)),
        _ => anyhow::bail!("no contestant {name:?}, expected one of {CONTESTANTS:?}"),
    })
}

/// Tokio's runtime with as many threads as everybody has.
fn tokio_runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().context("start tokio")
}

/// What each of two spawners has to do.
fn shares(actors: u64) -> [u64; WORKERS] {
    [actors / 2, actors - actors / 2]
}
