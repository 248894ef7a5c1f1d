//! The processes and the folder of a demo: started, spoken to, and gone when it is over, however it ends.

use super::super::{CommandError, Output};
use odeon_convention::codes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Stands for the token where a command is shown.
pub(super) const TOKEN: &str = "$TOKEN";
/// How long a node may take until it is ready, and until it has ended.
const NODE_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a node that was told to end may take before it is killed.
const END_WAIT_MAX: Duration = Duration::from_secs(5);
/// Lines of a node's own output that are shown after a failure.
const NOTES_LINES_MAX: usize = 15;

/// One node as a process.
struct Node {
    name: String,
    process: Child,
    /// Kept open: a node whose output nobody holds could fail to write.
    output: Option<BufReader<ChildStdout>>,
}

/// Everything that a demo leaves in the system while it runs.
pub(super) struct Stage {
    folder: TempDir,
    program: PathBuf,
    token: String,
    nodes: Vec<Node>,
}

impl Stage {
    /// An empty folder, and no process yet.
    pub(super) fn new() -> Result<Self, CommandError> {
        let failed = |e: std::io::Error| CommandError::internal(format!("the demo cannot start: {e}"));
        let folder = tempfile::Builder::new().prefix("odeon-demo-").tempdir().map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        Ok(Self { folder, program, token: String::new(), nodes: Vec::new() })
    }

    /// Starts a node and waits until it is ready.
    pub(super) async fn start(
        &mut self,
        out: &mut Output<'_>,
        name: &str,
        further: &[&str],
    ) -> Result<(), CommandError> {
        let data = self.data(name);
        let data = data.to_string_lossy();
        let common = ["up", "--data", &data, "--name", name, "--listen", "127.0.0.1:0", "--http", "off", "--json"];
        let arguments = [&common[..], further].concat();
        print(out, &format!("$ odeon {} &", shell(&arguments)))?;
        let token = self.token.clone();
        let real: Vec<&str> = arguments.iter().map(|a| if *a == TOKEN { token.as_str() } else { a }).collect();
        let ready = self.launch(name, &real).await?;
        match serde_json::from_str::<Json>(&ready) {
            Ok(line) if line["ready"] == true => print(out, ready.trim_end()),
            _ => Err(CommandError::internal(format!("the node {name} said {ready:?} instead of being ready"))),
        }
    }

    /// Makes a token at the leader and keeps it. It is a secret, so it is not shown.
    pub(super) async fn take_token(&mut self, out: &mut Output<'_>) -> Result<(), CommandError> {
        print(out, &format!("$ export ODEON_DATA={}", self.data("leader").display()))?;
        print(out, "$ TOKEN=$(odeon token create)")?;
        self.token = self.run(&["token", "create"]).await?.trim_end().to_owned();
        Ok(())
    }

    /// Shows a command, runs it against the leader, and shows its output.
    pub(super) async fn show(&self, out: &mut Output<'_>, arguments: &[&str]) -> Result<String, CommandError> {
        print(out, &format!("$ odeon {}", shell(arguments)))?;
        let output = self.run(arguments).await?;
        if !output.is_empty() {
            print(out, output.trim_end())?;
        }
        Ok(output)
    }

