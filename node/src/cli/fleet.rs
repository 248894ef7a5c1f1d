//! The commands on nodes: `nodes`, `node`, `token`, `capability`, `status`, `shutdown`.

use super::output::value_text;
use super::session::unexpected;
use super::{CommandError, Session, values};
use crate::admin::protocol::{NodeItem, Reply, Request};
use clap::{Args, Subcommand, ValueEnum};
use odeon::Value;
use odeon_capabilities::{CapabilityMap, Delta};
use odeon_convention::codes;
use odeon_convention::types::Role;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Time that a node has to leave, and the way there to say so, beyond the time that its actors have.
const DRAIN_GRACE: Duration = Duration::from_secs(40);

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Prints a token with which others join the convention
    Create(TokenArguments),
}

/// The flags of `token create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenArguments {
    /// What the token lets its user be
    #[arg(long, value_enum, default_value_t = RoleName::Member)]
    role: RoleName,
    /// How long it can be used
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration)]
    ttl: Duration,
    /// How often it can be used; any number of times by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
    /// A capability key that its user may claim, and no other; may be given many times
    #[arg(long = "claim", value_name = "KEY", value_parser = values::key)]
    claims: Vec<String>,
    /// Writes the token into a file that only its owner may read, instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Member,
    Leader,
    Operator,
}

/// What to do with capabilities.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CapabilityCommand {
    /// Sets capabilities of a node
    Set {
        /// A capability and its value: JSON, or a plain string
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = values::key_value)]
        capabilities: Vec<(String, Value)>,
        /// Another node, by name or id
        #[arg(long, value_name = "NODE")]
        on: Option<String>,
    },
    /// Removes capabilities of a node
    Unset {
        /// A capability
        #[arg(required = true, value_name = "KEY", value_parser = values::key)]
        keys: Vec<String>,
        /// Another node, by name or id
        #[arg(long, value_name = "NODE")]
        on: Option<String>,
    },
}

/// What to do with one node.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum NodeCommand {
    /// Lets a node take no actor any more, asks its actors to exit, and ends it once they are gone
    Drain {
        /// The node, by name or id; this one by default
        node: Option<String>,
        /// How long its actors may take; then the command fails, and the node stays as it is, without new actors
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
        timeout: Duration,
        /// Lets a node that is draining take actors again, instead
        #[arg(long, conflicts_with = "timeout")]
        cancel: bool,
    },
}

/// `odeon node …`
pub(crate) async fn node(session: &mut Session<'_, '_>, command: NodeCommand) -> Result<(), CommandError> {
    let NodeCommand::Drain { node: on, timeout, cancel } = command;
    if cancel {
        return session.order(&Request::CancelDrain { on }).await;
    }
    // A duration flag is bounded, so its milliseconds fit.
    let request = Request::Drain { on, timeout_ms: timeout.as_millis() as u64 };
    session.order_within(&request, Some(timeout + DRAIN_GRACE)).await
}

/// `odeon nodes`
pub(crate) async fn nodes(session: &mut Session<'_, '_>) -> Result<(), CommandError> {
    match session.ask(&Request::Nodes).await? {
        Reply::Nodes(nodes) => {
            let header = ["NAME", "STATE", "ROLE", "LISTEN", "ACTORS", "SINCE", "CAPABILITIES"];
            session.out.rows(&nodes, header, |n| {
                let [mut state, role] = [word(&n.state), word(&n.role)];
                if n.draining {
                    state.push_str(", draining");
                }
                let actors = n.actors.to_string();
                let listen = if n.listen.is_empty() { "outbound only".to_owned() } else { n.listen.clone() };
                [n.name.clone(), state, role, listen, actors, n.since.clone(), capabilities(n)]
            })
        }
        other => Err(unexpected(&other)),
    }
}

