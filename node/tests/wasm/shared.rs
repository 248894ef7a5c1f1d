//! Actors of an image in one instance: many, small, and with one fate.

use super::engine::Rig;
use super::recorder::Recorder;
use super::{HASH, HELLO, ROGUES, find, kept_code, limits, told};
use odeon::{Actor, Definition, PoisonMessage};
use odeon_node::wasm::{WasmCode, WasmLimits, WasmRuntime, WasmUsage};
use odeon_sourceauth::Isolation;
use std::sync::Arc;

fn load(limits: WasmLimits, component: &[u8]) -> (Arc<WasmRuntime>, Vec<Definition>) {
    let runtime = WasmRuntime::new(&kept_code(), limits).unwrap();
    let code = WasmCode { hash: HASH, title: "shared", component, isolation: Isolation::Image, access: None };
    let definitions = runtime.load_code(&code).unwrap();
    (runtime, definitions)
}

pub(super) fn definitions(component: &[u8]) -> Vec<Definition> {
    load(limits(), component).1
}

fn usage(runtime: &WasmRuntime) -> WasmUsage {
    let [usage] = runtime.usage().try_into().unwrap();
    usage
}

fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() << 10
}

fn count(recorder: &Recorder, actor: &mut dyn Actor) -> i64 {
    recorder.give(actor, &told("count")).unwrap();
    *recorder.sent().last().unwrap().1.get().unwrap()
}

#[test]
fn ten_thousand_actors_live_in_one_instance_and_one_trap_rebuilds_all() {
    const ACTORS: usize = 10_000;
    let (runtime, definitions) = load(limits(), &ROGUES);
    let (rogue, recorder) = (find(&definitions, "Rogue"), Recorder::new());
    let mut first = (rogue.build)().unwrap();
    let (alone, before) = (usage(&runtime), resident_bytes());
    let mut actors: Vec<_> = (1..ACTORS).map(|_| (rogue.build)().unwrap()).collect();
    let (all, after) = (usage(&runtime), resident_bytes());
    let guest_bytes = (all.memory_bytes - alone.memory_bytes) as f64 / ACTORS as f64;
    let resident = (after - before) as f64 / ACTORS as f64;
    println!("{ACTORS} actors: {guest_bytes:.0} bytes each of their memory, {resident:.0} of the process");
    assert_eq!((alone.actors, all.actors), (1, ACTORS as u64));
    assert!(guest_bytes < 512.0, "{all:?}");

    assert_eq!([count(&recorder, &mut *first), count(&recorder, &mut *first)], [1, 2]);
    assert!(actors.iter_mut().step_by(100).all(|actor| count(&recorder, &mut **actor) == 1), "each has its own state");
    let failure = recorder.give(&mut *actors[17], &told("panic")).unwrap_err();
    assert_eq!(failure.reason(), "panicked: told to panic after 0");
    assert_eq!((usage(&runtime).memory_bytes, usage(&runtime).actors), (0, ACTORS as u64), "the instance is gone");
    assert_eq!(count(&recorder, &mut *first), 1, "it was built anew, without having failed");
    assert!(actors.iter_mut().all(|actor| count(&recorder, &mut **actor) == 1));
    let used = usage(&runtime);
    assert_eq!((used.traps, used.failures, used.messages), (1, 1, 2 + 100 + 1 + ACTORS as u64), "{used:?}");

    actors.clear();
    assert_eq!(usage(&runtime).actors, 1);
    assert_eq!(count(&recorder, &mut *first), 2, "that others leave is nothing to it");
    drop(first);
    assert_eq!((usage(&runtime).actors, usage(&runtime).memory_bytes), (0, 0), "the last one gives the memory back");
}

#[test]
fn a_place_that_was_left_is_taken_again_so_that_come_and_go_takes_no_memory() {
    let (runtime, definitions) = load(limits(), &ROGUES);
    let (rogue, recorder) = (find(&definitions, "Rogue"), Recorder::new());
    let mut stays = (rogue.build)().unwrap();
    assert_eq!(count(&recorder, &mut *stays), 1);
    let mut before = None;
    for round in 0..1000 {
        let mut comes: Vec<_> = (0..10).map(|_| (rogue.build)().unwrap()).collect();
        assert_eq!(count(&recorder, &mut *comes[round % 10]), 1, "it is none of those that were there before");
        let now = usage(&runtime).memory_bytes;
        assert_eq!(*before.get_or_insert(now), now, "round {round}");
    }
    assert_eq!(count(&recorder, &mut *stays), 2);
}

