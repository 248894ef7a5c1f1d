//! A leader and a member as processes, driven by the real command.

use super::Measure;
use crate::exchange::LARGE_ROUNDS;
use crate::node::{Node, number};
use anyhow::{Result, anyhow, ensure};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// Two nodes, with the actors on them that exchange letters.
pub struct Nodes {
    leader: Node,
    _member: Node,
    echo: String,
    pinger: String,
    carrier: String,
    sink: String,
    source: String,
    /// Outlives the nodes, which are dropped before it.
    _folder: TempDir,
}

impl Nodes {
    /// Starts both and creates the actors.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let leader = Node::up(folder.path(), "leader", &[])?;
        let token = leader.run(&["token", "create"])?;
        let member = Node::up(folder.path(), "member", &["--join", &token])?;
        let create = |actor, on| leader.create(actor, on);
        let (pinger, source) = (create("Pinger", "leader")?, create("Source", "leader")?);
        let carrier = create("Carrier", "leader")?;
        let (echo, sink) = (create("Echo", "member")?, create("Sink", "member")?);
        Ok(Self { leader, _member: member, echo, pinger, carrier, sink, source, _folder: folder })
    }

    /// A sample between the two.
    pub fn sample(&self, measure: Measure, size: u64) -> Result<Vec<f64>> {
        match measure {
            Measure::RoundTrip => {
                let reply = self.leader.ask(&self.pinger, &json!({"Ping": {"to": self.echo, "rounds": size}}))?;
                Ok(vec![number(&reply, "median")?, number(&reply, "p99")?])
            }
            Measure::Large => Ok(vec![self.carry(size, LARGE_ROUNDS)?]),
            Measure::OneWay => {
                let reply = self.leader.ask(&self.source, &json!({"Flow": {"to": self.sink, "letters": size}}))?;
                let (letters, out_of_order) = (&reply["letters"], &reply["out_of_order"]);
                ensure!(
                    letters == size && out_of_order == 0,
                    "of {size} letters {letters} came, {out_of_order} wrongly"
                );
                Ok(vec![number(&reply, "per_second")?])
            }
        }
    }

    /// The median of nanoseconds that so many bytes take there and back.
    fn carry(&self, bytes: u64, rounds: u64) -> Result<f64> {
        let carry = json!({"Carry": {"to": self.echo, "bytes": bytes, "rounds": rounds}});
        number(&self.leader.ask(&self.carrier, &carry)?, "median")
    }

    /// The 99th percentile of so many small round trips to an actor of its own, all of them while large messages go to and
    /// fro between two other actors.
    pub fn beside(&self, rounds: u64, bytes: u64) -> Result<f64> {
        let echo = self.leader.create("Echo", "member")?;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let carried = scope.spawn(|| -> Result<u64> {
                let mut carried = 0;
                while !over.load(Ordering::Relaxed) {
                    self.carry(bytes, 1)?;
                    carried += 1;
                }
                Ok(carried)
            });
            let reply = self.leader.ask(&self.pinger, &json!({"Ping": {"to": echo, "rounds": rounds}}));
            over.store(true, Ordering::Relaxed);
            let carried = carried.join().map_err(|_| anyhow!("the thread that carries panicked"))??;
            ensure!(carried > 1, "{carried} large messages went to and fro in that time");
            number(&reply?, "p99")
        })
    }
}
