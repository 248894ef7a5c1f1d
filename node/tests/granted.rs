//! Images with grants in the wasm runtime: what they reach, what they do not, and that they are cut off wherever they wait.
#![allow(clippy::unwrap_used)]

#[path = "granted/engine.rs"]
mod engine;
#[path = "granted/peer.rs"]
mod peer;
#[allow(dead_code)] // Shared with tests that need all of it.
#[path = "wasm/recorder.rs"]
mod recorder;

use odeon::{Actor, AnyMessage, Definition, Level, Requirements, Value};
use odeon_node::grants::Allowed;
use odeon_node::wasm::{WasmCode, WasmError, WasmLimits, WasmRuntime};
use odeon_sourceauth::{Grants, Image, Isolation};
use peer::Peer;
use recorder::{Recorder, View};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HASH: &str = "99112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static REACHERS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let image = include_bytes!("../../tests/guest_granted/guest.zip");
    Image::open(image.to_vec()).unwrap().code().unwrap()
});
static CODE: LazyLock<Arc<WasmRuntime>> = LazyLock::new(|| {
    let limits = WasmLimits { message_ms: 500, check_ms: 500, memory_bytes_max: 8 << 20, ..WasmLimits::default() };
    WasmRuntime::new(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-granted"), limits).unwrap()
});

/// A node with folders of its own and others.
struct Node {
    top: TempDir,
    asks: Grants,
    allows: Grants,
}

impl Node {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        for name in ["data", "srv", "out", "other"] {
            fs::create_dir(top.path().join(name)).unwrap();
        }
        fs::write(top.path().join("srv/file"), "what is in it").unwrap();
        fs::write(top.path().join("other/secret"), "a secret").unwrap();
        // The component imports sockets, which only images may that ask for a connection.
        let asks = Grants { outbound: vec!["192.0.2.1:9".parse().unwrap()], ..Grants::default() };
        Self { top, asks: asks.clone(), allows: asks }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.top.path()).unwrap().join(name)
    }

    /// Asks for this and allows it.
    fn outbound(mut self, text: &str) -> Self {
        self.asks.outbound.push(text.parse().unwrap());
        self.allows.outbound.push(text.parse().unwrap());
        self
    }

    fn folder(mut self, name: &str, end: &str) -> Self {
        let text = format!("{}{end}", self.path(name).display());
        self.asks.folders.push(text.parse().unwrap());
        self.allows.folders.push(text.parse().unwrap());
        self
    }

    fn variable(mut self, name: &str) -> Self {
        self.asks.environment.push(name.parse().unwrap());
        self.allows.environment.push(name.parse().unwrap());
        self
    }

    /// Asks for the same, and allows nothing.
    fn allowing_nothing(self) -> Self {
        Self { allows: Grants::default(), ..self }
    }

    fn definition(&self, name: &str) -> Definition {
        let allowed = Allowed::new(self.allows.clone(), &self.path("data"));
        let definitions = load(&self.asks, &allowed).unwrap();
        definitions.into_iter().find(|d| &*d.name == name).unwrap()
    }

    fn reacher(&self) -> Reacher {
        Reacher { actor: (self.definition("Reacher").build)().unwrap(), recorder: Recorder::new() }
    }
}

fn load(asks: &Grants, allowed: &Arc<Allowed>) -> Result<Vec<Definition>, WasmError> {
    let (title, access) = ("reachers", Some((asks, allowed)));
    CODE.load_code(&WasmCode { hash: HASH, title, component: &REACHERS, isolation: Isolation::Actor, access })
}

/// An actor that tries what it is told.
struct Reacher {
    actor: Box<dyn Actor>,
    recorder: Recorder,
}

impl Reacher {
    fn tries(&mut self, what: &str) -> Result<Value, String> {
        let message = AnyMessage::new(what.to_owned());
        self.recorder.give(&mut *self.actor, &message).map_err(|failure| failure.reason().to_owned())?;
        Ok(self.recorder.sent().last().map(|(_, said)| said.to_value().unwrap()).unwrap_or_default())
    }

    fn says(&mut self, what: &str) -> String {
        match self.tries(what) {
            Ok(Value::String(said)) => said,
            other => panic!("{what}: {other:?}"),
        }
    }
}

