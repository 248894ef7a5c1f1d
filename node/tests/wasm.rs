//! The wasm runtime with real components: what they may do, what bounds them, and what is refused.
#![allow(clippy::unwrap_used)]

#[path = "wasm/accounts.rs"]
mod accounts;
#[path = "wasm/engine.rs"]
mod engine;
#[path = "wasm/promises.rs"]
mod promises;
#[path = "wasm/recorder.rs"]
mod recorder;
#[path = "wasm/shared.rs"]
mod shared;

use odeon::{ActorExitRequest, AnyMessage, Definition, Encoded, Level, Requirements, Topic, Value};
use odeon_node::wasm::{WasmError, WasmLimits, WasmRuntime};
use recorder::{NOTES, Recorder, View, actor_of};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The components inside the kept images.
static HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| component(include_bytes!("../../examples/hello/hello.zip")));
static ROGUES: LazyLock<Vec<u8>> = LazyLock::new(|| component(include_bytes!("../../tests/guest/guest.zip")));
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn component(image: &[u8]) -> Vec<u8> {
    odeon_sourceauth::Image::open(image.to_vec()).unwrap().code().unwrap()
}

fn limits() -> WasmLimits {
    WasmLimits { message_ms: 300, check_ms: 300, memory_bytes_max: 8 << 20, ..WasmLimits::default() }
}

/// One folder of compiled code for all tests, so that each component is compiled once.
static CODE: LazyLock<Arc<WasmRuntime>> = LazyLock::new(|| WasmRuntime::new(&kept_code(), limits()).unwrap());

fn kept_code() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

fn find(definitions: &[Definition], name: &str) -> Definition {
    definitions.iter().find(|d| &*d.name == name).unwrap().clone()
}

fn rogue(name: &str) -> Definition {
    find(&CODE.load(HASH, &ROGUES).unwrap(), name)
}

/// What the promises are held for: an instance for each actor, and one for all of them.
fn guests() -> Vec<promises::Guests> {
    let shared = shared::definitions(&ROGUES);
    vec![
        promises::Guests { name: "wasm, an instance for each actor", definition: Box::new(rogue) },
        promises::Guests { name: "wasm, one instance", definition: Box::new(move |name| find(&shared, name)) },
    ]
}

fn told(what: &str) -> AnyMessage {
    AnyMessage::new(what.to_owned())
}

fn failure_of(what: &str) -> String {
    let recorder = Recorder::new();
    let mut actor = (rogue("Rogue").build)().unwrap();
    recorder.give(&mut *actor, &told(what)).unwrap_err().reason().to_owned()
}

#[test]
fn the_hello_of_the_example_greets_by_way_of_its_world() {
    let definitions = CODE.load(&HASH.replace('0', "f"), &HELLO).unwrap();
    let names: Vec<_> = definitions.iter().map(|d| &*d.name).collect();
    assert_eq!(names, ["Hello", "World", "Goodbye"], "in the order of `export!`");
    assert!(definitions.iter().all(|d| d.image.as_deref() == Some(&*HASH.replace('0', "f"))));

    let recorder = Recorder::new();
    let mut hello = (find(&definitions, "Hello").build)().unwrap();
    recorder.give(&mut *hello, &told("are you there?")).unwrap();
    let (created, sent) = (recorder.created(), recorder.sent());
    assert_eq!((created[0].actor.as_str(), created[0].image.as_deref()), ("World", None));
    assert_eq!((sent[0].0, sent[0].1.name()), (recorder.child(0), "Say"));

    let mut world = (find(&definitions, "World").build)().unwrap();
    recorder.give(&mut *world, &sent[0].1).unwrap();
    let answer = recorder.sent().remove(1);
    assert_eq!((answer.0, answer.1.get::<String>().unwrap().as_str()), (actor_of(7), "Hello, world!"));

    let mut goodbye = (find(&definitions, "Goodbye").build)().unwrap();
    recorder.give(&mut *goodbye, &AnyMessage::new(())).unwrap();
    assert_eq!(recorder.sent()[2].1.get::<String>().unwrap(), "Goodbye");
}

