//! The process runtime with real processes: what they may do, what bounds them, and what is refused. The same actors in
//! Rust and in Python, as far as both languages have them.
#![allow(clippy::unwrap_used)]

#[path = "process/grants.rs"]
mod grants;
#[path = "process/images.rs"]
mod images;
#[path = "wasm/promises.rs"]
mod promises;
#[path = "wasm/recorder.rs"]
mod recorder;

use images::{Guest, Node, limits};
use odeon::{ActorExitRequest, AnyMessage, Failure, Level, Requirements, Topic, Value};
use odeon_node::process::{ProcessError, ProcessLimits};
use recorder::{NOTES, Recorder, View, actor_of};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
const BOUND: Duration = Duration::from_secs(60);
const GUESTS: [Guest; 2] = [Guest::Rust, Guest::Python];

/// What the promises are held for: the same actors in both languages, each with a node of its own.
fn guests() -> Vec<promises::Guests> {
    let guest = |guest: Guest| {
        let node = Node::new(limits());
        let name = if guest == Guest::Rust { "a process in Rust" } else { "a process in Python" };
        promises::Guests { name, definition: Box::new(move |name| node.definition(guest, name)) }
    };
    GUESTS.map(guest).into()
}

fn told(what: &str) -> AnyMessage {
    AnyMessage::new(what.to_owned())
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < BOUND, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: i64) -> bool {
    // One that has ended and is waited for has no program any more.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn everything_that_a_context_offers_reaches_the_host() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let recorder = Recorder::new();
        recorder.set("zone", "eu");
        let mut actor = node.build(guest, "Rogue").unwrap();
        recorder.give(&mut *actor, &told("everything")).unwrap();
        let created = &recorder.created()[0];
        assert_eq!((created.image.as_deref(), created.global_name.as_deref()), (Some("ab"), Some("the-one")));
        assert_eq!(created.requirements, Requirements::none().require("gpu").equal("zone", "eu"));
        let sent = recorder.sent();
        assert_eq!((sent[0].0, *sent[0].1.get().unwrap()), (recorder.child(0), actor_of(1)));
        assert_eq!((sent[1].0, sent[1].1.to_value()), (actor_of(7), Ok(Value::from("eu"))));
        let wakeups = recorder.wakeups();
        assert_eq!((wakeups[0].0, wakeups[0].1.is_none()), (Duration::from_millis(5), true));
        let payload = wakeups[1].1.as_ref().unwrap();
        assert_eq!((wakeups[1].0, payload.get::<String>().unwrap().as_str()), (Duration::from_secs(1), "payload"));
        assert_eq!(recorder.updates(), [("busy".into(), Some(Value::from(true))), ("idle".into(), None)]);
        assert_eq!(recorder.watched(), [(Topic::Members, true), (Topic::Images, false)]);
        assert_eq!(recorder.registrations(), 1);
        assert_eq!(recorder.notes(), NOTES);
        assert_eq!(recorder.exits(), 1);
    }
}

#[test]
fn an_actor_keeps_its_state_and_another_has_its_own() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let recorder = Recorder::new();
        let mut actors = [node.build(guest, "Rogue").unwrap(), node.build(guest, "Rogue").unwrap()];
        for which in [0, 0, 1] {
            recorder.give(&mut *actors[which], &told("count")).unwrap();
        }
        let counts: Vec<i64> = recorder.sent().iter().map(|(_, m)| *m.get().unwrap()).collect();
        assert_eq!(counts, [1, 2, 1]);
        let failed = recorder.give(&mut *actors[0], &told("fail")).unwrap_err();
        assert!(failed.reason().ends_with("told to fail"), "{failed}");
        recorder.give(&mut *actors[0], &told("count")).unwrap();
        assert_eq!(recorder.sent()[3].1.get::<i64>(), Some(&3), "an error leaves the process and the actor whole");
    }
}

#[test]
fn untyped_values_and_system_messages_arrive() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let recorder = Recorder::new();
        let mut actor = node.build(guest, "Rogue").unwrap();
        let value: Value = serde_json::from_str(r#"{"Many": {"count": 3, "bytes": 2}}"#).unwrap();
        recorder.give(&mut *actor, &AnyMessage::new(value)).unwrap();
        assert_eq!(recorder.sent().len(), 3);
        recorder.give(&mut *actor, &AnyMessage::new(ActorExitRequest::default())).unwrap();
        assert_eq!(recorder.lines(), [(Level::Info, "asked to exit".to_owned())]);
    }
}