const DENIED: &str = "failed: PermissionDenied";

#[test]
fn a_granted_folder_is_read_and_with_rw_written_and_no_other_is_there() {
    let node = Node::new().folder("srv", "").folder("out", ":rw");
    let at = |name: &str| node.path(name).display().to_string();
    let mut actor = node.reacher();
    assert_eq!(actor.says(&format!("read {}", at("srv/file"))), "what is in it");
    assert_eq!(actor.says(&format!("list {}", at("srv"))), "file");
    let unwritten = actor.says(&format!("write {}", at("srv/new")));
    assert!(unwritten.starts_with("failed: "), "{unwritten}");
    let kept = actor.says(&format!("remove {}", at("srv/file")));
    assert!(kept.starts_with("failed: ") && node.path("srv/file").exists(), "{kept}");
    assert_eq!(actor.says(&format!("write {}", at("out/new"))), "written");
    assert_eq!(fs::read_to_string(node.path("out/new")).unwrap(), "written");
    assert_eq!(actor.says(&format!("remove {}", at("out/new"))), "removed");
    std::os::unix::fs::symlink(node.path("other/secret"), node.path("out/link")).unwrap();
    for path in [at("other/secret"), at("srv/../other/secret"), at("out/link"), at("data"), "/etc/passwd".to_owned()] {
        let refused = actor.says(&format!("read {path}"));
        assert!(refused.starts_with("failed: "), "{path}: {refused}");
    }
}

#[test]
fn a_granted_variable_has_the_nodes_value_and_no_other_is_there() {
    let mut actor = Node::new().variable("CARGO_PKG_NAME").variable("ABSENT_IN_EVERY_TEST").reacher();
    assert_eq!(actor.says("variable CARGO_PKG_NAME"), "odeon-node");
    assert_eq!(actor.says("variable PATH"), "absent");
    assert_eq!(actor.says("variables"), "1");
}