/// `odeon token create`
pub(crate) async fn create_token(session: &mut Session<'_, '_>, arguments: TokenArguments) -> Result<(), CommandError> {
    let ttl_s = arguments.ttl.as_secs();
    if ttl_s == 0 {
        return Err(CommandError::Usage("--ttl is less than one second".into()));
    }
    let role = match arguments.role {
        RoleName::Member => Role::Member,
        RoleName::Leader => Role::Leader,
        RoleName::Operator => Role::Operator,
    };
    let claims = (!arguments.claims.is_empty()).then_some(arguments.claims);
    // A token that cannot be kept is not made.
    let file = arguments.out.map(TokenFile::begin).transpose()?;
    let token = match session.ask(&Request::CreateToken { role, ttl_s, uses: arguments.uses, claims }).await? {
        Reply::Token(token) => token,
        other => return Err(unexpected(&other)),
    };
    match file {
        None => session.out.value(&Printed { token: &token }, |p| p.token.to_owned()),
        Some(file) => {
            file.finish(&token)?;
            session.out.done()
        }
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    token: &'a str,
}

/// A file that a token goes into: complete and for its owner only, or not there.
struct TokenFile {
    unfinished: NamedTempFile,
    to: PathBuf,
}

impl TokenFile {
    fn begin(to: PathBuf) -> Result<Self, CommandError> {
        let folder = to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unfinished = NamedTempFile::new_in(folder)
            .map_err(|e| CommandError::Usage(format!("{} cannot be written: {e}", to.display())))?;
        Ok(Self { unfinished, to })
    }

    fn finish(mut self, token: &str) -> Result<(), CommandError> {
        let written = writeln!(self.unfinished, "{token}").and_then(|()| self.unfinished.as_file().sync_all());
        let persisted = written.and_then(|()| self.unfinished.persist(&self.to).map_err(|e| e.error));
        persisted.map(drop).map_err(|e| CommandError::internal(format!("{} cannot be written: {e}", self.to.display())))
    }
}

/// `odeon capability …`
pub(crate) async fn capability(session: &mut Session<'_, '_>, command: CapabilityCommand) -> Result<(), CommandError> {
    let (delta, on) = match command {
        CapabilityCommand::Set { capabilities, on } => {
            (Delta(capabilities.into_iter().map(|(k, v)| (k, Some(v))).collect()), on)
        }
        CapabilityCommand::Unset { keys, on } => (Delta(keys.into_iter().map(|k| (k, None)).collect()), on),
    };
    // What no map can hold is refused here already; what this node's map can hold is the node's word.
    CapabilityMap::new().apply(&delta).map_err(|e| CommandError::coded(codes::BAD_CAPABILITY, e.to_string()))?;
    session.order(&Request::SetCapabilities { on, delta }).await
}

/// `odeon status`
pub(crate) async fn status(session: &mut Session<'_, '_>, of: Option<String>) -> Result<(), CommandError> {
    match session.ask(&Request::Status { of }).await? {
        Reply::Status(status) => session.out.value(&status, |s| outline(s, 0).trim_end().to_owned()),
        other => Err(unexpected(&other)),
    }
}

fn capabilities(node: &NodeItem) -> String {
    node.capabilities.iter().map(|(k, v)| format!("{k}={}", value_text(v))).collect::<Vec<_>>().join(", ")
}

/// The word that a unit variant is in JSON.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

/// A nested value as indented lines.
fn outline(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let entry = |name: String, value: &Value| match value {
        Value::Map(m) if !m.is_empty() => format!("{indent}{name}:\n{}", outline(value, depth + 1)),
        Value::List(l) if !l.is_empty() => format!("{indent}{name}:\n{}", outline(value, depth + 1)),
        value => format!("{indent}{name}: {}\n", super::output::plain(&value_text(value))),
    };
    match value {
        Value::Map(map) => map.iter().map(|(k, v)| entry(super::output::plain(k), v)).collect(),
        Value::List(list) => list.iter().enumerate().map(|(n, v)| entry(format!("{}", n + 1), v)).collect(),
        value => format!("{indent}{}\n", super::output::plain(&value_text(value))),
    }
}