#[test]
fn everything_that_a_context_offers_reaches_the_host() {
    let recorder = Recorder::new();
    recorder.set("zone", "eu");
    let mut actor = (rogue("Rogue").build)().unwrap();
    recorder.give(&mut *actor, &told("everything")).unwrap();
    let created = &recorder.created()[0];
    assert_eq!((created.image.as_deref(), created.global_name.as_deref()), (Some("ab"), Some("the-one")));
    assert_eq!(created.requirements, Requirements::none().require("gpu").equal("zone", "eu"));
    let sent = recorder.sent();
    assert_eq!((sent[0].0, *sent[0].1.get().unwrap()), (recorder.child(0), actor_of(1)));
    assert_eq!((sent[1].0, sent[1].1.get::<Value>().unwrap()), (actor_of(7), &Value::from("eu")));
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

#[test]
fn an_actor_keeps_its_state_and_another_has_its_own() {
    let recorder = Recorder::new();
    let definition = rogue("Rogue");
    let mut actors = [(definition.build)().unwrap(), (definition.build)().unwrap()];
    for which in [0, 0, 1] {
        recorder.give(&mut *actors[which], &told("count")).unwrap();
    }
    let counts: Vec<i64> = recorder.sent().iter().map(|(_, m)| *m.get().unwrap()).collect();
    assert_eq!(counts, [1, 2, 1]);
}

#[test]
fn an_untyped_value_and_a_system_message_find_their_handlers() {
    let recorder = Recorder::new();
    let mut actor = (rogue("Rogue").build)().unwrap();
    let value: Value = serde_json::from_str(r#"{"Many": {"count": 3, "bytes": 2}}"#).unwrap();
    let untyped = AnyMessage::from_encoded(AnyMessage::new(value).encode().unwrap());
    recorder.give(&mut *actor, &untyped).unwrap();
    assert_eq!(recorder.sent().len(), 3);
    recorder.give(&mut *actor, &AnyMessage::new(ActorExitRequest::default())).unwrap();
    assert_eq!(recorder.lines(), [(Level::Info, "asked to exit".to_owned())]);
}

#[test]
fn a_failure_carries_the_text_of_the_panic_or_error() {
    assert_eq!(failure_of("panic"), "panicked: told to panic after 0");
    assert_eq!(failure_of("fail"), "told to fail");
    assert_eq!(failure_of("exit the process"), "ended its process, expected `exit` of its context");
}

#[test]
fn after_a_trap_the_instance_is_broken_and_another_can_be_built() {
    let recorder = Recorder::new();
    let definition = rogue("Rogue");
    let mut actor = (definition.build)().unwrap();
    recorder.give(&mut *actor, &told("count")).unwrap();
    recorder.give(&mut *actor, &told("panic")).unwrap_err();
    let again = recorder.give(&mut *actor, &told("count")).unwrap_err();
    assert!(again.reason().contains("has to be built again"), "{again}");
    let mut rebuilt = (definition.build)().unwrap();
    recorder.give(&mut *rebuilt, &told("count")).unwrap();
    assert_eq!(recorder.sent()[1].1.get::<i64>(), Some(&1));
}

#[test]
fn an_error_that_is_no_trap_leaves_the_instance_whole() {
    let recorder = Recorder::new();
    let mut actor = (rogue("Rogue").build)().unwrap();
    recorder.give(&mut *actor, &told("fail")).unwrap_err();
    recorder.give(&mut *actor, &told("count")).unwrap();
    assert_eq!(recorder.sent()[0].1.get::<i64>(), Some(&1));
}

#[test]
fn an_actor_that_outlives_the_definitions_of_its_image_is_cut_off_all_the_same() {
    let folder = TempDir::new().unwrap();
    let runtime = WasmRuntime::new(folder.path(), limits()).unwrap();
    let mut actor = (find(&runtime.load(HASH, &ROGUES).unwrap(), "Rogue").build)().unwrap();
    let failed = Recorder::new().give(&mut *actor, &told("loop")).unwrap_err();
    assert_eq!(failed.reason(), "took longer than 300 ms");
}

#[test]
fn a_message_that_takes_too_long_is_cut_off_at_the_limit() {
    let started = Instant::now();
    assert_eq!(failure_of("loop"), "took longer than 300 ms");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn memory_and_stack_are_bounded() {
    assert_eq!(failure_of("allocate"), "asked for more than 8 MiB of memory");
    let reason = failure_of("recurse");
    assert!(reason.starts_with("used up its stack"), "{reason}");
}

#[test]
fn what_is_sent_for_one_message_is_bounded_in_size_count_and_total() {
    let recorder = Recorder::new();
    let many = |count: i64, bytes: i64| {
        let value = Value::Map([("count".into(), count.into()), ("bytes".into(), bytes.into())].into());
        AnyMessage::from_encoded(Encoded { name: "Many".into(), bytes: AnyMessage::new(value).encode().unwrap().bytes })
    };
    let tight = WasmLimits {
        message_bytes_max: 64 << 10,
        outgoing_bytes_max: 1 << 20,
        host_calls_max: 100,
        message_ms: 5_000,
        ..limits()
    };
    let runtime = WasmRuntime::new(&kept_code(), tight).unwrap();
    let definition = find(&runtime.load(HASH, &ROGUES).unwrap(), "Rogue");
    let refused = |message: &AnyMessage| {
        let mut actor = (definition.build)().unwrap();
        recorder.give(&mut *actor, message).unwrap_err().reason().to_owned()
    };
    let long = refused(&many(1, 65 << 10));
    assert!(long.starts_with("sent a message of 66") && long.ends_with("more than 64 KiB"), "{long}");
    assert_eq!(refused(&many(101, 1)), "called the node more than 100 times for one message");
    assert_eq!(refused(&many(99, 60 << 10)), "handed the node more than 1 MiB for one message");
    let before = recorder.sent().len();
    let mut actor = (definition.build)().unwrap();
    for _ in 0..3 {
        recorder.give(&mut *actor, &many(100, 1000)).unwrap();
    }
    assert_eq!(recorder.sent().len() - before, 300, "each message has accounts of its own");
}

#[test]
fn an_instance_sees_time_and_chance_and_nothing_else_of_the_machine() {
    let recorder = Recorder::new();
    let mut actor = (rogue("Rogue").build)().unwrap();
    recorder.give(&mut *actor, &told("look around")).unwrap();
    let seen = recorder.sent()[0].1.get::<String>().unwrap().clone();
    assert_eq!(seen, "vars 0 args 0 files false time true true map 1");
    let slept = failure_of("sleep");
    assert!(slept.contains("monotonic-clock") || slept.contains("poll"), "{slept}");
}

#[test]
fn what_is_printed_becomes_log_lines() {
    let recorder = Recorder::new();
    let mut actor = (rogue("Rogue").build)().unwrap();
    recorder.give(&mut *actor, &told("print")).unwrap();
    let mut lines = recorder.lines();
    lines.sort();
    let expected = [(Level::Info, "to output"), (Level::Warn, "to error"), (Level::Error, "to the log")];
    assert_eq!(lines, expected.map(|(level, line)| (level, line.to_owned())));
}

#[test]
fn a_constructor_that_panics_fails_or_loops_is_a_failure_with_its_reason() {
    let reason = |name| (rogue(name).build)().err().unwrap().reason().to_owned();
    assert_eq!(reason("ConstructorPanics"), "panicked: no ground to build on");
    assert_eq!(reason("ConstructorFails"), "not today");
    assert_eq!(reason("ConstructorLoops"), "took longer than 300 ms");
}

#[test]
fn a_check_reads_through_the_view_only_what_it_asks_for() {
    let definition = rogue("CheckReads");
    assert_eq!(&*definition.required, ["Has DB access"]);
    let eu = View::new(&[("zone", Value::from("eu")), ("gpu", Value::from(true))]);
    assert_eq!((definition.check)(&eu, &Requirements::none()), Ok(true));
    assert_eq!(eu.read(), ["zone"]);
    assert_eq!((definition.check)(&eu, &Requirements::none().require("x")), Ok(true));
    assert_eq!(eu.read(), ["zone", "zone", "gpu"]);
    let us = View::new(&[("zone", Value::from("us"))]);
    assert_eq!((definition.check)(&us, &Requirements::none()), Ok(false));
    assert_eq!((rogue("Rogue").check)(&us, &Requirements::none()), Ok(true), "no check of its own accepts");
}

#[test]
fn a_check_that_panics_loops_or_takes_all_memory_is_a_failure_with_its_reason() {
    let reason = |name| (rogue(name).check)(&View::new(&[]), &Requirements::none()).unwrap_err().reason().to_owned();
    assert_eq!(reason("CheckPanics"), "panicked: every node is in a zone");
    assert_eq!(reason("CheckLoops"), "took longer than 300 ms");
    assert_eq!(reason("CheckAllocates"), "asked for more than 8 MiB of memory");
}

#[test]
fn a_panic_of_the_view_is_the_callers_and_harms_no_later_check() {
    let definition = rogue("CheckReads");
    let broken = View::broken();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = (definition.check)(&broken, &Requirements::none());
    }));
    assert!(caught.is_err());
    let eu = View::new(&[("zone", Value::from("eu"))]);
    assert_eq!((definition.check)(&eu, &Requirements::none()), Ok(true));
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn compiled_code_is_taken_from_the_cache_in_a_folder_of_ours_alone() {
    let folder = TempDir::new().unwrap();
    let code = folder.path().join("compiled");
    let start = || WasmRuntime::new(&code, limits()).unwrap();
    let fresh = |component: &[u8]| start().load(HASH, component);
    let mut took = Vec::new();
    for compilations in [1, 0, 0] {
        let (runtime, started) = (start(), Instant::now());
        runtime.load(HASH, &HELLO).unwrap();
        took.push(started.elapsed());
        assert_eq!(runtime.compilations(), compilations, "a start after the first finds what was compiled");
        runtime.load(HASH, &HELLO).unwrap();
        assert_eq!(runtime.compilations(), compilations);
    }
    println!("{took:?} from the code, and from what was compiled");
    assert_eq!(fs::metadata(&code).unwrap().permissions().mode() & 0o777, 0o700);
    let file = only_file(&code);
    let (first, length) = (fs::metadata(&file).unwrap().modified().unwrap(), fs::metadata(&file).unwrap().len());
    assert!(length > 100_000);
    assert_eq!(fresh(&HELLO).unwrap().len(), 3);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), first, "it was compiled again");
    // The same name with other code never yields the first code's actors.
    assert_eq!(fresh(&ROGUES).unwrap().len(), 16);
    assert_eq!(fresh(&HELLO).unwrap().len(), 3);
    let runtime = WasmRuntime::new(&code, limits()).unwrap();
    runtime.forget(HASH).unwrap();
    assert_eq!(fs::read_dir(&code).unwrap().count(), 0);
}

