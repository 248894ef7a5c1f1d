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
/// Bytes of the mappings that hold memories of instances.
const CHUNK_BYTES: u64 = 64 << 20;

/// Bytes in memory: of memories of instances, and of everything else; and the number of mappings.
fn resident() -> [f64; 3] {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut found = [0.0; 3];
    let mut is_of_instances = false;
    for line in smaps.lines() {
        let (first, rest) = line.split_once(' ').unwrap();
        if let Some((from, to)) = first.split_once('-') {
            let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
            is_of_instances = address(to) - address(from) >= CHUNK_BYTES && rest.trim_end().ends_with(" 0");
            found[2] += 1.0;
        } else if first == "Rss:" {
            let kib: f64 = rest.trim().trim_end_matches(" kB").parse().unwrap();
            found[usize::from(!is_of_instances)] += kib * 1024.0;
        }
    }
    found
}

#[test]
fn a_parked_actor_takes_some_kilobytes_and_no_mapping() {
    let count = std::env::var("ODEON_PARKED").map_or(2000, |text| text.parse::<usize>().unwrap());
    let component = odeon_sourceauth::Image::open(HELLO.to_vec()).unwrap().code().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = WasmRuntime::new(&folder, WasmLimits::default()).unwrap();
    let definitions = runtime.load(HASH, &component).unwrap();
    let goodbye = definitions.iter().find(|d| &*d.name == "Goodbye").unwrap();
    let (_first, recorder) = ((goodbye.build)().unwrap(), Recorder::new());

    let mut actors = Vec::with_capacity(count);
    let (before, started) = (resident(), Instant::now());
    actors.extend((0..count).map(|_| (goodbye.build)().unwrap()));
    let (took, idle) = (started.elapsed(), resident());
    for actor in &mut actors {
        recorder.give(&mut **actor, &AnyMessage::new("are you there?".to_owned())).unwrap();
    }
    let used = resident();
    let each = |now: [f64; 3]| [0, 1].map(|of| (now[of] - before[of]) / count as f64 / 1024.0);
    let ([memory, rest], [memory_after, rest_after]) = (each(idle), each(used));
    println!("{count} actors, {:?} each to build, {} mappings more", took / count as u32, used[2] - before[2]);
    println!("idle: {memory:.1} KiB of its memory, {rest:.1} KiB of the node's");
    println!("after a message: {memory_after:.1} KiB of its memory, {rest_after:.1} KiB of the node's");
    assert!(memory + rest < 60.0 && used[2] - before[2] < 100.0);
}
