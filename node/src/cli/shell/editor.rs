//! Where the lines of a shell come from: a terminal, with history and completion, or a pipe.

use super::line::OWN;
use crate::cli::CommandError;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::io::{BufRead, BufReader, IsTerminal, Read, Stdin};
use std::path::PathBuf;

/// Lines that are kept for the next shell.
const HISTORY_MAX: usize = 1_000;
/// Bytes of a line that comes by a pipe.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Where lines come from.
pub(super) enum Lines {
    /// Somebody types them.
    Terminal {
        editor: Box<Editor<Words, FileHistory>>,
        /// None where there is no home for it.
        history: Option<PathBuf>,
    },
    /// A script.
    Pipe(BufReader<Stdin>),
}

impl Lines {
    /// From the standard input, whatever that is.
    pub(super) fn open(command: &clap::Command) -> Result<Self, CommandError> {
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Ok(Lines::Pipe(BufReader::new(input)));
        }
        let cannot = |e: ReadlineError| CommandError::internal(format!("the terminal cannot be used: {e}"));
        let config = Config::builder().max_history_size(HISTORY_MAX).map_err(cannot)?;
        let mut editor = Editor::with_config(config.build()).map_err(cannot)?;
        editor.set_helper(Some(Words::of(command)));
        let history = history_file();
        // The first time there is none.
        let _ = history.as_ref().map(|file| editor.load_history(file));
        Ok(Lines::Terminal { editor: Box::new(editor), history })
    }

    /// Whether a failure ends the shell.
    pub(super) fn are_a_script(&self) -> bool {
        matches!(self, Lines::Pipe(_))
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<String>, CommandError> {
        let cannot = |e: &dyn std::fmt::Display| CommandError::internal(format!("the next line cannot be read: {e}"));
        match self {
            Lines::Terminal { editor, .. } => loop {
                match editor.readline("odeon> ") {
                    Ok(line) => {
                        // A secret is refused, and not kept either.
                        if !line.contains("--token") {
                            editor.add_history_entry(line.as_str()).map_err(|e| cannot(&e))?;
                        }
                        return Ok(Some(line));
                    }
                    // Whoever types ^C begins the line anew.
                    Err(ReadlineError::Interrupted) => {}
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(e) => return Err(cannot(&e)),
                }
            },
            Lines::Pipe(input) => {
                let mut line = String::new();
                let read = input.take(LINE_BYTES_MAX).read_line(&mut line).map_err(|e| cannot(&e))?;
                if read as u64 == LINE_BYTES_MAX && !line.ends_with('\n') {
                    return Err(CommandError::Usage(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
                }
                Ok((read > 0).then_some(line))
            }
        }
    }

    /// Keeps what was typed for the next shell; gives why that could not be.
    pub(super) fn keep(&mut self) -> Result<(), String> {
        let Lines::Terminal { editor, history: Some(file) } = self else { return Ok(()) };
        let made = file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|e| e.to_string());
        let kept = made.and_then(|()| editor.save_history(file).map_err(|e| e.to_string()));
        kept.map_err(|e| format!("what was typed is not kept in {}: {e}", file.display()))
    }
}

/// `shell_history` in the folder for what programs remember.
fn history_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|folder| folder.join("odeon/shell_history"))
}

/// What may come next on a line, by the words before it.
pub(super) struct Words {
    root: clap::Command,
}

impl Words {
    pub(super) fn of(command: &clap::Command) -> Self {
        let mut root = command.clone();
        root.build();
        Self { root }
    }

    /// The words that begin like the last one before `at`, and where that begins.
    pub(super) fn after(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let before = line.get(..at).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let mut command = &self.root;
        let mut named = Vec::new();
        for word in before[..start].split_whitespace().filter(|word| *word != "help" && *word != "?") {
            match command.find_subcommand(word) {
                Some(sub) => command = sub,
                None => named.push(word),
            }
        }
        let subcommands = command.get_subcommands().filter(|_| named.is_empty()).map(|sub| sub.get_name().to_owned());
        let flags = command.get_opts().chain(command.get_arguments().filter(|a| a.is_global_set()));
        let flags = flags.filter_map(|flag| flag.get_long()).map(|long| format!("--{long}"));
        let own = OWN.iter().filter_map(|(usage, _)| usage.split(' ').next()).map(str::to_owned);
        let is_first = std::ptr::eq(command, &self.root) && named.is_empty();
        let all = subcommands.chain(own.filter(|_| is_first)).chain(flags.filter(|_| !is_first));
        let begun = &before[start..];
        let mut words: Vec<String> = all.filter(|word| word.starts_with(begun)).collect();
        words.sort();
        words.dedup();
        (start, words)
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.after(line, at))
    }
}

impl Helper for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        Words::of(&crate::cli::command()).after(line, line.len()).1
    }

    #[test]
    fn commands_subcommands_and_flags_are_completed_by_what_stands_before_them() {
        assert_eq!(words("cre"), ["create", "create_testActor"]);
        assert_eq!(words("image pu"), ["push"]);
        assert_eq!(words("help image pu"), ["push"]);
        assert_eq!(words("ask 0 --t"), ["--timeout", "--token"]);
        assert!(words("image push file pu").is_empty(), "a file is no command");
        assert!(words("").contains(&"exit".to_owned()) && !words("").contains(&"--json".to_owned()));
        assert_eq!(Words::of(&crate::cli::command()).after("ask é", 5).0, 4);
    }
}
