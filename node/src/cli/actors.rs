//! The commands on actors: `create`, `explain`, `ask`, `tell`, `stop`, `actors`.

use super::output::{plain, value_text};
use super::session::unexpected;
use super::{CommandError, Session, values};
use crate::admin::protocol::{CreateArguments, EveryNode, Reply, Request};
use clap::{Args, ValueEnum};
use odeon::{Address, Requirements, Value};
use odeon_capabilities::Preference;
use odeon_convention::types::{Explanation, Placement};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Time that a node has to say that an ask timed out, beyond the timeout itself.
const GRACE: Duration = Duration::from_secs(5);

/// The flags of `create` and `explain`.
#[derive(Debug, Clone, Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct CreateFlags {
    /// A hash, a prefix of one, or name[@version]; none for an actor that is linked into the node
    image: Option<String>,
    /// The actor's type
    actor: String,
    /// A capability that must be true, or have this value; may be given many times
    #[arg(long = "require", value_name = "KEY[=VALUE]", value_parser = values::requirement)]
    require: Vec<(String, Option<Value>)>,
    /// A CEL expression over the capabilities that must be true
    #[arg(long = "where", value_name = "CEL")]
    expression: Option<String>,
    /// A CEL expression that makes a node better, by 1 or by its weight; may be given many times
    #[arg(long, value_name = "[WEIGHT:]CEL", value_parser = values::preference)]
    prefer: Vec<Preference>,
    /// How the node is chosen among those that accept
    #[arg(long, value_enum, default_value_t = PlacementName::Local)]
    placement: PlacementName,
    /// Only this node, by name or id
    #[arg(long, value_name = "NODE")]
    on: Option<String>,
    /// A name that is unique in the convention
    #[arg(long, value_name = "NAME")]
    global_name: Option<String>,
    /// At most one actor of this group on a node: at most 256 bytes
    #[arg(long, value_name = "GROUP", value_parser = values::group)]
    distinct: Option<String>,
    /// The actor's first message: JSON, or a plain string
    #[arg(long = "arg", value_name = "MESSAGE", value_parser = values::value, allow_negative_numbers = true)]
    argument: Option<Value>,
}

/// The flags of `explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainFlags {
    #[command(flatten)]
    pub(crate) create: CreateFlags,
    /// Asks no node: explains on the fleet that a file holds, as 'odeon nodes --json' writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) fleet: Option<PathBuf>,
}

/// An address and a message for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mail {
    /// The actor
    pub(crate) address: Address,
    /// JSON, or a plain string
    #[arg(value_parser = values::value, allow_negative_numbers = true)]
    pub(crate) message: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlacementName {
    /// The asked node if it accepts, else the one with the fewest actors
    Local,
    /// The node with the fewest actors
    Spread,
    /// The node with the most actors
    Pack,
    /// The less loaded of two nodes taken at random
    LeastLoaded,
    /// One on each node that accepts
    EveryNode,
}

/// What `--require` and `--where` ask of a node.
pub(crate) fn requirements(
    require: Vec<(String, Option<Value>)>,
    expression: Option<String>,
) -> Result<Requirements, CommandError> {
    let mut requirements = Requirements { expression, ..Requirements::none() };
    for (key, value) in require {
        match value {
            None => requirements.require.push(key),
            Some(value) => {
                if requirements.equal.insert(key.clone(), value).is_some() {
                    return Err(CommandError::Usage(format!("--require gives {key:?} two values")));
                }
            }
        }
    }
    Ok(requirements)
}

impl CreateFlags {
    /// What is asked of the node.
    pub(crate) fn into_arguments(self) -> Result<Box<CreateArguments>, CommandError> {
        let mut requirements = requirements(self.require, self.expression)?;
        requirements.prefer = self.prefer;
        let placement = match self.placement {
            PlacementName::Local => Placement::Local,
            PlacementName::Spread => Placement::Spread,
            PlacementName::Pack => Placement::Pack,
            PlacementName::LeastLoaded => Placement::LeastLoaded,
            // No choice is left to make.
            PlacementName::EveryNode => Placement::Spread,
        };
        Ok(Box::new(CreateArguments {
            image: self.image,
            actor: self.actor,
            requirements,
            placement,
            on: self.on,
            global_name: self.global_name,
            argument: self.argument,
            distinct: self.distinct,
        }))
    }
}

