//! What a process reaches of its node where its image is granted something.

use super::images::{Node, limits, open_to_all, python_that_asks};
use super::told;
use crate::recorder::Recorder;
use odeon::{Actor, AnyMessage, Value};
use odeon_sourceauth::{Grants, Image};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Folders of a machine, and an image that asks for two of them and two variables.
struct Machine {
    top: TempDir,
    image: Image,
}

impl Machine {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        open_to_all(top.path());
        for name in ["reads", "writes", "other"] {
            fs::create_dir(top.path().join(name)).unwrap();
            open_to_all(&top.path().join(name));
            fs::write(top.path().join(name).join("file"), "12345").unwrap();
            open_to_all(&top.path().join(name).join("file"));
        }
        let at = |name: &str| top.path().join(name).display().to_string();
        let image = python_that_asks(&format!(
            "\n[grants]\nfolders = [\"{}\", \"{}:rw\"]\nenvironment = [\"CARGO_PKG_NAME\", \"PATH\"]\n",
            at("reads"),
            at("writes")
        ));
        Self { top, image }
    }

    fn actor(&self, node: &Node) -> Rogue {
        let definitions = node.load(&self.image).unwrap();
        let definition = definitions.iter().find(|d| &*d.name == "Rogue").unwrap();
        Rogue { actor: (definition.build)().unwrap(), recorder: Recorder::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }
}

struct Rogue {
    actor: Box<dyn Actor>,
    recorder: Recorder,
}

impl Rogue {
    fn tries(&mut self, action: &str, path: &Path) -> String {
        let message = Value::Map([(action.to_owned(), Value::from(path.display().to_string()))].into());
        self.recorder.give(&mut *self.actor, &AnyMessage::new(message)).unwrap();
        self.recorder.sent().last().unwrap().1.get::<String>().unwrap().clone()
    }

    fn variables(&mut self) -> Value {
        self.recorder.give(&mut *self.actor, &told("look around")).unwrap();
        match self.recorder.sent().last().unwrap().1.get::<Value>().unwrap() {
            Value::Map(seen) => seen["variables"].clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn names(names: &[&str]) -> Value {
    Value::List(names.iter().map(|name| Value::from(*name)).collect())
}

#[test]
fn a_process_has_the_folders_and_variables_that_its_image_is_granted_and_no_others() {
    let machine = Machine::new();
    let asks: Grants = machine.image.manifest().grants.clone();
    let node = Node::that_allows(limits(), |_| asks);
    let mut actor = machine.actor(&node);
    assert_eq!(actor.tries("read", &machine.path("reads/file")), "5");
    assert_eq!(actor.tries("write", &machine.path("reads/new")), "PermissionError");
    assert_eq!(actor.tries("write", &machine.path("reads/file")), "PermissionError");
    assert_eq!(actor.tries("write", &machine.path("writes/new")), "1");
    assert_eq!(actor.tries("read", &machine.path("writes/new")), "1");
    assert_eq!(actor.tries("read", &machine.path("other/file")), "PermissionError");
    let variables = ["CARGO_PKG_NAME", "HOME", "LANG", "ODEON_SOCKET", "PATH", "TMPDIR"];
    assert_eq!(actor.variables(), names(&variables), "and PATH is the one that every process has");
}

#[test]
fn a_process_has_nothing_that_its_node_does_not_allow() {
    let machine = Machine::new();
    let node = Node::new(limits());
    let mut actor = machine.actor(&node);
    assert_eq!(actor.tries("read", &machine.path("reads/file")), "PermissionError");
    assert_eq!(actor.tries("write", &machine.path("writes/new")), "PermissionError");
    assert_eq!(actor.variables(), names(&["HOME", "LANG", "ODEON_SOCKET", "PATH", "TMPDIR"]));
}
