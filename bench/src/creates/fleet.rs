//! The four nodes.

use super::{Asks, HOST, HOSTS, Measure, WARM_UP, commands};
use crate::node::{Node, number};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the leader may take to know that actors are gone.
const KNOWN_MAX: Duration = Duration::from_secs(30);
const KNOWN_LOOK: Duration = Duration::from_millis(100);

/// A leader, two members that host, and one that asks.
pub struct Fleet {
    leader: Node,
    _hosts: Vec<Node>,
    asker: Node,
    /// The actor that asks.
    actor: String,
    /// Whether a sample begins when the leader knows that the actors of the one before are gone. It hears so with a
    /// renewal, every few seconds; until then it takes the host that has renewed for the emptier one.
    evenly: bool,
    /// Outlives the nodes, which are dropped before it.
    _folder: TempDir,
}

/// What was created and has ended again.
pub(super) struct Made {
    /// Creations a second, median and 99th percentile.
    pub(super) figures: [f64; 3],
    pub(super) on_hosts: [u64; 2],
}

/// The names of the hosts.
pub(super) const NAMES: [&str; 2] = ["host-0", "host-1"];

impl Fleet {
    /// Starts all four and creates the actor that asks.
    pub fn start(evenly: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let leader = Node::up(folder.path(), "leader", &[])?;
        let token = leader.run(&["token", "create"])?;
        let hosts = NAMES.iter().enumerate().map(|(number, name)| {
            let (hosts, host) = (format!("{HOSTS}=true"), format!("{HOST}={number}"));
            Node::up(folder.path(), name, &["--join", &token, "--capability", &hosts, "--capability", &host])
        });
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        let asker = Node::up(folder.path(), "asker", &["--join", &token])?;
        let actor = asker.create("Asker", "asker")?;
        Ok(Self { leader, _hosts: hosts, asker, actor, evenly, _folder: folder })
    }

    /// A sample, after a warm-up of its kind. All actors have ended when it returns.
    pub fn sample(&self, measure: Measure, size: u64) -> Result<Vec<f64>> {
        let begun = Instant::now();
        while self.evenly && self.known_actors()? > 0 {
            ensure!(begun.elapsed() < KNOWN_MAX, "after {KNOWN_MAX:?} the leader still knows of actors on the hosts");
            std::thread::sleep(KNOWN_LOOK);
        }
        self.make(measure, (size / WARM_UP).max(1))?;
        let made = self.make(measure, size)?;
        let [first, second] = made.on_hosts;
        let apart = first.abs_diff(second);
        ensure!(first + second == size, "{first} and {second} actors are on the hosts, {size} were asked for");
        ensure!(
            !self.evenly || apart <= size.div_ceil(4) + measure.at_once,
            "{first} and {second} actors are not spread"
        );
        Ok(made.figures.into())
    }

    /// What the leader knows of the actors on both hosts.
    fn known_actors(&self) -> Result<u64> {
        let nodes: Value = serde_json::from_str(&self.leader.run(&["nodes", "--json"])?)?;
        let nodes = nodes.as_array().context("no list of nodes")?.iter();
        let of_hosts = nodes.filter(|node| NAMES.iter().any(|name| node["name"] == *name));
        Ok(of_hosts.filter_map(|node| node["actors"].as_u64()).sum())
    }

    fn make(&self, measure: Measure, size: u64) -> Result<Made> {
        match measure.asks {
            Asks::Actor => self.by_actor(size, measure.at_once, false),
            Asks::ActorForNamed => self.by_actor(size, measure.at_once, true),
            Asks::Command(placement) => {
                let (made, actors) = commands::make(&self.asker.data, placement, size, measure.at_once)?;
                commands::stop(&self.asker.data, &self.leader.data, &actors)?;
                Ok(made)
            }
        }
    }

    fn by_actor(&self, size: u64, at_once: u64, named: bool) -> Result<Made> {
        let create = json!({"Create": {"children": size, "at_once": at_once, "named": named}});
        let reply = self.asker.ask(&self.actor, &create)?;
        let (lost, why) = (&reply["lost"], &reply["why"]);
        ensure!(lost == 0, "{lost} of {size} children were lost, one with: {why}");
        let on = |host: usize| reply["on_hosts"][host].as_u64().with_context(|| format!("host {host} in {reply}"));
        let figures = [number(&reply, "per_second")?, number(&reply, "median")?, number(&reply, "p99")?];
        Ok(Made { figures, on_hosts: [on(0)?, on(1)?] })
    }
}