#[test]
fn actors_lie_side_by_side_in_few_mappings() {
    let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let (rogue, recorder, before) = (rogue("Rogue"), Recorder::new(), mappings());
    let mut actors: Vec<_> = (0..2000).map(|_| (rogue.build)().unwrap()).collect();
    actors.iter_mut().for_each(|actor| recorder.give(&mut **actor, &told("count")).unwrap());
    let more = mappings().saturating_sub(before);
    println!("{more} mappings for 2,000 actors that have had a message");
    assert!(more < 200, "found {more} more mappings");
}

#[test]
fn a_flipped_byte_anywhere_in_compiled_code_is_noticed_and_the_file_replaced() {
    let folder = TempDir::new().unwrap();
    let runtime = WasmRuntime::new(folder.path(), limits()).unwrap();
    runtime.load(HASH, &HELLO).unwrap();
    let file = only_file(folder.path());
    let whole = fs::read(&file).unwrap();
    for at in [0, 40, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        assert_eq!(runtime.load(HASH, &HELLO).unwrap().len(), 3);
        assert_ne!(fs::read(&file).unwrap(), bytes, "the damaged file at {at} is still there");
    }
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(runtime.load(HASH, &HELLO).unwrap().len(), 3);
    assert!(fs::read(&file).unwrap().len() > 100_000, "the file that was cut short is still there");
}

