//! What actors of an image take that wait for messages, each in an instance of its own.
//!
//! `ODEON_PARKED=100000` parks that many, more than a process may have mappings. Alone in its program, since it counts
//! the memory of the whole process.
#![allow(clippy::unwrap_used)]
// It is used in part only.
#[allow(dead_code)]
#[path = "wasm/recorder.rs"]
mod recorder;

use odeon::AnyMessage;
use odeon_node::wasm::{WasmLimits, WasmRuntime};
use recorder::Recorder;
use std::fs;
use std::path::Path;
use std::time::Instant;

const HELLO: &[u8] = include_bytes!("../../examples/hello/hello.zip");
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Bytes of this process that are in memory, and the number of its mappings.
fn resident() -> (f64, f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    (kib * 1024.0, fs::read_to_string("/proc/self/maps").unwrap().lines().count() as f64)
}

#[test]
fn a_parked_actor_takes_some_kilobytes_and_no_mapping() {
    let count = std::env::var("ODEON_PARKED").map_or(2000, |text| text.parse::<usize>().unwrap());
    let component = odeon_sourceauth::Image::open(HELLO.to_vec()).unwrap().code().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    // So that nothing is compiled by the one that is measured.
    WasmRuntime::new(&folder, WasmLimits::default()).unwrap().load(HASH, &component).unwrap();
    let runtime = WasmRuntime::new(&folder, WasmLimits::default()).unwrap();
    let definitions = runtime.load(HASH, &component).unwrap();
    assert_eq!(runtime.compilations(), 0);
    let goodbye = definitions.iter().find(|d| &*d.name == "Goodbye").unwrap();
    let (recorder, mut actors) = (Recorder::new(), Vec::with_capacity(count));
    drop((0..100).map(|_| (goodbye.build)().unwrap()).collect::<Vec<_>>());
    let (before, started) = (resident(), Instant::now());
    actors.extend((0..count).map(|_| (goodbye.build)().unwrap()));
    let (took, idle) = (started.elapsed(), resident());
    for actor in &mut actors {
        recorder.give(&mut **actor, &AnyMessage::new("are you there?".to_owned())).unwrap();
    }
    let used = resident();
    let each = |now: (f64, f64)| (now.0 - before.0) / count as f64 / 1024.0;
    let more = used.1 - before.1;
    println!("{count} actors, {:?} each to build, {more} mappings more", took / count as u32);
    println!("KiB of one: {:.1} idle, {:.1} after a message", each(idle), each(used));
    // They are 46 and 47. A large page each, or memories that are not given back, are many more.
    assert!(each(used) < 64.0 && more < 100.0, "{:.1} KiB, {more} mappings", each(used));
}
