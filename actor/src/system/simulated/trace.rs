//! What happened in a simulation, step by step, for people to read and for runs to be compared.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Virtual time since the beginning.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What happens in a simulation. Actors are named by their type, in the order of their creation: `Account#2`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    /// An actor was created on a node.
    Created { actor: Arc<str>, by: Arc<str>, node: Arc<str> },
    /// A message is under way for some time. Those that arrive at once are not told of.
    Sent { from: Arc<str>, to: Arc<str>, message: String, delay: Duration },
    /// An actor is given a message.
    Handles { actor: Arc<str>, from: Arc<str>, message: String },
    /// The program is told something.
    Hears { from: Arc<str>, message: String },
    /// The simulation has a handler fail, before it has done anything or after it has done all.
    Crashes { actor: Arc<str>, after: bool },
    /// The simulation takes a node away.
    Lost { node: Arc<str> },
    /// The simulation cuts the link between two nodes for some time.
    Cut { one: Arc<str>, other: Arc<str>, time: Duration },
    /// An actor is gone.
    Exited { actor: Arc<str>, reason: String },
    /// A message could not be delivered.
    Dead { to: Arc<str>, from: Arc<str>, message: String },
    /// An actor, or the runtime in its name, logs a line.
    Logs { actor: Arc<str>, line: String },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Created { actor, by, node } => write!(f, "{by} creates {actor} on {node}"),
            Event::Sent { from, to, message, delay } => {
                write!(f, "   {message} of {from} to {to} is under way for {}", Ms(*delay))
            }
            Event::Handles { actor, from, message } => write!(f, "{from} -> {actor}: {message}"),
            Event::Hears { from, message } => write!(f, "{from} -> program: {message}"),
            Event::Crashes { actor, after: false } => write!(f, "{actor} crashes before it does anything"),
            Event::Crashes { actor, after: true } => write!(f, "{actor} crashes after it has done everything"),
            Event::Lost { node } => write!(f, "node {node} is lost"),
            Event::Cut { one, other, time } => {
                write!(f, "the link of {one} and {other} is cut for {}", Ms(*time))
            }
            Event::Exited { actor, reason } => write!(f, "{actor} is gone: {reason}"),
            Event::Dead { to, from, message } => write!(f, "{from} -> {to}: {message}, a dead letter"),
            Event::Logs { actor, line } => write!(f, "{actor} logs: {line}"),
        }
    }
}

/// Virtual milliseconds, as in a trace.
struct Ms(Duration);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.0.as_secs_f64() * 1_000.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14}  {}", Ms(self.at).to_string(), self.event)
    }
}

/// The steps of a run in their order, without the first ones where there are more than are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    pub(super) steps: Vec<Step>,
    pub(super) dropped: usize,
}

impl Trace {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            writeln!(f, "      ({} steps before)", self.dropped)?;
        }
        self.steps.iter().enumerate().try_for_each(|(n, step)| writeln!(f, "{:>5} {step}", n + 1 + self.dropped))
    }
}
