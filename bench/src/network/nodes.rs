//! A leader and a member as processes, driven by the real command.

use super::Measure;
use crate::node::{Node, number};
use anyhow::{Result, ensure};
use serde_json::json;
use tempfile::TempDir;

/// Two nodes, with the actors on them that exchange letters.
pub struct Nodes {
    leader: Node,
    _member: Node,
    echo: String,
    pinger: String,
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
        let (echo, sink) = (create("Echo", "member")?, create("Sink", "member")?);
        Ok(Self { leader, _member: member, echo, pinger, sink, source, _folder: folder })
    }

    /// A sample between the two.
    pub fn sample(&self, measure: Measure, size: u64) -> Result<Vec<f64>> {
        match measure {
            Measure::RoundTrip => {
                let reply = self.leader.ask(&self.pinger, &json!({"Ping": {"to": self.echo, "rounds": size}}))?;
                Ok(vec![number(&reply, "median")?, number(&reply, "p99")?])
            }
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
}