#[test]
fn a_check_reads_through_the_view_only_what_it_asks_for() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let definition = node.definition(guest, "CheckReads");
        assert_eq!(&*definition.required, ["Has DB access", "odeon.process"]);
        assert!(definition.waits);
        let eu = View::new(&[("zone", Value::from("eu")), ("gpu", Value::from(true))]);
        assert_eq!((definition.check)(&eu, &Requirements::none()), Ok(true));
        assert_eq!(eu.read(), ["zone"]);
        assert_eq!((definition.check)(&eu, &Requirements::none().require("x")), Ok(true));
        assert_eq!(eu.read(), ["zone", "zone", "gpu"]);
        let us = View::new(&[("zone", Value::from("us"))]);
        assert_eq!((definition.check)(&us, &Requirements::none()), Ok(false));
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = (definition.check)(&View::broken(), &Requirements::none());
        }));
        assert!(broken.is_err(), "a panic of the view is the caller's");
        assert_eq!((definition.check)(&eu, &Requirements::none()), Ok(true), "and harms no later check");
        let panics = node.definition(guest, "CheckPanics");
        let failed = (panics.check)(&View::new(&[]), &Requirements::none()).unwrap_err();
        assert!(failed.reason().contains("zone"), "{failed}");
    }
}

#[test]
fn a_check_constructor_or_message_that_loops_is_ended_with_its_process_and_another_one_goes_on() {
    for guest in GUESTS {
        let tight = ProcessLimits { message_ms: 1_500, check_ms: 1_500, ..limits() };
        let node = Node::new(tight);
        let recorder = Recorder::new();
        let mut actor = node.build(guest, "Rogue").unwrap();
        recorder.give(&mut *actor, &told("count")).unwrap();
        let late = |result: Result<(), Failure>| {
            let failure = result.unwrap_err();
            assert!(failure.reason().contains("took longer than 1500 ms"), "{failure}");
        };
        late((node.definition(guest, "CheckLoops").check)(&View::new(&[]), &Requirements::none()).map(drop));
        late(node.build(guest, "ConstructorLoops").map(drop));
        late(recorder.give(&mut *actor, &told("loop")));
        recorder.give(&mut *actor, &told("count")).unwrap();
        let counts: Vec<i64> = recorder.sent().iter().map(|(_, m)| *m.get().unwrap()).collect();
        assert_eq!(counts, [1, 1], "it was built again, in another process");
    }
}

#[test]
fn a_constructor_that_fails_says_why() {
    for guest in GUESTS {
        let failed = Node::new(limits()).build(guest, "ConstructorFails").err().unwrap();
        assert!(failed.reason().ends_with("not today"), "{failed}");
    }
}

#[test]
fn a_process_that_ends_by_itself_fails_its_message_with_how_it_ended() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let recorder = Recorder::new();
        let mut actor = node.build(guest, "Rogue").unwrap();
        let failed = recorder.give(&mut *actor, &told("exit the process")).unwrap_err();
        assert!(failed.reason().contains("exited with status 3"), "{failed}");
        recorder.give(&mut *actor, &told("count")).unwrap();
        assert_eq!(recorder.sent()[0].1.get::<i64>(), Some(&1));
    }
}

#[test]
fn what_is_handed_over_for_one_message_is_bounded_in_count_and_size() {
    let node = Node::new(ProcessLimits { host_calls_max: 100, outgoing_bytes_max: 1 << 20, ..limits() });
    let recorder = Recorder::new();
    let many = |count: i64, bytes: i64| {
        let of = Value::Map([("count".into(), count.into()), ("bytes".into(), bytes.into())].into());
        AnyMessage::new(Value::Map([("Many".into(), of)].into()))
    };
    for (message, bound) in [(many(101, 1), "more than 100 times"), (many(99, 60 << 10), "more than 1048576 bytes")] {
        let mut actor = node.build(Guest::Python, "Rogue").unwrap();
        let failed = recorder.give(&mut *actor, &message).unwrap_err();
        assert!(failed.reason().contains(bound), "{failed}");
    }
    let before = recorder.sent().len();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    for _ in 0..3 {
        recorder.give(&mut *actor, &many(100, 1000)).unwrap();
    }
    assert_eq!(recorder.sent().len() - before, 300, "each message has accounts of its own");
}

#[test]
fn memory_is_bounded() {
    for guest in GUESTS {
        let node = Node::new(ProcessLimits { memory_bytes_max: 512 << 20, ..limits() });
        let recorder = Recorder::new();
        let mut actor = node.build(guest, "Rogue").unwrap();
        let failed = recorder.give(&mut *actor, &told("allocate")).unwrap_err();
        let known = ["MemoryError", "killed by signal 6"].iter().any(|reason| failed.reason().contains(reason));
        assert!(known, "{failed}");
    }
}

