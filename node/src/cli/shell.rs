//! `odeon shell`: one command after the other, at a terminal or from a pipe.
//!
//! A line is a command without the word `odeon`, or one of the original's shell (`shell/line.rs`). A number stands for
//! an address that was met before. What fails ends a script, with its exit code, and nothing at a terminal.

mod addresses;
mod editor;
mod line;

use super::output::plain;
use super::session::unexpected;
use super::{Cli, Command, CommandError, Output, Session, actors, command, help, offline, order};
use crate::admin::client::Route;
use crate::admin::protocol::{Reply, Request};
use addresses::{Addresses, addresses_in};
use clap::Parser;
use editor::Lines;
use line::{OWN, Wish};
use odeon::Address;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// `odeon shell`
pub(super) fn shell(runtime: &Runtime, route: &Route, out: &mut Output<'_>) -> Result<(), CommandError> {
    let mut lines = Lines::open(&command())?;
    let mut shell = Shell { runtime, route, known: Addresses::default() };
    let ended = shell.run(&mut lines, out);
    if let Err(why) = lines.keep() {
        out.note(&why);
    }
    ended
}

struct Shell<'a> {
    runtime: &'a Runtime,
    route: &'a Route,
    known: Addresses,
}

impl Shell<'_> {
    fn run(&mut self, lines: &mut Lines, out: &mut Output<'_>) -> Result<(), CommandError> {
        while let Some(line) = lines.next()? {
            let wish = line::read(&line, &self.known).map_err(CommandError::Usage);
            let done = match wish {
                Ok(Wish::Exit) => return Ok(()),
                Ok(wish) => self.grant(wish, out),
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {}
                Err(error @ CommandError::ReaderGone) => return Err(error),
                Err(error) if lines.are_a_script() => return Err(error),
                Err(error) => error.tell(out),
            }
        }
        Ok(())
    }

    fn grant(&mut self, wish: Wish, out: &mut Output<'_>) -> Result<(), CommandError> {
        match wish {
            Wish::Nothing | Wish::Exit => Ok(()),
            Wish::Address(address) => {
                let number = self.number(address);
                out.line(&format!("Actor Address {number}:  {address}"))
            }
            Wish::Addresses => self.addresses(out),
            Wish::CreateTestActor => self.create_test_actor(out),
            Wish::Count(node) => self.count(node, out),
            Wish::Info => {
                self.perform(Command::Status { of: None }, out)?;
                self.addresses(out)
            }
            Wish::Command(words) if words == ["help"] => own_help(out),
            Wish::Command(words) => self.command(&words, out),
        }
    }

    /// The number of an address; a dash where no more are kept.
    fn number(&mut self, address: Address) -> String {
        self.known.meet(address).map_or_else(|| "-".to_owned(), |(number, _)| number.to_string())
    }

    fn addresses(&self, out: &mut Output<'_>) -> Result<(), CommandError> {
        self.known.all().try_for_each(|(number, address)| out.line(&format!("Actor Address {number}:  {address}")))
    }

    /// A command with its words, as on a command line.
    fn command(&mut self, words: &[String], out: &mut Output<'_>) -> Result<(), CommandError> {
        let is_for_all =
            |word: &&String| ["--data", "--connect", "--token"].contains(&word.split('=').next().unwrap_or_default());
        if let Some(flag) = words.iter().find(is_for_all) {
            let flag = flag.split('=').next().unwrap_or_default();
            return Err(CommandError::Usage(format!("{flag} is for the shell itself: 'odeon {flag} ... shell'")));
        }
        let all = std::iter::once("odeon").chain(words.iter().map(String::as_str));
        let cli = match Cli::try_parse_from(all) {
            Ok(cli) => cli,
            Err(error) if error.use_stderr() => {
                let text = error.render().to_string();
                return Err(CommandError::Usage(text.trim_start_matches("error: ").trim_end().to_owned()));
            }
            Err(asked) => return out.line(asked.render().to_string().trim_end()),
        };
        let mut data = Vec::new();
        let mut out = out.or_json(cli.json);
        let is_ask = matches!(cli.command, Command::Ask { .. });
        if !is_ask && !matches!(cli.command, Command::Create(_)) {
            return self.perform(cli.command, &mut out);
        }
        let is_json = out.is_json();
        let done = self.perform(cli.command, &mut out.with_data(&mut data));
        let text = String::from_utf8_lossy(&data).trim_end().to_owned();
        if !text.is_empty() {
            out.line(&if is_ask && !is_json { format!("Response: {text}") } else { text.clone() })?;
        }
        for address in addresses_in(&text) {
            if let Some((number, true)) = self.known.meet(address) {
                out.note(&format!("Actor Address {number}:  {address}"));
            }
        }
        done
    }

    /// Does what a command says. At a terminal ^C ends the command, and the shell goes on.
    fn perform(&self, command: Command, out: &mut Output<'_>) -> Result<(), CommandError> {
        match command {
            Command::Help { topic } => help::help(out, super::command(), &topic),
            Command::Up(_) | Command::Swarm(_) | Command::Demo | Command::Shell => {
                Err(CommandError::Usage("a shell runs no nodes and no other shell: run this outside".to_owned()))
            }
            Command::Explain(actors::ExplainFlags { create, fleet: Some(file) }) => {
                offline::explain(out, create, &file)
            }
            command => self.runtime.block_on(async {
                let mut session = Session { route: self.route, out };
                let interrupted = tokio::select! {
                    done = order(command, &mut session) => return done,
                    interrupted = tokio::signal::ctrl_c() => interrupted,
                };
                interrupted.map_err(|e| CommandError::internal(format!("^C cannot be heard: {e}")))?;
                Err(CommandError::Usage("interrupted; what was asked for may happen all the same".to_owned()))
            }),
        }
    }

    fn ask(&self, request: &Request, out: &mut Output<'_>) -> Result<Reply, CommandError> {
        self.runtime.block_on(Session { route: self.route, out }.ask(request))
    }

    fn create_test_actor(&mut self, out: &mut Output<'_>) -> Result<(), CommandError> {
        let all = ["odeon", "create", "odeon.TestActor"];
        let Ok(Cli { command: Command::Create(flags), .. }) = Cli::try_parse_from(all) else {
            unreachable!("these words are a command")
        };
        match self.ask(&Request::Create(flags.into_arguments()?), out)? {
            Reply::Created(created) => {
                let number = self.number(created.address);
                out.line(&format!("Created new TestActor {number} @ {}", created.address))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn count(&self, node: Option<String>, out: &mut Output<'_>) -> Result<(), CommandError> {
        match self.ask(&Request::Actors { node }, out)? {
            Reply::Actors(actors) => {
                let mut counts = BTreeMap::<String, u64>::new();
                for actor in actors {
                    *counts.entry(actor.node).or_default() += 1;
                }
                let rows: Vec<_> = counts.into_iter().collect();
                out.rows(&rows, ["NODE", "ACTORS"], |(node, count)| [plain(node), count.to_string()])
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// What a shell takes beside the commands of `odeon`.
fn own_help(out: &mut Output<'_>) -> Result<(), CommandError> {
    out.line("Every command of 'odeon', without that word ('help COMMAND' explains it), and:")?;
    OWN.iter().try_for_each(|(usage, what)| out.line(&format!("  {usage:<28}{what}")))?;
    let names: Vec<_> = command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    out.line(&format!("Commands: {}", names.join(", ")))
}
