//! `odeon logs`: the fleet's log as the leader has it, line by line, with the gaps that it knows of.

use super::output::{plain, value_text};
use super::session::unexpected;
use super::{CommandError, Session, values};
use crate::admin::protocol::{Item, LogGap, LogLine, LogQuery, Reply, Request};
use clap::{Args, ValueEnum};
use odeon::{Address, Level};
use serde::Serialize;
use std::time::Duration;

/// The flags of `logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogFlags {
    /// This level and above
    #[arg(long, value_enum, default_value_t = LevelName::Warn)]
    level: LevelName,
    /// Only of this node, by name or id
    #[arg(long)]
    node: Option<String>,
    /// Only of this actor
    #[arg(long, value_name = "ADDRESS")]
    actor: Option<Address>,
    /// Only of actors of this image
    #[arg(long, value_name = "HASH")]
    image: Option<String>,
    /// Only as old as this
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    since: Option<Duration>,
    /// Goes on with what comes in, until it is interrupted
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelName {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Trace => Level::Trace,
            LevelName::Debug => Level::Debug,
            LevelName::Info => Level::Info,
            LevelName::Warn => Level::Warn,
            LevelName::Error => Level::Error,
        }
    }
}

/// What `log-level` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChosenLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Default,
}

impl From<ChosenLevel> for Option<Level> {
    fn from(chosen: ChosenLevel) -> Self {
        Some(match chosen {
            ChosenLevel::Trace => Level::Trace,
            ChosenLevel::Debug => Level::Debug,
            ChosenLevel::Info => Level::Info,
            ChosenLevel::Warn => Level::Warn,
            ChosenLevel::Error => Level::Error,
            ChosenLevel::Default => return None,
        })
    }
}

/// `odeon logs`
pub(crate) async fn logs(session: &mut Session<'_, '_>, flags: LogFlags) -> Result<(), CommandError> {
    let follow = flags.follow;
    let mut answers = session.route.ask(&Request::Logs(flags.into_query())).await?;
    if follow {
        answers = answers.waiting(None);
    }
    while let Some(reply) = answers.next().await? {
        match reply {
            Reply::Item(Item::Log(line)) => session.out.value(&line, log_text)?,
            Reply::Item(Item::Gap(gap)) => session.out.value(&Gap { gap: &gap }, |g| gap_text(g.gap))?,
            Reply::Done => return Ok(()),
            Reply::Progress { .. } => {}
            other => return Err(unexpected(&other)),
        }
    }
    Ok(())
}

/// A gap as a line of its own kind.
#[derive(Serialize)]
struct Gap<'a> {
    gap: &'a LogGap,
}

impl LogFlags {
    fn into_query(self) -> LogQuery {
        let level = self.level.into();
        // A duration flag is bounded, so its milliseconds fit.
        let since_ms = self.since.map(|s| s.as_millis() as u64);
        LogQuery { level, node: self.node, actor: self.actor, image: self.image, since_ms, follow: self.follow }
    }
}

fn log_text(line: &LogLine) -> String {
    let level = match line.level {
        Level::Trace => "TRACE",
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let place = format!("{}#{}", line.node, line.incarnation);
    let mut text = format!("{} {level:5} {place} {}: {}", line.time, line.target, line.message);
    for (name, value) in &line.fields {
        text.push_str(&format!(" {name}={}", value_text(value)));
    }
    if let Some(actor) = line.actor {
        text.push_str(&format!(" actor={actor}"));
    }
    plain(&text)
}

fn gap_text(gap: &LogGap) -> String {
    let LogGap { node, from, to, reason } = gap;
    // What a leader has collected is of many nodes, and has no numbers.
    let what = if *to == 0 { String::new() } else { format!("lines {from} to {to} are missing: ") };
    plain(&format!("--- {node}: {what}{reason}"))
}
