//! A node as a process of its own, driven by the real command: the program `bench-node`, which was built beside this one.

use anyhow::{Context, Result, ensure};
use odeon::Registry;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How long a sample may take.
const SAMPLE_MAX: &str = "120s";

/// Every actor that a node of the benchmarks has linked in.
pub fn registry() -> Registry {
    crate::creates::register(crate::network::registry())
}

/// A node that lives until this is dropped.
pub(crate) struct Node {
    child: Child,
    /// Its folder.
    pub(crate) data: PathBuf,
}

fn program() -> Result<PathBuf> {
    let path = std::env::current_exe().context("find this program")?.with_file_name("bench-node");
    ensure!(path.exists(), "{} is missing: build the whole package", path.display());
    Ok(path)
}

impl Node {
    /// Starts one, with its data and its log in `folder`, and waits until it is ready.
    pub(crate) fn up(folder: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
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
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let ran = Command::new(program()?).args(arguments).arg("--data").arg(&self.data).output()?;
        let error = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "`{}` failed: {error}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    }

    /// Creates an actor on a node and gives its address.
    pub(crate) fn create(&self, actor: &str, on: &str) -> Result<String> {
        let made: Value = serde_json::from_str(&self.run(&["create", actor, "--on", on, "--json"])?)?;
        ensure!(made["node"] == on, "{actor} was created on {}, not on {on}", made["node"]);
        Ok(made["address"].as_str().context("no address")?.to_owned())
    }

    /// Asks an actor something and gives its answer.
    pub(crate) fn ask(&self, address: &str, message: &Value) -> Result<Value> {
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

/// A number of an answer.
pub(crate) fn number(reply: &Value, key: &str) -> Result<f64> {
    reply[key].as_f64().with_context(|| format!("{key} in {reply}"))
}