#[test]
fn foreign_bytes_and_bad_hashes_are_refused() {
    let folder = TempDir::new().unwrap();
    let runtime = WasmRuntime::new(folder.path(), limits()).unwrap();
    let module = [b"\0asm".as_slice(), &[1, 0, 0, 0]].concat();
    let compiled = {
        CODE.load(&HASH.replace('0', "e"), &HELLO).unwrap();
        let mut files = fs::read_dir(kept_code()).unwrap().map(|f| f.unwrap().path());
        let file = files.find(|f| f.file_name().unwrap().to_str().unwrap().starts_with("ee")).unwrap();
        fs::read(file).unwrap()[64..].to_vec()
    };
    for bytes in [b"".as_slice(), b"PK\x03\x04", b"#!/bin/sh", &module, &HELLO[..1000], &compiled] {
        let error = runtime.load(HASH, bytes).err().unwrap();
        assert!(matches!(error, WasmError::Malformed { .. }), "{error}");
    }
    for hash in ["", "../../etc/passwd", &HASH[1..], &HASH.to_uppercase()] {
        assert!(matches!(runtime.load(hash, &HELLO), Err(WasmError::Hash { .. })), "{hash:?} was accepted");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a refusal leaves nothing behind");
    let small = WasmRuntime::new(folder.path(), WasmLimits { component_bytes_max: 1000, ..limits() }).unwrap();
    assert!(matches!(small.load(HASH, &HELLO), Err(WasmError::TooLarge { max: 1000, .. })));
}

/// The rogues' component, which imports most of what there is, with a name in it replaced by one of the same length.
fn renamed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = ROGUES.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|w| w == from.as_bytes()) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    assert_ne!(bytes, *ROGUES);
    bytes
}

#[test]
fn an_import_that_no_node_offers_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let runtime = WasmRuntime::new(folder.path(), limits()).unwrap();
    for (component, name) in [
        (renamed("wasi:cli/environment@0.2", "wasi:cli/envelopment@0.2"), "wasi:cli/envelopment@0.2"),
        (renamed("wasi:cli/stdin@0.2", "wasi:cli/stdin@0.3"), "wasi:cli/stdin@0.3"),
        (renamed("update-capability", "upset-capabilities"[..17].as_ref()), "odeon:actor/host@0.1.0#upset-capabilitie"),
    ] {
        let error = runtime.load(HASH, &component).err().unwrap();
        assert!(matches!(&error, WasmError::Import { name: found } if found.starts_with(name)), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a refusal leaves nothing behind");
    }
}
