//! One leader's process: started in a folder of its own, asked over its socket, killed or ended.

use super::limits::{LEADER_END_MAX, LEADER_LINES_MAX, LEADER_READY_MAX};
use crate::admin::client::Route;
use crate::admin::protocol::{Failed, Reply, Request};
use odeon_convention::codes;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A process of this swarm.
pub(super) struct Own {
    pub(super) name: String,
    /// Its data is in it, and its output.
    folder: PathBuf,
    process: Child,
    /// Kept open: a node whose output nobody holds could fail to write.
    output: BufReader<ChildStdout>,
}

/// What the leader says goes into this file of the folder.
const LOG: &str = "leader.log";

impl Own {
    /// A leader of this name, which keeps everything in a folder of that name in `beside` and joins with the token, or founds
    /// a convention without one.
    pub(super) async fn start(beside: &Path, name: &str, token: Option<&str>) -> Result<Self, Failed> {
        let folder = beside.join(name);
        fs::create_dir(&folder).map_err(cannot_start)?;
        let (process, output) = spawn(&folder, name, "127.0.0.1:0", token)?;
        let mut own = Self { name: name.to_owned(), folder, process, output };
        match own.until_ready().await {
            Ok(()) => Ok(own),
            Err(failed) => Err(own.with_last_words(failed)),
        }
    }

    /// Kills it without a word and starts it again where it was.
    pub(super) async fn restart(&mut self, listen: &str) -> Result<(), Failed> {
        self.kill().await?;
        (self.process, self.output) = spawn(&self.folder, &self.name, listen, None)?;
        self.until_ready().await
    }

    pub(super) async fn kill(&mut self) -> Result<(), Failed> {
        self.process.kill().await.map_err(cannot_start)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Fails when it has ended.
    pub(super) fn must_live(&mut self) -> Result<(), Failed> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(self.with_last_words(internal(format!("the leader {} has ended: {ended:?}", self.name)))),
        }
    }

    /// Asks it something that has one answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, Failed> {
        let mut answers = Route::Socket { data: data(&self.folder) }.ask(request).await?;
        loop {
            match answers.next().await? {
                Some(Reply::Progress { .. }) => {}
                Some(answer) => return Ok(answer),
                None => return Err(internal(format!("the leader {} gave no answer", self.name))),
            }
        }
    }

    pub(super) async fn end(mut self) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let told = id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok());
        if !told || timeout(LEADER_END_MAX, self.process.wait()).await.is_err() {
            // It may have ended in the meantime, which is as well.
            let _ = self.process.kill().await;
        }
    }

    /// Waits for the line that says so.
    async fn until_ready(&mut self) -> Result<(), Failed> {
        let mut line = String::new();
        match timeout(LEADER_READY_MAX, self.output.read_line(&mut line)).await {
            Ok(Ok(1..)) => Ok(()),
            Ok(Ok(0)) => Err(internal("the leader ended before it was ready".to_owned())),
            Ok(Err(e)) => Err(internal(format!("the leader's output cannot be read: {e}"))),
            Err(_) => Err(Failed::new(codes::TIMED_OUT, "the leader did not become ready")),
        }
    }

    /// The failure with the end of what it said, for whoever looks into it.
    pub(super) fn with_last_words(&self, failed: Failed) -> Failed {
        let text = fs::read_to_string(self.folder.join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LEADER_LINES_MAX)..];
        let said: String = last.iter().map(|line| format!("\n{}: {line}", self.name)).collect();
        Failed::new(failed.code, format!("{}{said}", failed.message))
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn spawn(
    folder: &Path,
    name: &str,
    listen: &str,
    token: Option<&str>,
) -> Result<(Child, BufReader<ChildStdout>), Failed> {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(LOG)).map_err(cannot_start)?;
    let mut command = Command::new(std::env::current_exe().map_err(cannot_start)?);
    command
        .args(["up", "--json", "--name", name, "--listen", listen, "--http", "off", "--data"])
        .arg(data(folder))
        .env_remove("ODEON_DATA")
        .env_remove("ODEON_JOIN")
        .envs(token.map(|token| ("ODEON_JOIN", token)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true);
    let mut process = command.spawn().map_err(cannot_start)?;
    let output = process.stdout.take().ok_or_else(|| internal("the leader has no output".to_owned()))?;
    Ok((process, BufReader::new(output)))
}

pub(super) fn cannot_start(error: std::io::Error) -> Failed {
    internal(format!("the leader cannot be started: {error}"))
}

fn internal(message: String) -> Failed {
    Failed::new(codes::INTERNAL, message)
}
