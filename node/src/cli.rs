//! The `odeon` command: what it accepts, and the way from there to a node.
//!
//! Everything here is public interface, written down in docs/cli.md. It decides nothing: `up` goes to the daemon, the
//! rest goes to a node as a request. Start with `Command`, then `session.rs`.

mod actors;
mod demo;
mod error;
mod fleet;
mod help;
mod images;
mod invite;
mod leaders;
mod logs;
mod offline;
mod output;
mod pack;
mod progress;
mod route;
mod session;
mod shell;
mod swarm;
mod up;
mod values;
mod watch;

pub(crate) use error::CommandError;
pub(crate) use output::Output;
pub(crate) use session::Session;
pub use up::{AllowRemoteImages, ImageAuthority, UpOptions};

use crate::admin::protocol::{Failed, Request};
use clap::{CommandFactory, Parser, Subcommand};
use odeon::{Address, Registry};
use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs a node until it is told to stop.
pub type Daemon = fn(UpOptions, Registry) -> Result<(), Failed>;

/// An actor system for fleets
#[derive(Debug, Parser)]
#[command(name = "odeon", version, disable_help_subcommand = true, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The node's folder: identity, ledger, images, socket
    ///
    /// The default is /var/lib/odeon for root, else odeon in $XDG_DATA_HOME or ~/.local/share.
    #[arg(long, global = true, value_name = "DIR", env = "ODEON_DATA")]
    data: Option<PathBuf>,
    /// The leader at this address, from wherever you are; needs an operator's token, and --data is not looked at
    #[arg(long, global = true, value_name = "HOST:PORT", value_parser = values::host_port)]
    connect: Option<String>,
    /// An operator's token, or the one in @FILE; for --connect
    #[arg(long, global = true, value_name = "TOKEN", env = "ODEON_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Prints data as JSON
    #[arg(long, global = true)]
    json: bool,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node in the foreground until SIGINT or SIGTERM
    Up(Box<up::UpArguments>),
    /// Makes tokens with which nodes join
    #[command(subcommand, disable_help_subcommand = true)]
    Token(fleet::TokenCommand),
    /// Asks a node in that waits for an invitation
    Invite(invite::InviteArguments),
    /// Lists the nodes of the convention
    Nodes,
    /// Lists and changes who leads together
    #[command(subcommand, disable_help_subcommand = true)]
    Leaders(leaders::LeadersCommand),
    /// Empties a node before it goes
    #[command(subcommand, disable_help_subcommand = true)]
    Node(fleet::NodeCommand),
    /// Changes what a node has
    #[command(subcommand, disable_help_subcommand = true)]
    Capability(fleet::CapabilityCommand),
    /// Makes, signs, loads and lists images
    #[command(subcommand, disable_help_subcommand = true)]
    Image(images::ImageCommand),
    /// Sets and shows who approves images
    #[command(subcommand, disable_help_subcommand = true)]
    Authority(images::AuthorityCommand),
    /// Creates an actor and prints its address
    Create(actors::CreateFlags),
    /// Says where an actor would be created and why not elsewhere
    Explain(actors::ExplainFlags),
    /// Sends an actor a message and prints its reply
    Ask {
        #[command(flatten)]
        mail: actors::Mail,
        /// How long to wait for the reply
        #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
        timeout: Duration,
    },
    /// Sends an actor a message
    Tell {
        #[command(flatten)]
        mail: actors::Mail,
    },
    /// Asks an actor to exit
    Stop {
        /// The actor
        address: Address,
    },
    /// Sets from which level on an actor's lines are shown at its node, and collected by the leader
    LogLevel {
        /// The actor
        address: Address,
        /// All from here on; 'default' for what the node shows of others
        level: logs::ChosenLevel,
    },
    /// Lists actors
    Actors {
        /// Only those of this node, by name or id
        #[arg(long)]
        node: Option<String>,
    },
    /// Shows the state of this node, of another one or of an actor
    Status {
        /// An actor's address, or a node's name or id
        #[arg(value_name = "ADDRESS|NODE")]
        of: Option<String>,
    },
    /// Shows the fleet's log, as the leader has it
    Logs(logs::LogFlags),
    /// Ends a node
    Shutdown {
        /// Another node, by name or id
        #[arg(long, value_name = "NODE")]
        on: Option<String>,
    },
    /// Takes one command after the other, from a terminal or a pipe
    Shell,
    /// Starts four nodes on this machine, shows what they do, and stops them
    Demo,
    /// Runs many members in one process against a leader, and measures what it takes
    Swarm(swarm::SwarmFlags),
    /// Prints the page of an error (OD-NNN), or the help of a command
    Help {
        /// OD-NNN, or a command
        topic: Vec<String>,
    },
}