    /// Runs a command against the leader and gives its output.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, CommandError> {
        let what = shell(arguments);
        let output = self
            .command(arguments)
            .env("ODEON_DATA", self.data("leader"))
            .stderr(Stdio::piped())
            .output()
            .await
            .map_err(|e| CommandError::internal(format!("'odeon {what}' cannot be run: {e}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(CommandError::internal(format!("'odeon {what}' failed with {}: {}", output.status, said.trim_end())))
    }

    /// Puts a file into the folder that commands run in.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
        fs::write(self.folder.path().join(name), bytes)
            .map_err(|e| CommandError::internal(format!("{name} cannot be written: {e}")))
    }

    /// Waits until a node that was shut down has ended well.
    pub(super) async fn ended(&mut self, name: &str) -> Result<(), CommandError> {
        let Some(at) = self.nodes.iter().position(|n| n.name == name) else { return Ok(()) };
        let status = timeout(NODE_WAIT_MAX, self.nodes[at].process.wait())
            .await
            .map_err(|_| CommandError::coded(codes::TIMED_OUT, format!("the node {name} did not end")))?
            .map_err(|e| CommandError::internal(format!("the node {name} cannot be waited for: {e}")))?;
        self.nodes.remove(at);
        if status.success() { Ok(()) } else { Err(CommandError::internal(format!("the node {name} ended: {status}"))) }
    }

    /// Shows the end of what each node said, for whoever looks into a failure.
    pub(super) fn notes(&self, out: &mut Output<'_>) {
        for node in &self.nodes {
            let Ok(text) = fs::read_to_string(self.folder.path().join(format!("{}.log", node.name))) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            for line in &lines[lines.len().saturating_sub(NOTES_LINES_MAX)..] {
                out.note(&format!("{}: {}", node.name, super::super::output::plain(line)));
            }
        }
    }

    /// Ends every process that still runs, waits for it, and removes the folder.
    pub(super) async fn strike(mut self) -> Result<(), CommandError> {
        // Members before their leader.
        for mut node in self.nodes.drain(..).rev() {
            let id = node.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if let Some(id) = id
                && kill_process(id, Signal::TERM).is_ok()
                && timeout(END_WAIT_MAX, node.process.wait()).await.is_ok()
            {
                continue;
            }
            // It may have ended in the meantime, which is as well.
            let _ = node.process.kill().await;
        }
        let path = self.folder.path().to_owned();
        let failed = |e| CommandError::internal(format!("{} cannot be removed: {e}", path.display()));
        self.folder.close().map_err(failed)
    }

    /// Starts a process that goes on, and gives its first line.
    async fn launch(&mut self, name: &str, arguments: &[&str]) -> Result<String, CommandError> {
        let failed = |e: std::io::Error| CommandError::internal(format!("the node {name} cannot be started: {e}"));
        let log = fs::File::create(self.folder.path().join(format!("{name}.log"))).map_err(failed)?;
        let mut process = self.command(arguments).stderr(log).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let output = process.stdout.take().map(BufReader::new);
        self.nodes.push(Node { name: name.to_owned(), process, output });
        let Some(output) = self.nodes.last_mut().and_then(|n| n.output.as_mut()) else { return Ok(String::new()) };
        let mut line = String::new();
        match timeout(NODE_WAIT_MAX, output.read_line(&mut line)).await {
            Ok(Ok(1..)) => Ok(line),
            Ok(Ok(0)) => Err(CommandError::internal(format!("the node {name} ended before it was ready"))),
            Ok(Err(e)) => Err(failed(e)),
            Err(_) => Err(CommandError::coded(codes::TIMED_OUT, format!("the node {name} did not become ready"))),
        }
    }

    /// This program, in the demo's folder, with nothing of the user's own node.
    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).env_remove("ODEON_DATA").env_remove("ODEON_JOIN");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn data(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

/// Shows a line: part of the output for people, beside it for scripts.
pub(super) fn print(out: &mut Output<'_>, text: &str) -> Result<(), CommandError> {
    if out.is_json() {
        out.note(text);
        return Ok(());
    }
    out.line(text)
}

/// Arguments as one would type them.
fn shell(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
        match *argument {
            TOKEN => format!("\"{TOKEN}\""),
            argument if !argument.is_empty() && argument.chars().all(is_plain) => argument.to_owned(),
            argument => format!("'{}'", argument.replace('\'', "'\\''")),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process;

    fn runs(id: u32) -> bool {
        test_kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap()).is_ok()
    }

    async fn with_shell(script: &str) -> (Stage, u32) {
        let mut stage = Stage::new().unwrap();
        stage.program = "/bin/sh".into();
        let first = stage.launch("n", &["-c", script]).await.unwrap();
        assert_eq!(first, "ready\n");
        let id = stage.nodes[0].process.id().unwrap();
        assert!(runs(id));
        (stage, id)
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_demo_that_is_struck() {
        for script in ["echo ready; exec sleep 600", "trap '' TERM; echo ready; while :; do read x; done"] {
            let (stage, id) = with_shell(script).await;
            let folder = stage.folder.path().to_owned();
            stage.strike().await.unwrap();
            assert!(!runs(id) && !folder.exists(), "{script}");
        }
    }

    #[tokio::test]
    async fn a_demo_that_breaks_off_kills_its_processes_as_well() {
        let (stage, id) = with_shell("echo ready; exec sleep 600").await;
        drop(stage);
        timeout(NODE_WAIT_MAX, async {
            // Killed by now; the runtime reaps it in its own time.
            while runs(id) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_node_that_ends_instead_of_being_ready_is_a_failure_that_shows_its_words() {
        let mut stage = Stage::new().unwrap();
        stage.program = "/bin/sh".into();
        let error = stage.launch("n", &["-c", "echo 'no such luck' >&2; exit 3"]).await.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let (mut data, mut notes) = (Vec::new(), Vec::new());
        stage.notes(&mut Output::new(&mut data, &mut notes, false));
        assert_eq!(String::from_utf8(notes).unwrap(), "n: no such luck\n");
        let failed = stage.run(&["-c", "echo why >&2; exit 4"]).await.unwrap_err();
        let CommandError::Failed(failed) = failed else { panic!("{failed:?}") };
        assert!(failed.message.contains("exit status: 4: why"), "{}", failed.message);
        stage.strike().await.unwrap();
    }

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        let arguments = ["create", "--require", "Has DB access", "--join", TOKEN, "it's", ""];
        assert_eq!(shell(&arguments), "create --require 'Has DB access' --join \"$TOKEN\" 'it'\\''s' ''");
    }
}