/// `odeon create`
pub(crate) async fn create(session: &mut Session<'_, '_>, flags: CreateFlags) -> Result<(), CommandError> {
    let request = match flags.placement {
        PlacementName::EveryNode if flags.on.is_some() || flags.global_name.is_some() => {
            return Err(CommandError::Usage("--placement every-node takes neither --on nor --global-name".into()));
        }
        PlacementName::EveryNode => Request::CreateOnEveryNode(flags.into_arguments()?),
        _ => Request::Create(flags.into_arguments()?),
    };
    match session.ask(&request).await? {
        Reply::CreatedOnEveryNode(every) => created_on_every_node(session, every),
        Reply::Created(created) => {
            if !session.out.is_json() {
                session.out.note(&format!("created on {}", plain(&created.node)));
            }
            session.out.value(&created, |c| c.address.to_string())
        }
        other => Err(unexpected(&other)),
    }
}

fn created_on_every_node(session: &mut Session<'_, '_>, every: EveryNode) -> Result<(), CommandError> {
    session.out.value(&every.created, |created| {
        let lines: Vec<_> = created.iter().map(|c| format!("{} {}", c.address, plain(&c.node))).collect();
        lines.join("\n")
    })?;
    for (node, failed) in &every.failed {
        session.out.note(&format!("not on {}: {}", plain(node), plain(&failed.message)));
    }
    match every.failed.into_iter().next() {
        None => Ok(()),
        Some((_, failed)) => Err(failed.into()),
    }
}

/// `odeon explain`
pub(crate) async fn explain(session: &mut Session<'_, '_>, flags: CreateFlags) -> Result<(), CommandError> {
    match session.ask(&Request::Explain(flags.into_arguments()?)).await? {
        Reply::Explained(explanation) => session.out.value(&explanation, outline),
        other => Err(unexpected(&other)),
    }
}

/// An explanation for people.
pub(super) fn outline(explanation: &Explanation) -> String {
    let Explanation { nodes, accepted, chosen, .. } = explanation;
    let chosen = match chosen {
        Some(node) => format!("it would be created on {}", plain(node)),
        None => "no node can host it".to_owned(),
    };
    format!("{accepted} of {nodes} nodes accept; {chosen}\n{}", reasons(explanation)).trim_end().to_owned()
}

/// Why nodes were rejected, a line each.
pub(crate) fn reasons(explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing into a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    for r in &explanation.rejected {
        let nodes = if r.nodes == 1 { "node" } else { "nodes" };
        line(format_args!("  {} {nodes}: {} (such as {})", r.nodes, plain(&r.reason), plain(&r.example)));
    }
    for n in &explanation.nearest {
        line(format_args!("  nearest: {}: {}", plain(&n.node), plain(&n.lacks.join("; "))));
    }
    text
}

/// `odeon ask`
pub(crate) async fn ask(session: &mut Session<'_, '_>, mail: Mail, timeout: Duration) -> Result<(), CommandError> {
    // A duration flag is bounded, so its milliseconds fit.
    let timeout_ms = timeout.as_millis() as u64;
    let request = Request::Ask { address: mail.address, message: mail.message, timeout_ms };
    match session.ask_within(&request, Some(timeout + GRACE)).await? {
        Reply::Answer(value) => session.out.value(&value, value_text),
        other => Err(unexpected(&other)),
    }
}

/// `odeon actors`
pub(crate) async fn actors(session: &mut Session<'_, '_>, node: Option<String>) -> Result<(), CommandError> {
    match session.ask(&Request::Actors { node }).await? {
        Reply::Actors(actors) => {
            let header = ["ADDRESS", "ACTOR", "IMAGE", "NODE", "PARENT", "STATE", "RECEIVED", "QUEUED"];
            session.out.rows(&actors, header, |a| {
                let parent = a.parent.map_or_else(|| "-".to_owned(), |p| p.to_string());
                let image = a.image.as_deref().map_or("-", short_hash).to_owned();
                let [received, queued] = [a.received.to_string(), a.queued.to_string()];
                let [actor, node, state] = [a.actor.clone(), a.node.clone(), a.state.clone()];
                [a.address.to_string(), actor, image, node, parent, state, received, queued]
            })
        }
        other => Err(unexpected(&other)),
    }
}

/// Enough of a hash to tell images apart and to name one.
pub(crate) fn short_hash(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
