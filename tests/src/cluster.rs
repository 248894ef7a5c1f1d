//! Real nodes as processes: start them, talk to them through the real command, end them by id.
//!
//! Nothing here sleeps in the hope that something has happened: [`eventually`] waits for a state, bounded.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a node may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);

/// The `odeon` command that was built beside these tests.
pub fn odeon() -> PathBuf {
    beside("odeon")
}

/// The image of the example, as it is kept in the repository.
pub fn hello() -> String {
    format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"))
}

/// The example with so much noise in it that its image has about this size; needs `unzip`.
pub fn padded_hello(folder: &Path, noise_bytes: usize) -> PathBuf {
    let (from, zip) = (folder.join("large"), folder.join("large.zip"));
    let unpacked = Command::new("unzip").args(["-q", &hello(), "-d"]).arg(&from).status().expect("`unzip` runs");
    assert!(unpacked.success(), "the kept image is a zip file");
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(noise_bytes)
    .collect();
    std::fs::write(from.join("noise.bin"), noise).expect("a folder of the test");
    let text = std::fs::read_to_string(from.join("odeon.toml")).expect("it was unpacked");
    // Top-level keys come before the first table.
    let manifest = format!("include = [\"noise.bin\"]\n{text}");
    std::fs::write(from.join("odeon.toml"), manifest).expect("a folder of the test");
    let paths = [from.display().to_string(), zip.display().to_string()];
    run_at(folder, &["image", "pack", &paths[0], "-o", &paths[1]]).ok();
    zip
}

/// A program of this workspace that was built beside these tests.
pub fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/…/deps/test");
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `cargo build` first", path.display());
    path
}

/// Nodes of one convention, with their folders, on loopback or wherever their [`Start`] says.
pub struct Cluster {
    dir: tempfile::TempDir,
    nodes: Vec<Node>,
}

/// One node.
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub data: PathBuf,
    /// Where it listens.
    pub listen: String,
    /// Its id.
    pub id: String,
    child: Child,
    start: Start,
    stderr: std::sync::Arc<std::sync::Mutex<String>>,
    /// Reads `stderr` until the process has closed it.
    listener: Option<JoinHandle<()>>,
}

/// How a node is started.
#[derive(Clone, Default)]
pub struct Start {
    /// The program; `odeon` when empty.
    pub program: Option<PathBuf>,
    /// What comes before the program, such as `ip netns exec NAME`.
    pub before: Vec<String>,
    /// Where it listens; a free port on loopback when empty.
    pub listen: Option<String>,
    /// Further arguments of `up`.
    pub arguments: Vec<String>,
}

impl Start {
    /// A node with these capabilities.
    pub fn with(capabilities: &[&str]) -> Self {
        Self {
            arguments: capabilities.iter().flat_map(|c| ["--capability".to_owned(), (*c).to_owned()]).collect(),
            ..Self::default()
        }
    }

    /// Adds arguments of `up`.
    pub fn and(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|a| (*a).to_owned()));
        self
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Its standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// Itself, when it succeeded.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Cluster {
    /// A leader called `leader` that approves every image.
    pub fn new() -> Result<Self> {
        Self::led_by(Start::default().and(&["--authority", "accept-all"]))
    }

    /// A leader called `leader`, started so.
    pub fn led_by(start: Start) -> Result<Self> {
        let mut cluster = Self { dir: tempfile::tempdir()?, nodes: Vec::new() };
        cluster.up("leader", start)?;
        Ok(cluster)
    }

    /// Starts a member with a fresh token of the leader.
    pub fn member(&mut self, name: &str, start: Start) -> Result<()> {
        let token = self.leader().run(&["token", "create"]).ok().out.trim().to_owned();
        self.up(name, start.and(&["--join", &token]))
    }

    /// Starts a node as it is told.
    pub fn up(&mut self, name: &str, start: Start) -> Result<()> {
        let data = self.dir.path().join(name);
        let node = Node::start(name, data, start)?;
        self.nodes.push(node);
        Ok(())
    }

    /// Starts a node that has ended again, in another way.
    pub fn replace(&mut self, name: &str, start: Start) -> Result<()> {
        let node = self.node_mut(name);
        *node = Node::start(name, node.data.clone(), start)?;
        Ok(())
    }

    /// The folder that holds the nodes' folders.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Pushes the image of the example at the leader, and gives its hash.
    pub fn push_hello(&self) -> String {
        let pushed = self.leader().json(&["image", "push", &hello()]);
        pushed["hash"].as_str().expect("a hash").to_owned()
    }

    /// The leader.
    pub fn leader(&self) -> &Node {
        &self.nodes[0]
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|n| n.name == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    /// A node by name.
    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|n| n.name == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    /// Waits until the leader sees a node in this state.
    pub fn until_state(&self, name: &str, state: &str, at_most: Duration) -> Result<Value> {
        eventually(at_most, &format!("{name} is {state}"), || {
            let nodes = self.leader().run(&["nodes", "--json"]).ok().json();
            let all = nodes.as_array().cloned().unwrap_or_default();
            Ok(all.into_iter().find(|n| n["name"] == name && n["state"] == state))
        })
    }
}

