//! What a line of a shell means: a command of `odeon`, without that word, or one of the original's shell.

use super::addresses::Addresses;
use odeon::Address;

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// It is empty, or a comment.
    Nothing,
    /// To leave.
    Exit,
    /// To show the addresses that were met.
    Addresses,
    /// To give an address a number.
    Address(Address),
    /// To create the actor that answers whatever it is sent.
    CreateTestActor,
    /// To count the actors, of one node or of each.
    Count(Option<String>),
    /// The state of the node, and the addresses.
    Info,
    /// A command with its words, as on a command line.
    Command(Vec<String>),
}

/// The commands that only a shell has, for its help and its completion.
pub(super) const OWN: [(&str, &str); 11] = [
    ("address [ADDRESS]", "gives an address a number, which stands for it from then on; shows all without one"),
    ("info", "shows the state of the node, and the addresses"),
    ("create_testActor", "creates an actor that answers what it is sent; 'create' makes it create another one"),
    ("use_simple_source_authority", "approves every well-formed image, as 'authority set accept-all'"),
    ("actorCount [NODE]", "counts the actors of each node"),
    ("kill N", "asks an actor to exit, as 'stop'"),
    ("set_thesplog N LEVEL", "sets the level of an actor's lines, as 'log-level'"),
    ("ask N TEXT", "sends the rest of the line and prints the reply; in quotes, flags may follow"),
    ("tell N TEXT", "sends the rest of the line"),
    ("help [COMMAND|OD-NNN]", "shows this, or the help of a command, or the page of an error"),
    ("exit", "leaves, as 'quit' and the end of the input do; nothing is stopped"),
];

/// Whose first word after the command is an actor, for which a number may stand.
const OF_ACTORS: [&str; 5] = ["ask", "tell", "stop", "log-level", "status"];

/// Reads a line.
pub(super) fn read(line: &str, known: &Addresses) -> Result<Wish, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let words = || shlex::split(rest).ok_or_else(|| "a quote is not closed".to_owned());
    let command = |first: &[&str], mut words: Vec<String>| {
        let mut all: Vec<String> = first.iter().map(|word| (*word).to_owned()).collect();
        if OF_ACTORS.contains(&first[0])
            && let Some(word) = words.first_mut()
        {
            actor(first[0], word, known)?;
        }
        all.append(&mut words);
        Ok(Wish::Command(all))
    };
    match name {
        "" => Ok(Wish::Nothing),
        _ if name.starts_with('#') => Ok(Wish::Nothing),
        "exit" | "quit" => Ok(Wish::Exit),
        "?" | "help" => command(&["help"], words()?),
        "info" => Ok(Wish::Info),
        "address" => match words()?.as_slice() {
            [] => Ok(Wish::Addresses),
            [address] => address.parse().map(Wish::Address).map_err(|e| format!("{e}")),
            _ => Err("'address' takes one address; where a node listens is for --connect".to_owned()),
        },
        "create_testActor" => nothing_after(name, rest, Wish::CreateTestActor),
        "use_simple_source_authority" => command(&["authority", "set", "accept-all"], words()?),
        "actorCount" => match words()?.as_slice() {
            [] => Ok(Wish::Count(None)),
            [node] => Ok(Wish::Count(Some(node.clone()))),
            _ => Err("'actorCount' takes one node".to_owned()),
        },
        "kill" => command(&["stop"], words()?),
        "set_thesplog" => command(&["log-level"], words()?),
        "ask" | "tell" => command(&[name], mail(rest)?),
        "start" => Err("a shell runs no nodes: run 'odeon up' outside".to_owned()),
        "listen" => Err("only what answers an 'ask' comes to a shell".to_owned()),
        "report_exit" => Err("nobody can say that another's child has exited; its node does".to_owned()),
        "python" => Err("a shell evaluates nothing".to_owned()),
        _ => command(&[name], words()?),
    }
}

fn nothing_after(name: &str, rest: &str, wish: Wish) -> Result<Wish, String> {
    if rest.trim().is_empty() { Ok(wish) } else { Err(format!("'{name}' takes nothing")) }
}

/// Puts an address in the place of its number.
fn actor(command: &str, word: &mut String, known: &Addresses) -> Result<(), String> {
    let Ok(number) = word.parse::<usize>() else { return Ok(()) };
    match known.get(number) {
        Some(address) => *word = address.to_string(),
        // It may be a node's name.
        None if command == "status" => {}
        None => return Err(format!("there is no address {number}: 'address' shows all")),
    }
    Ok(())
}

/// An address, and a text as it stands, up to a flag. A text in quotes is read as a shell of the system reads it.
fn mail(rest: &str) -> Result<Vec<String>, String> {
    let rest = rest.trim_start();
    let (address, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim_start();
    let as_in_sh = text.starts_with(['"', '\'']) || text.is_empty() || address.starts_with("--");
    let split = |text| shlex::split(text).ok_or_else(|| "a quote is not closed".to_owned());
    if as_in_sh {
        return split(rest);
    }
    let (message, flags) = match text.find(" --") {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut words = vec![address.to_owned(), message.trim_end().to_owned()];
    words.extend(split(flags)?);
    Ok(words)
}
