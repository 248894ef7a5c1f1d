//! Messages between two processes on loopback: two nodes with an actor on each, against a bare QUIC stream and TCP.
//!
//! The nodes are real ones, in a convention of their own. The QUIC peer has the same TLS settings, one stream and
//! one thread on each side; TCP has no encryption and no delay. Actors of another library over TCP have a program of
//! their own, `bench/cluster`. All measure inside: no command line, no start-up.

mod actors;
mod awake;
mod nodes;
mod peer;
pub(crate) mod quic;
mod stream;
mod tcp;

pub use actors::registry;
pub use awake::{Awake, spin};
pub use nodes::Nodes;
pub use peer::Peer;
pub use quic::make_identity;

use crate::apart;
use crate::exchange::round_trips;
use crate::options::Options;
use crate::rounds::Figure;
use crate::unit::Unit;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The contestants; the first is ours.
pub const CONTESTANTS: [&str; 4] = ["odeon", "quinn", "tcp", CLUSTER];
/// Whose program is `bench/cluster`.
pub const CLUSTER: &str = "ractor_cluster";

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// 64 bytes there and back, one after the other.
    RoundTrip,
    /// 64 bytes in one direction, as many as fit.
    OneWay,
    /// Fifty million bytes there and back.
    Large,
}

impl Measure {
    /// The word that names it to a sample.
    pub fn name(self) -> &'static str {
        match self {
            Measure::RoundTrip => "round-trip",
            Measure::OneWay => "one-way",
            Measure::Large => "large",
        }
    }

    /// What a sample of it says.
    pub fn figures(self, when: &str) -> Vec<Figure> {
        match self {
            Measure::RoundTrip => vec![
                Figure::new(format!("round trip, {when}, median"), Unit::Nanoseconds),
                Figure::new(format!("round trip, {when}, 99th percentile"), Unit::Nanoseconds),
            ],
            Measure::OneWay => vec![Figure::new(format!("one way, {when}, messages/s"), Unit::PerSecond)],
            Measure::Large => vec![Figure::new(format!("50 MB there and back, {when}, median"), Unit::Nanoseconds)],
        }
    }

    /// Rounds, messages or bytes.
    pub fn size(self, options: &Options) -> u64 {
        match self {
            Measure::RoundTrip => options.size(10_000),
            Measure::OneWay => options.size(3_000_000),
            Measure::Large => options.size(50_000_000),
        }
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start tokio")
}

/// A sample of a peer, from its server at `address`; `folder` has its certificate.
pub fn sample(peer: &str, measure: &str, size: u64, address: &str, folder: &Path) -> Result<Vec<f64>> {
    let address = address.parse().with_context(|| format!("{address:?} is no address"))?;
    runtime()?.block_on(async {
        match (peer, measure) {
            ("tcp", "round-trip") => tcp::connect(address).await?.round_trips(size).await.map(round_trips),
            ("tcp", "large") => tcp::connect(address).await?.large(size).await.map(|took| vec![took]),
            ("quinn", "large") => quic::connect(address, folder).await?.large(size).await.map(|took| vec![took]),
            ("tcp", "one-way") => tcp::connect(address).await?.one_way(size).await.map(|rate| vec![rate]),
            ("quinn", "round-trip") => quic::connect(address, folder).await?.round_trips(size).await.map(round_trips),
            ("quinn", "one-way") => quic::connect(address, folder).await?.one_way(size).await.map(|rate| vec![rate]),
            _ => bail!("no peer {peer:?} with a measure {measure:?}"),
        }
    })
}

/// Serves a peer.
pub fn serve(peer: &str, folder: &Path) -> Result<()> {
    apart::end_with_parent();
    runtime()?.block_on(async {
        match peer {
            "tcp" => tcp::serve().await,
            "quinn" => quic::serve(folder).await,
            _ => bail!("no peer {peer:?}"),
        }
    })
}

/// A peer's server, in a process of its own.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts one: a program with `serve` and these words.
    pub fn start(program: &Path, words: &[String]) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start the server {words:?}"))?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