#[test]
fn a_granted_address_answers_and_no_other_is_reached_in_any_way() {
    let (peer, other) = (Peer::that_answers(), Peer::that_answers());
    let node = Node::new().outbound(&peer.address());
    let mut actor = node.reacher();
    assert_eq!(actor.says(&format!("ask {}", peer.address())), "heard are you there?");
    assert_eq!(actor.says(&format!("ask {}", other.address())), DENIED);
    assert_eq!(other.connections(), 0);
    assert_eq!(actor.says("listen 127.0.0.1:0"), DENIED);
    let unsent = actor.says(&format!("datagram {}", peer.address()));
    assert!(unsent.starts_with("failed: "), "{unsent}");
    // A connection lasts over messages.
    assert_eq!(actor.says(&format!("keep {}", peer.address())), "kept");
    assert_eq!(actor.says("again"), "heard are you there?");
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_granted_name_is_looked_up_and_leads_to_its_port_only() {
    let (peer, other) = (Peer::that_answers(), Peer::that_answers());
    let node = Node::new().outbound(&format!("localhost:{}", peer.port()));
    let mut actor = node.reacher();
    assert_eq!(actor.says(&format!("ask {}", peer.address())), DENIED, "the name is granted, and was not looked up");
    assert_eq!(actor.says(&format!("ask localhost:{}", peer.port())), "heard are you there?");
    let elsewhere = actor.says(&format!("ask localhost:{}", other.port()));
    assert!(elsewhere.starts_with("failed: ") && other.connections() == 0, "{elsewhere}");
    let unknown = actor.says("resolve example.org:80");
    assert!(unknown.starts_with("failed: "), "{unknown}");
}

#[test]
fn what_the_node_does_not_allow_is_not_there_even_where_the_image_was_loaded() {
    let peer = Peer::that_answers();
    let node = Node::new().outbound(&peer.address()).folder("srv", "").variable("CARGO_PKG_NAME").allowing_nothing();
    let mut actor = node.reacher();
    assert_eq!(actor.says("variable CARGO_PKG_NAME"), "absent");
    let file = actor.says(&format!("read {}", node.path("srv/file").display()));
    assert!(file.starts_with("failed: "), "{file}");
    let unasked = actor.says(&format!("ask {}", peer.address()));
    assert!(unasked.starts_with("failed: ") && peer.connections() == 0, "{unasked}");
}

#[test]
fn a_folder_that_is_gone_when_an_actor_is_built_is_its_failure() {
    let node = Node::new().folder("srv", "");
    let definition = node.definition("Reacher");
    fs::remove_dir_all(node.path("srv")).unwrap();
    let failure = (definition.build)().err().unwrap();
    assert!(failure.reason().contains("OD-174"), "{failure}");
}

#[test]
fn wherever_an_instance_waits_or_computes_it_is_cut_off_at_its_time() {
    let (silent, deaf) = (Peer::that_is_silent(), Peer::that_is_silent());
    let node = Node::new().outbound(&silent.address()).outbound(&deaf.address()).folder("srv", "");
    let pipe = node.path("srv/pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for what in [
        format!("ask {}", silent.address()),
        format!("send {}", deaf.address()),
        format!("read {}", pipe.display()),
        "sleep".to_owned(),
        "loop".to_owned(),
    ] {
        let mut actor = node.reacher();
        let started = Instant::now();
        assert_eq!(actor.tries(&what), Err("took longer than 500 ms".to_owned()), "{what}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(10), "{what}: {took:?}");
        assert_eq!(actor.tries("count"), Ok(Value::from(1)), "the next message builds it anew");
    }
}

#[test]
fn what_one_instance_holds_is_bounded() {
    let node = Node::new().folder("srv", "");
    let mut actor = node.reacher();
    let full = actor.tries(&format!("open {}", node.path("srv/file").display()));
    assert!(full.as_ref().is_err_and(|reason| reason.contains("resource table")), "{full:?}");
    let printed = actor.tries("print for ever").unwrap_err();
    assert_eq!(printed, "printed more than 1 MiB for one message");
}

#[test]
fn an_actor_keeps_its_state_and_fails_with_its_reason() {
    let mut actor = Node::new().reacher();
    assert_eq!((actor.tries("count"), actor.tries("count")), (Ok(1.into()), Ok(2.into())));
    assert_eq!(actor.tries("fail"), Err("told to fail".to_owned()));
    assert_eq!(actor.tries("count"), Ok(3.into()), "an error that is no trap leaves it whole");
    assert_eq!(actor.tries("panic"), Err("panicked: told to panic after 3".to_owned()));
    assert_eq!(actor.tries("exit"), Err("ended its process, expected `exit` of its context".to_owned()));
    actor.tries("print").unwrap();
    let mut lines = actor.recorder.lines();
    lines.sort();
    lines.dedup();
    assert_eq!(lines, [(Level::Info, "to output".to_owned()), (Level::Warn, "to error".to_owned())]);
}

#[test]
fn a_check_reaches_nothing_and_an_image_says_that_it_needs_grants() {
    let node = Node::new().folder("srv", "").variable("CARGO_PKG_NAME");
    let definition = node.definition("Reacher");
    assert_eq!(&*definition.required, ["odeon.grants"]);
    assert!(definition.waits);
    let view = View::new(&[("zone", Value::from("eu"))]);
    assert_eq!((definition.check)(&view, &Requirements::none()), Ok(true));
    assert_eq!(view.read(), ["zone"]);
    assert_eq!((definition.check)(&View::new(&[]), &Requirements::none()), Ok(true));
}

#[test]
fn a_constructor_has_what_is_granted() {
    let failed = (Node::new().folder("srv", "").definition("Reader").build)().err().unwrap();
    assert_eq!(failed.reason(), "environment variable not found");
}

#[test]
fn sockets_without_a_grant_are_refused_by_name_with_a_hint() {
    let asks = Grants { environment: vec!["ZONE".parse().unwrap()], ..Grants::default() };
    let folder = tempfile::tempdir().unwrap();
    let allowed = Allowed::new(asks.clone(), folder.path());
    for refused in [CODE.load(HASH, &REACHERS), load(&asks, &allowed)] {
        let error = refused.err().unwrap();
        assert!(matches!(&error, WasmError::Import { name } if name.starts_with("wasi:sockets/")), "{error}");
        assert!(error.to_string().ends_with("it needs `outbound` in the [grants] of its odeon.toml"), "{error}");
    }
}