#[test]
fn what_is_printed_becomes_log_lines_of_the_only_actor_that_works() {
    for guest in GUESTS {
        let node = Node::new(limits());
        let recorder = Recorder::new();
        let mut actor = node.build(guest, "Rogue").unwrap();
        recorder.give(&mut *actor, &told("print")).unwrap();
        until("all lines are there", || recorder.lines().len() == 3);
        let mut lines = recorder.lines();
        lines.sort();
        let expected = [(Level::Info, "to output"), (Level::Warn, "to error"), (Level::Error, "to the log")];
        assert_eq!(lines, expected.map(|(level, line)| (level, line.to_owned())));
    }
}

#[test]
fn a_flood_of_lines_is_cut_and_said_and_holds_nothing_up() {
    let node = Node::new(limits());
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    recorder.give(&mut *actor, &told("flood")).unwrap();
    assert_eq!(recorder.sent()[0].1.get::<String>().unwrap(), "flooded");
    until("what is not shown is said", || recorder.lines().iter().any(|(_, line)| line.contains("are not shown")));
    assert!(recorder.lines().len() < 2000, "{} lines were logged", recorder.lines().len());
}

/// What the guest says of its surroundings.
fn surroundings(node: &Node) -> std::collections::BTreeMap<String, Value> {
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    recorder.give(&mut *actor, &told("look around")).unwrap();
    match recorder.sent()[0].1.get::<Value>().unwrap() {
        Value::Map(seen) => seen.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_has_nothing_but_its_folder_its_socket_and_its_scratch() {
    let node = Node::new(limits());
    let seen = surroundings(&node);
    let variables: Vec<Value> = ["HOME", "LANG", "ODEON_SOCKET", "PATH", "TMPDIR"].map(Value::from).into();
    assert_eq!(seen["variables"], Value::List(variables));
    let files: Vec<Value> = (0..4).map(Value::Integer).collect();
    assert_eq!(seen["files"], Value::List(files), "the standard ones, and the socket, which the library has moved");
    assert_eq!(seen["session"], Value::from(true));
    assert_eq!(seen["scratch"], Value::from("1"), "it may write there");
    assert_eq!(seen["own"], Value::from("PermissionError"), "and not to its own files");
    let Value::String(folder) = &seen["folder"] else { panic!("{seen:?}") };
    assert!(folder.starts_with(&node.process_folder().join("images").display().to_string()), "{folder}");
    let Value::List(title) = &seen["title"] else { panic!("{seen:?}") };
    assert!(matches!(&title[0], Value::String(title) if title.starts_with("odeon image test-guest-python@1.0.0 ")));
}

#[test]
fn a_process_opens_no_socket_reads_no_key_and_signals_nobody() {
    let node = Node::new(limits());
    let cage = node.runtime.cage();
    assert!(cage.seccomp, "this machine has no seccomp: {cage:?}");
    assert!(cage.landlock > 0, "this machine has no Landlock: {cage:?}");
    let seen = surroundings(&node);
    for attempt in ["socket", "unix", "signal"] {
        assert_eq!(seen[attempt], Value::from("PermissionError"), "{attempt}");
    }
    let key = node.data().join("identity");
    std::fs::create_dir(&key).unwrap();
    // Whoever may read it by its modes is held by the cage.
    std::fs::write(key.join("node.key"), "secret").unwrap();
    images::open_to_all(&key);
    images::open_to_all(&key.join("node.key"));
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    let outside = tempfile::tempdir().unwrap();
    images::open_to_all(outside.path());
    let there = |path: std::path::PathBuf| Value::from(path.display().to_string());
    for (action, path) in [
        ("read", key.join("node.key")),
        ("list", key.clone()),
        ("list", node.data()),
        ("write", outside.path().join("x")),
        ("read", "/proc/1/environ".into()),
        ("list", "/root".into()),
    ] {
        let message = Value::Map([(action.to_owned(), there(path.clone()))].into());
        recorder.give(&mut *actor, &AnyMessage::new(message)).unwrap();
        let said = recorder.sent().last().unwrap().1.get::<String>().unwrap().clone();
        assert_eq!(said, "PermissionError", "{action} {}", path.display());
    }
}

#[test]
fn what_a_process_leaves_behind_ends_with_it() {
    let node = Node::new(limits());
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    recorder.give(&mut *actor, &told("children")).unwrap();
    recorder.give(&mut *actor, &told("pid")).unwrap();
    let Value::List(pids) = recorder.sent()[0].1.get::<Value>().unwrap().clone() else { panic!("no list") };
    let mut pids: Vec<i64> = pids.iter().map(|pid| if let Value::Integer(pid) = pid { *pid } else { 0 }).collect();
    pids.push(*recorder.sent()[1].1.get::<i64>().unwrap());
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    let failed = recorder.give(&mut *actor, &told("kill yourself")).unwrap_err();
    assert!(failed.reason().contains("killed by signal 9"), "{failed}");
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "those that were forked, once and twice, are gone as well");
}

#[test]
fn a_fork_bomb_is_bounded_and_ends() {
    let node = Node::new(ProcessLimits { processes_max: 16, message_ms: 5_000, ..limits() });
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    recorder.give(&mut *actor, &told("fork bomb")).unwrap_err();
    assert_eq!(node.count_below(), 0, "nothing of it is left");
    recorder.give(&mut *actor, &told("count")).unwrap();
}

#[test]
fn whoever_breaks_the_protocol_is_ended_and_started_again() {
    let node = Node::new(limits());
    let recorder = Recorder::new();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    for nonsense in ["nonsense", "oversize"] {
        let failed = recorder.give(&mut *actor, &told(nonsense)).unwrap_err();
        assert!(failed.reason().contains("broke the protocol"), "{failed}");
    }
    recorder.give(&mut *actor, &told("count")).unwrap();
}

#[test]
fn a_program_that_says_no_hello_is_no_image() {
    let node = Node::new(ProcessLimits { start_ms: 1_500, ..limits() });
    let refused = |script: &str, expected: &str| match node.load(&images::script(script, "\"A\"")) {
        Err(ProcessError::Describe { reason }) => assert!(reason.contains(expected), "{reason}"),
        other => panic!("{:?}", other.map(|definitions| definitions.len())),
    };
    let says = |frame: &str| {
        format!(
            "import os, struct, time\nframe = {frame}\nos.write(0, struct.pack('>I', len(frame)) + frame)\ntime.sleep(60)\n"
        )
    };
    refused("import sys\nsys.exit(7)\n", "exited with status 7");
    refused("import time\ntime.sleep(60)\n", "said nothing for 1500 ms");
    refused(&says(r"b'\x81\xa4done\x82\xa5actor\x01\xa5error\xc0'"), "first word was not hello");
    refused(&says(r"b'\x81\xa5hello\x83\xa7version\x03\xa7workers\x01\xa7library\xa1x'"), "version 3");
    refused(&says(r"b'\x81\xa5hello\x83\xa7version\x02\xa7workers\x00\xa7library\xa1x'"), "0 workers");
    refused(&says(r"b'no frame'"), "broke the protocol");
    assert_eq!(node.count_below(), 0);
}

#[test]
fn a_process_that_has_other_actors_than_its_manifest_is_refused_and_leaves_nothing() {
    let node = Node::new(ProcessLimits { linger_ms: 100, ..limits() });
    let script = "import odeon\n@odeon.actor\nclass A(odeon.Actor):\n    pass\nodeon.run()\n";
    let agrees = node.load(&images::script(script, "\"A\"")).unwrap();
    assert_eq!(agrees.len(), 1);
    drop(agrees);
    for actors in ["\"B\"", "\"A\"\n[[actor]]\nname = \"B\"", "\"A\"\nrequire = [\"gpu\"]"] {
        let refused = node.load(&images::script(script, actors));
        let Err(ProcessError::Disagrees { found, .. }) = refused else { panic!("{actors} was taken") };
        assert_eq!(found, "A");
    }
    let left = || std::fs::read_dir(node.process_folder().join("images")).unwrap().count();
    until("the files are removed", || left() == 0);
}

#[test]
fn files_go_with_the_last_that_needs_them_or_at_once_when_the_image_is_forgotten() {
    let node = Node::new(limits());
    let recorder = Recorder::new();
    let left = || std::fs::read_dir(node.process_folder().join("images")).unwrap().count();
    let mut actor = node.build(Guest::Python, "Rogue").unwrap();
    assert_eq!(left(), 1);
    node.runtime.forget(&Guest::Python.image().hash().to_string()).unwrap();
    assert_eq!(left(), 0);
    recorder.give(&mut *actor, &told("count")).unwrap();
    let failed = recorder.give(&mut *actor, &told("exit the process")).unwrap_err();
    assert!(failed.reason().contains("exited with status 3"), "{failed}");
    let failed = recorder.give(&mut *actor, &told("count")).unwrap_err();
    assert!(failed.reason().contains("revoked"), "{failed}");
}

#[test]
fn a_process_with_no_actors_ends_after_a_while_and_all_end_with_the_node() {
    let node = Node::new(ProcessLimits { linger_ms: 100, ..limits() });
    let actor = node.build(Guest::Python, "Rogue").unwrap();
    assert!(node.count_below() > 0);
    drop(actor);
    until("it has ended", || node.count_below() == 0);
    let _actor = node.build(Guest::Python, "Rogue").unwrap();
    assert!(node.count_below() > 0, "it is started again");
    let data = node.data();
    let _folder = node.stop();
    until("it has ended with the node", || images::count_in(&data) == 0);
}
