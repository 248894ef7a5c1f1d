//! What the actors of an image use is counted, exactly.

use super::recorder::Recorder;
use super::{HASH, ROGUES, find, kept_code, limits, told};
use odeon::{Actor, AnyMessage, Encoded, Value};
use odeon_node::wasm::{WasmCode, WasmLimits, WasmRuntime, WasmUsage};
use odeon_sourceauth::Isolation;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn runtime() -> Arc<WasmRuntime> {
    WasmRuntime::new(&kept_code(), WasmLimits { host_calls_max: 100, ..limits() }).unwrap()
}

fn usage(runtime: &WasmRuntime) -> WasmUsage {
    let [usage] = runtime.usage().try_into().unwrap();
    usage
}

fn many(count: i64) -> AnyMessage {
    let value = Value::Map([("count".into(), count.into()), ("bytes".into(), 1.into())].into());
    AnyMessage::from_encoded(Encoded { name: "Many".into(), bytes: AnyMessage::new(value).encode().unwrap().bytes })
}

#[test]
fn each_breach_trap_and_message_is_counted_once_and_nothing_else_is() {
    let (runtime, recorder) = (runtime(), Recorder::new());
    let code = WasmCode {
        hash: HASH,
        title: "test-guest@1.0.0",
        component: &ROGUES,
        isolation: Isolation::Actor,
        access: None,
    };
    let definition = find(&runtime.load_code(&code).unwrap(), "Rogue");
    let idle = usage(&runtime);
    assert_eq!((&*idle.hash, &*idle.title, idle.actors, idle.messages), (HASH, "test-guest@1.0.0", 0, 0));
    assert_eq!(idle.memory_bytes, 0, "what described the image is gone");

    let build = || (definition.build)().unwrap();
    let mut actors: Vec<Box<dyn Actor>> = (0..6).map(|_| build()).collect();
    let built = usage(&runtime);
    assert_eq!(built.actors, 6);
    assert!(built.memory_bytes >= 6 * (64 << 10) && built.memory_bytes.is_multiple_of(64 << 10), "{built:?}");

    let started = Instant::now();
    recorder.give(&mut *actors[0], &told("loop")).unwrap_err();
    recorder.give(&mut *actors[1], &told("allocate")).unwrap_err();
    recorder.give(&mut *actors[2], &many(101)).unwrap_err();
    recorder.give(&mut *actors[3], &told("panic")).unwrap_err();
    recorder.give(&mut *actors[4], &told("fail")).unwrap_err();
    for _ in 0..3 {
        recorder.give(&mut *actors[5], &told("count")).unwrap();
    }
    // It is refused before it gets to the code.
    recorder.give(&mut *actors[0], &told("count")).unwrap_err();

    let used = usage(&runtime);
    assert_eq!((used.actors, used.messages, used.failures), (6, 8, 5), "{used:?}");
    let breaches = (used.time_breaches, used.memory_breaches, used.call_breaches, used.traps);
    assert_eq!(breaches, (1, 1, 1, 1), "{used:?}");
    assert!(used.wall >= Duration::from_millis(300) && used.wall <= started.elapsed() + built.wall, "{used:?}");
    assert!(used.memory_bytes_peak > 4 << 20 && used.memory_bytes_peak <= 6 * (8 << 20), "{used:?}");

    actors.clear();
    let after = usage(&runtime);
    assert_eq!((after.actors, after.memory_bytes, after.messages), (0, 0, 8), "{after:?}");
    assert_eq!(after.memory_bytes_peak, used.memory_bytes_peak);
    println!("{used:#?}");
}

#[test]
fn a_constructor_and_a_check_that_break_a_limit_are_breaches_and_no_messages() {
    let runtime = runtime();
    let definitions = runtime.load(HASH, &ROGUES).unwrap();
    (find(&definitions, "ConstructorLoops").build)().err().unwrap();
    (find(&definitions, "ConstructorFails").build)().err().unwrap();
    let view = super::View::new(&[]);
    (find(&definitions, "CheckAllocates").check)(&view, &Default::default()).unwrap_err();
    let used = usage(&runtime);
    assert_eq!((used.actors, used.messages, used.failures), (0, 0, 3), "{used:?}");
    assert_eq!((used.time_breaches, used.memory_breaches, used.call_breaches, used.traps), (1, 1, 0, 0), "{used:?}");
}