/// The command with the actors of `registry` linked in. A program that embeds a node calls this as its `main`.
pub fn main_with(registry: Registry, daemon: Daemon) -> ExitCode {
    let (mut data, mut notes) = (io::stdout(), io::stderr());
    ExitCode::from(run(std::env::args_os(), &mut data, &mut notes, registry, daemon))
}

/// The same with its surroundings as arguments; it gives the exit code.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    data: &mut dyn Write,
    notes: &mut dyn Write,
    registry: Registry,
    daemon: Daemon,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let text = error.render();
            // Where nobody reads it, there is nobody to tell.
            let _ = if error.use_stderr() { write!(notes, "{text}") } else { write!(data, "{text}") };
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let mut out = Output::new(data, notes, cli.json);
    match dispatch(cli, &mut out, registry, daemon) {
        Ok(()) => 0,
        Err(error) => {
            error.tell(&mut out);
            error.exit_code()
        }
    }
}

/// The command line as clap knows it.
pub fn command() -> clap::Command {
    Cli::command()
}

fn dispatch(cli: Cli, out: &mut Output<'_>, registry: Registry, daemon: Daemon) -> Result<(), CommandError> {
    match cli.command {
        Command::Help { topic } => help::help(out, command(), &topic),
        Command::Up(_) | Command::Demo | Command::Swarm(_) if cli.connect.is_some() => {
            Err(CommandError::Usage("--connect is for commands that ask a node; this one starts its own here".into()))
        }
        Command::Explain(actors::ExplainFlags { fleet: Some(_), .. }) if cli.connect.is_some() => {
            Err(CommandError::Usage("--connect is for commands that ask a node; --fleet asks a file".into()))
        }
        Command::Up(arguments) => {
            let options = arguments.into_options(route::data_folder(cli.data)?, cli.json)?;
            Ok(daemon(options, registry)?)
        }
        // On all processors: here is most of the work.
        Command::Swarm(flags) => runtime(std::thread::available_parallelism())?.block_on(swarm::swarm(out, flags)),
        Command::Explain(actors::ExplainFlags { create, fleet: Some(file) }) => offline::explain(out, create, &file),
        command => {
            let route = route::route(cli.connect, cli.token, cli.data)?;
            // A thread of its own for the link: what blocks this one, such as a reader who takes his time, must not
            // let the node believe that nobody is here.
            let runtime = runtime(Ok(NonZero::<usize>::MIN))?;
            match command {
                Command::Shell => shell::shell(&runtime, &route, out),
                command => runtime.block_on(order(command, &mut Session { route: &route, out })),
            }
        }
    }
}

/// With this many threads, or one where that is not known.
fn runtime(threads: io::Result<NonZero<usize>>) -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.map_or(1, NonZero::get))
        .enable_all()
        .build()
        .map_err(|e| CommandError::internal(format!("the command cannot start: {e}")))
}

/// Everything that a node is asked for.
async fn order(command: Command, session: &mut Session<'_, '_>) -> Result<(), CommandError> {
    match command {
        Command::Token(fleet::TokenCommand::Create(arguments)) => fleet::create_token(session, arguments).await,
        Command::Invite(arguments) => invite::invite(session, arguments).await,
        Command::Nodes => fleet::nodes(session).await,
        Command::Leaders(command) => leaders::order(session, command).await,
        Command::Node(command) => fleet::node(session, command).await,
        Command::Capability(command) => fleet::capability(session, command).await,
        Command::Image(command) => images::order(session, command).await,
        Command::Authority(command) => images::authority(session, command).await,
        Command::Create(flags) => actors::create(session, flags).await,
        Command::Explain(flags) => actors::explain(session, flags.create).await,
        Command::Ask { mail, timeout } => actors::ask(session, mail, timeout).await,
        Command::Tell { mail: actors::Mail { address, message } } => {
            session.order(&Request::Tell { address, message }).await
        }
        Command::LogLevel { address, level } => {
            session.order(&Request::SetLogLevel { address, level: level.into() }).await
        }
        Command::Stop { address } => session.order(&Request::Stop { address }).await,
        Command::Actors { node } => actors::actors(session, node).await,
        Command::Status { of } => fleet::status(session, of).await,
        Command::Logs(flags) => logs::logs(session, flags).await,
        Command::Shutdown { on } => session.order(&Request::Shutdown { on }).await,
        Command::Demo => demo::demo(session.out).await,
        Command::Up(_) | Command::Swarm(_) | Command::Help { .. } | Command::Shell => {
            unreachable!("these ask no node and were handled before")
        }
    }
}
