//! What is promised, and where: the table in `promises.rs` says over which bases each test runs, and is printed into
//! docs/conformance.md.

use crate::promises::PROMISES;
use crate::rig::Rig;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A base or a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Simple,
    Threads,
    Simulated,
    /// A node of a convention, with actors that are linked into it.
    Node,
    /// An image's actors in WebAssembly, on a node.
    Wasm,
    /// An image's actors in a process of their own, on a node.
    Process,
}

/// How a base or runtime stands to a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The promise's own test runs there.
    Run,
    /// These tests hold it there, each by its file and its name.
    Held(&'static [(&'static str, &'static str)]),
    /// It holds because something else does.
    Follows(&'static str),
    /// It does not hold there, for this reason.
    Cannot(&'static str),
}

/// One promise: the name of its test, what it says, and where it holds.
pub(crate) struct Promise {
    pub(crate) test: &'static str,
    pub(crate) says: &'static str,
    pub(crate) cells: [Cell; 6],
}

const COLUMNS: [(Column, &str); 6] = [
    (Column::Simple, "simple"),
    (Column::Threads, "threads"),
    (Column::Simulated, "simulated"),
    (Column::Node, "node"),
    (Column::Wasm, "wasm"),
    (Column::Process, "process"),
];
/// The bases over which the tests here run.
pub(crate) const BASES: [Column; 3] = [Column::Simple, Column::Threads, Column::Simulated];

impl Promise {
    pub(crate) fn cell(&self, column: Column) -> Cell {
        self.cells[column as usize]
    }
}

fn promise(test: &str) -> &'static Promise {
    let found = PROMISES.iter().find(|promise| promise.test == test);
    found.unwrap_or_else(|| panic!("{test} is not in the table of promises"))
}

/// The bases on which a promise is to be held by its own test.
pub(crate) fn bases_of(test: &str) -> Vec<Column> {
    BASES.into_iter().filter(|base| promise(test).cell(*base) == Cell::Run).collect()
}

/// Runs a promise's test over every base on which it is to hold.
pub(crate) fn hold(test: &str, run: impl Fn(Rig)) {
    for base in bases_of(test) {
        for rig in Rig::of(base) {
            rig.run_and_end(&run);
        }
    }
}

/// For a test that makes its own rigs: the table says the same of it.
pub(crate) fn holds_on(test: &str, bases: &[Column]) {
    assert_eq!(bases_of(test), bases, "{test} runs elsewhere than the table of promises says");
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The tests of this program that hold promises.
fn tests() -> BTreeSet<String> {
    let output = Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("table::")).map(str::to_owned).collect()
}

#[test]
fn every_promise_has_its_test_and_every_test_its_promise() {
    let promised: BTreeSet<_> = PROMISES.iter().map(|promise| promise.test.to_owned()).collect();
    assert_eq!(promised.len(), PROMISES.len(), "a promise is in the table twice");
    assert_eq!(tests(), promised);
}

#[test]
fn a_test_elsewhere_that_holds_a_promise_is_there() {
    for promise in PROMISES {
        for cell in promise.cells {
            let Cell::Held(tests) = cell else { continue };
            for (file, test) in tests {
                let source = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
                assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test} ({})", promise.test);
            }
        }
    }
}

/// The table for people: what a cell has to say is below it, each text once.
fn printed() -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut note = |text: String| match notes.iter().position(|known| *known == text) {
        Some(at) => at + 1,
        None => {
            notes.push(text);
            notes.len()
        }
    };
    let mut rows = String::new();
    for promise in PROMISES {
        write!(rows, "| {}", promise.says).unwrap();
        for cell in promise.cells {
            let text = match cell {
                Cell::Run => "yes".to_owned(),
                Cell::Held(tests) => {
                    let tests: Vec<_> = tests.iter().map(|(file, test)| format!("`{file}`: `{test}`")).collect();
                    format!("yes [{}]", note(tests.join("; ")))
                }
                Cell::Follows(why) => format!("yes [{}]", note(why.to_owned())),
                Cell::Cannot(why) => format!("no [{}]", note(why.to_owned())),
            };
            write!(rows, " | {text}").unwrap();
        }
        writeln!(rows, " |").unwrap();
    }
    let mut text = include_str!("conformance-head.md").to_owned();
    let names: Vec<_> = COLUMNS.iter().map(|(_, name)| format!("`{name}`")).collect();
    writeln!(text, "\n| promise | {} |\n|{}\n{rows}", names.join(" | "), " --- |".repeat(COLUMNS.len() + 1)).unwrap();
    for (n, note) in notes.iter().enumerate() {
        writeln!(text, "{}. {note}", n + 1).unwrap();
    }
    text
}

#[test]
fn the_matrix_is_in_the_documents_as_it_is_printed() {
    let (path, printed) = (root().join("docs/conformance.md"), printed());
    println!("{printed}");
    if std::env::var_os("ODEON_WRITE_MATRIX").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == printed, "docs/conformance.md is not the table: run this test with ODEON_WRITE_MATRIX=1");
}
