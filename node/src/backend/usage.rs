//! What the actors of each image use on this node, as `odeon status` shows it.

use crate::process::ProcessUsage;
use crate::runtimes::Usage;
use crate::wasm::WasmUsage;
use odeon::Value;
use std::collections::BTreeMap;

/// Images that are listed: those with the most messages.
const IMAGES_MAX: usize = 1000;

/// A map from the source hash of an image to what its actors use.
pub(super) fn usage_status(usage: Usage) -> Value {
    let wasm = usage.wasm.iter().map(|of| (of.messages, of.hash.to_string(), of_wasm(of)));
    let process = usage.process.iter().map(|of| (of.messages, of.hash.to_string(), of_process(of)));
    let mut images: Vec<_> = wasm.chain(process).collect();
    images.sort_by_key(|(messages, ..)| std::cmp::Reverse(*messages));
    Value::Map(images.into_iter().take(IMAGES_MAX).map(|(_, hash, of)| (hash, of)).collect())
}

fn of_wasm(usage: &WasmUsage) -> Value {
    let breaches = [
        ("time", count(usage.time_breaches)),
        ("memory", count(usage.memory_breaches)),
        ("calls", count(usage.call_breaches)),
    ];
    map([
        ("image", Value::from(usage.title.to_string())),
        ("runtime", Value::from("wasm")),
        ("actors", count(usage.actors)),
        ("messages", count(usage.messages)),
        ("wall_us", count(u64::try_from(usage.wall.as_micros()).unwrap_or(u64::MAX))),
        ("memory_bytes", count(usage.memory_bytes)),
        ("memory_bytes_peak", count(usage.memory_bytes_peak)),
        ("failures", count(usage.failures)),
        ("breaches", map(breaches)),
        ("traps", count(usage.traps)),
    ])
}

fn of_process(usage: &ProcessUsage) -> Value {
    map([
        ("image", Value::from(usage.title.clone())),
        ("runtime", Value::from("process")),
        ("actors", count(usage.actors)),
        ("messages", count(usage.messages)),
        ("memory_bytes", usage.memory_bytes.map_or(Value::Null, count)),
        ("failures", count(usage.failures)),
        ("restarts", count(usage.restarts)),
    ])
}

fn count(n: u64) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>())
}
