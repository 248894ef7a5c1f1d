//! The leader that a swarm joins: one that was named, or a process of its own in a folder that goes with it.

use super::Plan;
use super::limits::{LEADER_END_MAX, LEADER_LINES_MAX, LEADER_READY_MAX, TOKEN_TTL_S};
use super::process::Usage;
use crate::admin::client::Route;
use crate::admin::protocol::{Failed, Reply, Request};
use crate::identity::{Token, TokenError};
use odeon_convention::codes;
use odeon_convention::types::Role;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Whom the members join.
pub(super) struct Leader {
    pub(super) token: Arc<Token>,
    pid: Option<u32>,
    own: Option<Own>,
}

/// A process of this swarm.
struct Own {
    folder: TempDir,
    process: Child,
    /// Kept open: a node whose output nobody holds could fail to write.
    output: BufReader<ChildStdout>,
}

impl Leader {
    /// The one that the plan names, or one that is started now.
    pub(super) async fn of(plan: &Plan) -> Result<Self, Failed> {
        match &plan.join {
            Some(token) => Ok(Self { token: Arc::new(token.clone()), pid: plan.leader_pid, own: None }),
            None => Self::start().await,
        }
    }

    async fn start() -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("odeon-swarm-").tempdir().map_err(cannot_start)?;
        let (process, output) = spawn(folder.path(), "127.0.0.1:0")?;
        let mut own = Own { folder, process, output };
        let token = match own.until_ready().await {
            Ok(()) => own.token().await,
            Err(failed) => Err(failed),
        };
        match token {
            Ok(token) => Ok(Self { token: Arc::new(token), pid: own.process.id(), own: Some(own) }),
            Err(Failed { code, message, .. }) => {
                let said = own.last_words();
                Err(Failed::new(code, format!("{message}{said}")))
            }
        }
    }

    /// Kills one of its own without a word, and starts it again from its folder where it was.
    pub(super) async fn restart(&mut self) -> Result<(), Failed> {
        let Some(own) = &mut self.own else { return Ok(()) };
        own.process.kill().await.map_err(cannot_start)?;
        let listen = self.token.addresses.first().map_or("127.0.0.1:0", String::as_str);
        (own.process, own.output) = spawn(own.folder.path(), listen)?;
        self.pid = own.process.id();
        own.until_ready().await
    }

    /// Whether it goes with the swarm.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// What it takes; none where it does not run on this machine, as far as is known.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.pid.and_then(Usage::of)
    }

    /// Fails when it has ended.
    pub(super) fn must_live(&mut self) -> Result<(), Failed> {
        let Some(own) = &mut self.own else { return Ok(()) };
        match own.process.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(internal(format!("the leader has ended: {ended:?}{}", own.last_words()))),
        }
    }

    /// Ends it, if it goes with the swarm, and removes its folder.
    pub(super) async fn end(self) -> Result<(), Failed> {
        let Some(mut own) = self.own else { return Ok(()) };
        let id = own.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let told = id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok());
        if !told || timeout(LEADER_END_MAX, own.process.wait()).await.is_err() {
            // It may have ended in the meantime, which is as well.
            let _ = own.process.kill().await;
        }
        let path = own.folder.path().to_owned();
        own.folder.close().map_err(|e| internal(format!("{} cannot be removed: {e}", path.display())))
    }
}

/// What the leader says goes into this file of the folder.
const LOG: &str = "leader.log";

fn data(folder: &Path) -> PathBuf {
    folder.join("leader")
}

/// A leader that keeps its data in the folder, and its output.
fn spawn(folder: &Path, listen: &str) -> Result<(Child, BufReader<ChildStdout>), Failed> {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(LOG)).map_err(cannot_start)?;
    let mut process = Command::new(std::env::current_exe().map_err(cannot_start)?)
        .args(["up", "--json", "--name", "leader", "--listen", listen, "--http", "off", "--data"])
        .arg(data(folder))
        .env_remove("ODEON_DATA")
        .env_remove("ODEON_JOIN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot_start)?;
    let output = process.stdout.take().ok_or_else(|| internal("the leader has no output".to_owned()))?;
    Ok((process, BufReader::new(output)))
}

fn cannot_start(error: std::io::Error) -> Failed {
    internal(format!("the leader cannot be started: {error}"))
}

impl Own {
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

    async fn token(&self) -> Result<Token, Failed> {
        let request = Request::CreateToken { role: Role::Member, ttl_s: TOKEN_TTL_S, uses: None, claims: None };
        let mut answers = Route::Socket { data: data(self.folder.path()) }.ask(&request).await?;
        match answers.next().await? {
            Some(Reply::Token(text)) => text.parse().map_err(|e: TokenError| Failed::new(e.code(), e.to_string())),
            _ => Err(internal("the leader gave no token".to_owned())),
        }
    }

    /// The end of what it said, for whoever looks into a failure.
    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LEADER_LINES_MAX)..].iter().map(|line| format!("\nleader: {line}")).collect()
    }
}

fn internal(message: String) -> Failed {
    Failed::new(codes::INTERNAL, message)
}
