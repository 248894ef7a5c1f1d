//! Actors of images at their limits: a hundred thousand that wait, and some that trap.

use super::{HASH, IMAGE, Rig, definition};
use crate::memory::resident_bytes;
use crate::options::Options;
use anyhow::{Context, Result, ensure};
use odeon::PoisonMessage;
use odeon_node::wasm::{WasmLimits, WasmRuntime};
use odeon_sourceauth::Isolation;
use std::path::Path;
use std::time::Instant;

/// Parked actors: more than a process may have mappings.
pub const PARKED: u64 = 100_000;
const ROGUES: &[u8] = include_bytes!("../../../tests/guest/guest.zip");
const TRAPS: u64 = 2_000;

/// Bytes of each of many parked actors, before and after its first message, and how many mappings that took.
pub fn parked(options: &Options, folder: &Path) -> Result<Vec<f64>> {
    let goodbye = definition(IMAGE, "Goodbye", Isolation::Actor, folder)?;
    let (rig, count) = (Rig::start()?, options.size(PARKED));
    let mappings = mappings()?;
    let [_, idle_bytes, used_bytes] = rig.fill(&goodbye, count)?;
    Ok(vec![idle_bytes, used_bytes, self::mappings()? - mappings])
}

/// Nanoseconds from a message that traps to the actor that is built anew. Each message is tried twice.
pub fn rebuild(options: &Options, folder: &Path) -> Result<Vec<f64>> {
    let rogue = definition(ROGUES, "Rogue", Isolation::Actor, folder)?;
    let (rig, traps) = (Rig::start()?, options.size(TRAPS));
    let rogue = rig.spawn(rogue)?;
    let mut took = 0.0;
    for traps in [traps / 20 + 1, traps] {
        let start = Instant::now();
        for _ in 0..traps {
            rig.tell(rogue, "panic".to_owned());
            let poison: PoisonMessage = rig.answer()?;
            ensure!(poison.details.contains("told to panic"), "it failed otherwise: {}", poison.details);
        }
        took = start.elapsed().as_nanos() as f64 / (2 * traps) as f64;
    }
    Ok(vec![took])
}

/// Compiles the image's code and gives nanoseconds of that, of loading what was compiled, and the bytes of the code.
pub fn load(folder: &Path) -> Result<Vec<f64>> {
    let code = odeon_sourceauth::Image::open(IMAGE.to_vec()).context("open the kept image")?.code()?;
    let mut took = Vec::new();
    for _ in 0..2 {
        let runtime = WasmRuntime::new(folder, WasmLimits::default())?;
        let start = Instant::now();
        runtime.load(HASH, &code)?;
        took.push(start.elapsed().as_nanos() as f64);
        ensure!(runtime.compilations() == u64::from(took.len() == 1), "it compiled {}", runtime.compilations());
    }
    took.push(code.len() as f64);
    Ok(took)
}

fn mappings() -> Result<f64> {
    let maps = std::fs::read_to_string("/proc/self/maps").context("read /proc/self/maps")?;
    Ok(maps.lines().count() as f64)
}