#[test]
fn an_error_that_is_no_trap_is_nothing_to_the_others() {
    let (_runtime, definitions) = load(limits(), &ROGUES);
    let (rogue, recorder) = (find(&definitions, "Rogue"), Recorder::new());
    let [mut a, mut b] = [(rogue.build)().unwrap(), (rogue.build)().unwrap()];
    assert_eq!((count(&recorder, &mut *a), count(&recorder, &mut *b)), (1, 1));
    recorder.give(&mut *a, &told("fail")).unwrap_err();
    (find(&definitions, "ConstructorFails").build)().err().unwrap();
    assert_eq!(count(&recorder, &mut *b), 2);
    assert_eq!((find(&definitions, "ConstructorPanics").build)().err().unwrap().reason().find("panicked"), Some(0));
    assert_eq!(count(&recorder, &mut *b), 1, "a constructor that traps ends them as well");
}

#[test]
fn more_actors_than_an_instance_may_have_are_refused_by_name() {
    let (runtime, definitions) = load(WasmLimits { shared_actors_max: 3, ..limits() }, &ROGUES);
    let rogue = find(&definitions, "Rogue");
    let mut actors: Vec<_> = (0..3).map(|_| (rogue.build)().unwrap()).collect();
    let refused = (rogue.build)().err().unwrap();
    assert_eq!(refused.reason(), "the instance of its image has 3 actors, as many as it may (OD-177)");
    assert_eq!(usage(&runtime).actors, 3);
    actors.pop();
    (rogue.build)().unwrap();
}

#[test]
fn the_memory_and_the_time_of_a_message_are_bounded_for_the_instance() {
    let (runtime, definitions) = load(limits(), &ROGUES);
    let (rogue, recorder) = (find(&definitions, "Rogue"), Recorder::new());
    let [mut a, mut b] = [(rogue.build)().unwrap(), (rogue.build)().unwrap()];
    for (what, why) in [("loop", "took longer than 300 ms"), ("allocate", "asked for more than 8 MiB of memory")] {
        assert_eq!(recorder.give(&mut *a, &told(what)).unwrap_err().reason(), why);
        assert_eq!(count(&recorder, &mut *b), 1);
    }
    let used = usage(&runtime);
    assert_eq!((used.time_breaches, used.memory_breaches, used.traps, used.failures), (1, 1, 0, 2), "{used:?}");
}

#[test]
fn in_the_engine_an_actor_creates_another_one_of_its_instance_and_is_answered() {
    let (_runtime, definitions) = load(limits(), &HELLO);
    let hello = find(&definitions, "Hello");
    let rig = Rig::new(definitions);
    let hello = rig.spawn(hello);
    for _ in 0..10 {
        assert_eq!(rig.ask(hello, told("are you there?")).get::<String>().unwrap(), "Hello, world!");
    }
    assert!(rig.system.shutdown(std::time::Duration::from_secs(10)));
}

#[test]
fn in_the_engine_a_message_that_traps_twice_is_poison_and_all_others_begin_anew() {
    let (runtime, definitions) = load(limits(), &ROGUES);
    let rogue = find(&definitions, "Rogue");
    let rig = Rig::new(definitions);
    let actors: Vec<_> = (0..50).map(|_| rig.spawn(rogue.clone())).collect();
    for round in 1..=2 {
        assert!(actors.iter().all(|actor| rig.ask(*actor, told("count")).get::<i64>() == Some(&round)));
    }
    let poison = rig.ask(actors[7], told("panic"));
    assert_eq!(poison.get::<PoisonMessage>().unwrap().actor, actors[7]);
    assert!(actors.iter().all(|actor| rig.ask(*actor, told("count")).get::<i64>() == Some(&1)), "all are anew");
    let used = usage(&runtime);
    assert_eq!((used.actors, used.traps, used.failures, used.messages), (50, 2, 2, 152), "{used:?}");
    assert!(rig.system.shutdown(std::time::Duration::from_secs(10)));
}
