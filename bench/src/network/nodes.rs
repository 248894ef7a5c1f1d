//! A leader and a member as processes, driven by the real command.

use super::Measure;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How long a sample may take.
const SAMPLE_MAX: &str = "120s";

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

struct Node {
    child: Child,
    data: PathBuf,
}

/// The program with the command and the actors, which was built beside this one.
fn program() -> Result<PathBuf> {
    let path = std::env::current_exe().context("find this program")?.with_file_name("bench-node");
    ensure!(path.exists(), "{} is missing: build the whole package", path.display());
    Ok(path)
}

impl Node {
    fn up(folder: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        let data = folder.join(name);
        let log = folder.join(format!("{name}.log"));
        let mut child = Command::new(program()?)
            .args(["up", "--json", "--http", "off", "--listen", "127.0.0.1:0", "--name", name, "--data"])
            .arg(&data)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("start the node {name}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut line)?;
        let node = Self { child, data };
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("{name} is not ready:\n{}", said()))?;
        ensure!(ready["ready"] == true, "{name} says {ready}");
        Ok(node)
    }

    /// Runs a command at this node and gives what it printed.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let ran = Command::new(program()?).args(arguments).arg("--data").arg(&self.data).output()?;
        let error = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "`{}` failed: {error}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    }

    fn create(&self, actor: &str, on: &str) -> Result<String> {
        let made: Value = serde_json::from_str(&self.run(&["create", actor, "--on", on, "--json"])?)?;
        ensure!(made["node"] == on, "{actor} was created on {}, not on {on}", made["node"]);
        Ok(made["address"].as_str().context("no address")?.to_owned())
    }

    fn ask(&self, address: &str, message: &Value) -> Result<Value> {
        let reply = self.run(&["ask", address, &message.to_string(), "--timeout", SAMPLE_MAX, "--json"])?;
        serde_json::from_str(&reply).with_context(|| format!("the reply is {reply:?}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        let number = |reply: &Value, key: &str| reply[key].as_f64().with_context(|| format!("{key} in {reply}"));
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
