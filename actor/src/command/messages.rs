//! What is said to a [`super::RunCommand`], and what it answers.

use crate::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! messages {
    ($($t:ident),* $(,)?) => {$(
        impl Message for $t {
            const NAME: &'static str = concat!("odeon.", stringify!($t));
        }
    )*};
}

messages!(Command, CommandStarted, CommandOutput, CommandResult, CommandAbort);

/// A command to be run. Its answers go to whoever sent it, at last a [`CommandResult`] in any case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Command {
    /// Given back in every answer.
    pub id: u64,
    /// The program, by its path or by a name that is looked for in `PATH`; with `shell` a line for `/bin/sh`.
    pub program: String,
    /// Its arguments; with `shell` those of the line, `$1` and so on.
    pub args: Vec<String>,
    /// Whether the program is a line for the shell.
    pub shell: bool,
    /// Variables beside those of this process.
    pub env: BTreeMap<String, String>,
    /// Whether it gets no other variables.
    pub clear_env: bool,
    /// Where it runs; where this process does unless said.
    pub dir: Option<String>,
    /// What it reads as its standard input.
    #[serde(with = "crate::bytes")]
    pub input: Vec<u8>,
    /// How long it may run, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Bytes of each of its two outputs that are kept or handed on; what comes then is read, counted and dropped.
    /// [`super::OUTPUT_BYTES_MAX`] at most.
    pub output_bytes_max: u64,
    /// Whether its output comes as [`CommandOutput`]s while it runs, and not in the result.
    pub stream: bool,
    /// Whether a [`CommandStarted`] comes first.
    pub report_start: bool,
    /// Whether an end without success is nothing to warn of in the log.
    pub error_ok: bool,
}

impl Default for Command {
    fn default() -> Self {
        Self {
            id: 0,
            program: String::new(),
            args: Vec::new(),
            shell: false,
            env: BTreeMap::new(),
            clear_env: false,
            dir: None,
            input: Vec::new(),
            timeout_ms: None,
            output_bytes_max: 1 << 20,
            stream: false,
            report_start: false,
            error_ok: false,
        }
    }
}

impl Command {
    /// A program with its arguments.
    pub fn new(program: impl Into<String>, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { program: program.into(), args, ..Self::default() }
    }

    /// A line for the shell.
    pub fn shell(line: impl Into<String>) -> Self {
        Self { program: line.into(), shell: true, ..Self::default() }
    }
}

/// A command runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStarted {
    /// That of the command.
    pub id: u64,
    /// The number of its process, which is that of its process group too.
    pub pid: u32,
}

/// One of the two outputs of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A part of what a command has put out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutput {
    /// That of the command.
    pub id: u64,
    /// Which output.
    pub stream: Stream,
    /// The bytes, wherever they were cut.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandOutcome {
    /// It exited with this code; 0 is success.
    Exited(i32),
    /// A signal that was not ours ended it.
    Signalled(i32),
    /// It took too long, and was ended.
    TimedOut,
    /// It was ended, or never started, because somebody asked for that.
    Aborted,
    /// It was not started, for this reason.
    NotStarted(String),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// That of the command.
    pub id: u64,
    /// How it ended.
    pub outcome: CommandOutcome,
    /// What it put out, unless that was streamed.
    #[serde(with = "crate::bytes")]
    pub stdout: Vec<u8>,
    /// What it complained of, unless that was streamed.
    #[serde(with = "crate::bytes")]
    pub stderr: Vec<u8>,
    /// Bytes that it put out, also those that were dropped.
    pub stdout_bytes: u64,
    /// Bytes that it complained of, also those that were dropped.
    pub stderr_bytes: u64,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
}

impl CommandResult {
    /// Whether it exited with code 0.
    pub fn is_success(&self) -> bool {
        self.outcome == CommandOutcome::Exited(0)
    }

    /// What it put out, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Ends the command that runs, or takes it out of those that wait: all of this id, and without one all there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAbort {
    /// That of the commands.
    pub id: Option<u64>,
}