impl Node {
    fn start(name: &str, data: PathBuf, start: Start) -> Result<Self> {
        let program = start.program.clone().unwrap_or_else(odeon);
        let mut words = start.before.clone();
        words.push(program.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["up", "--json", "--http", "off", "--name", name]);
        command.args(["--listen", start.listen.as_deref().unwrap_or("127.0.0.1:0")]);
        command.arg("--data").arg(&data).args(&start.arguments);
        // In a build with debug information a backtrace takes longer than a check may.
        command.env_remove("RUST_BACKTRACE");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {words:?}"))?;
        let stderr = std::sync::Arc::<std::sync::Mutex<String>>::default();
        let (out, err) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
        let kept = stderr.clone();
        let listener = std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let mut kept = kept.lock().expect("no thread panics with it");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(out);
            let mut line = String::new();
            let read = lines.read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
            // Whatever follows is read away so that the node never blocks on it.
            let _ = lines.read_to_end(&mut Vec::new());
        });
        let line = ready.recv_timeout(READY_MAX);
        let said = || stderr.lock().map(|s| s.clone()).unwrap_or_default();
        let line = match line {
            Ok(Ok(line)) if !line.is_empty() => line,
            other => {
                let _ = child.kill();
                let _ = child.wait();
                // Its last words may still be on their way.
                let _ = listener.join();
                bail!("{name} is not ready: {other:?}\n{}", said());
            }
        };
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("{name}'s ready line {line:?}"))?;
        ensure!(ready["ready"] == true, "{name} says {ready}");
        let text = |key: &str| ready[key].as_str().map(str::to_owned).with_context(|| format!("{key} in {ready}"));
        Ok(Self {
            name: name.to_owned(),
            data,
            listen: text("listen")?,
            id: text("node")?,
            child,
            start,
            stderr,
            listener: Some(listener),
        })
    }

    /// Runs a command at this node.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run_at(&self.data, arguments)
    }

    /// Runs a command at this node and gives its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        self.run(&all).ok().json()
    }

    /// Creates an actor and gives its address and its node's name.
    pub fn create(&self, arguments: &[&str]) -> (String, String) {
        let mut all = vec!["create"];
        all.extend_from_slice(arguments);
        let made = self.json(&all);
        let text = |key: &str| made[key].as_str().unwrap_or_else(|| panic!("{key} in {made}")).to_owned();
        (text("address"), text("node"))
    }

    /// Asks an actor something and gives the printed reply.
    pub fn ask(&self, address: &str, message: &str) -> String {
        self.run(&["ask", address, message]).ok().out.trim_end().to_owned()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().map(|s| s.clone()).unwrap_or_default()
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is our own child");
        self.child.wait().expect("it is our own child");
    }

    /// Sends it a signal, such as `-STOP`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.pid().to_string()]).status();
        assert!(done.is_ok_and(|done| done.success()), "kill {name} {}", self.pid());
    }

    /// Asks it to stop as an operator would, and gives its exit code.
    pub fn terminate(&mut self) -> Result<i32> {
        self.signal("-TERM");
        self.wait(Duration::from_secs(20))
    }

    /// Waits until it has ended by itself, and gives its exit code.
    pub fn wait(&mut self, at_most: Duration) -> Result<i32> {
        let ended = eventually(at_most, "the process ends", || Ok(self.child.try_wait()?))?;
        // Its last words may still be on their way.
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        ended.code().context("ended by a signal")
    }

    /// Starts it again with the same folder and without a token.
    pub fn restart(&mut self) -> Result<()> {
        let mut start = self.start.clone();
        if let Some(at) = start.arguments.iter().position(|a| a == "--join") {
            start.arguments.drain(at..at + 2);
        }
        // One that only dials does so from any port.
        if !self.listen.is_empty() {
            start.listen = Some(self.listen.clone());
        }
        *self = Self::start(&self.name.clone(), self.data.clone(), start)?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} wrote:\n{}", self.name, self.stderr());
        }
    }
}

/// Runs a command at the node of a folder.
pub fn run_at(data: &Path, arguments: &[&str]) -> Ran {
    let ran = Command::new(odeon())
        .args(arguments)
        .env("ODEON_DATA", data)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
        err: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

/// Asks again and again until there is an answer, or gives up with what was waited for.
pub fn eventually<T>(at_most: Duration, what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        ensure!(started.elapsed() < at_most, "after {at_most:?} still not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every file below a folder whose name has this text in it.
pub fn files_of(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // A node that runs removes files meanwhile.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.file_name().to_string_lossy().contains(text) {
                found.push(path);
            }
        }
    }
    found
}
