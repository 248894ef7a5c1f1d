//! A thousand actors of ten images on one node, and an actor of an eleventh that does what it should not: the others
//! answer about as fast as if it was not there.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, beside, run_at};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const HELLO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hello/hello.zip");
const GUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guest/guest.zip");
const IMAGES: usize = 10;
const EACH: usize = 100;
const QUESTIONS: usize = 2_000;
const EACH_MS: usize = 2;
/// Quiet and noisy runs alternate, and the medians of so many are compared.
const ROUNDS: usize = 3;
/// How much slower the others may be, by the median and by the 99th percentile; the latter with room for a machine on
/// which other tests run.
const SLOWER_MAX: [f64; 2] = [2.0, 6.0];
/// What is below this is as good as nothing: a turn of the kernel's.
const FLOOR_US: f64 = 300.0;

/// The same actors under another name are another image.
fn image(folder: &Path, number: usize) -> String {
    let (from, zip) = (folder.join(format!("image{number}")), folder.join(format!("image{number}.zip")));
    let unpacked = Command::new("unzip").args(["-q", HELLO, "-d"]).arg(&from).status().expect("unzip");
    assert!(unpacked.success(), "this test needs unzip");
    let manifest = from.join("odeon.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("name = \"hello\"", &format!("name = \"hello-{number}\""))).unwrap();
    run_at(folder, &["image", "pack", &from.display().to_string(), "-o", &zip.display().to_string()]).ok();
    zip.display().to_string()
}

fn ask(node: &Node, address: &str, message: &Value) -> Value {
    node.run(&["ask", "--timeout", "100s", address, &message.to_string(), "--json"]).ok().json()
}

/// Microseconds of the median and of the 99th percentile.
fn probe(node: &Node, prober: &str) -> [f64; 2] {
    let took = ask(node, prober, &json!({ "Probe": { "questions": QUESTIONS, "each_ms": EACH_MS } }));
    ["median_us", "p99_us"].map(|which| took[which].as_f64().unwrap_or_else(|| panic!("{which} in {took}")))
}

fn median(mut all: Vec<[f64; 2]>) -> [f64; 2] {
    [0, 1].map(|which| {
        all.sort_by(|a, b| a[which].total_cmp(&b[which]));
        all[all.len() / 2][which]
    })
}

#[test]
fn a_noisy_neighbour_does_not_make_a_thousand_others_slow() {
    let start = Start { program: Some(beside("test_node")), ..Start::default() };
    let cluster = Cluster::led_by(start.and(&["--authority", "accept-all"])).unwrap();
    let node = cluster.leader();
    let images: Vec<String> = (0..IMAGES)
        .map(|number| {
            let pushed = node.json(&["image", "push", &image(cluster.dir(), number)]);
            pushed["hash"].as_str().unwrap().to_owned()
        })
        .collect();
    node.run(&["image", "push", GUEST]).ok();
    let (prober, _) = node.create(&["Prober"]);
    let (pest, _) = node.create(&["Pest"]);
    let (rogue, _) = node.create(&["test-guest", "Rogue"]);
    ask(node, &prober, &json!({ "Populate": { "images": images, "actor": "Goodbye", "each": EACH } }));
    probe(node, &prober);

    let mut slow = Vec::new();
    for (noise, what, every_ms, flood) in [
        ("an endless loop", "loop", 200, None),
        ("endless allocation", "allocate", 20, None),
        ("a flood of log lines", "log", 20, None),
        ("a flood of messages", "", 20, Some(1000)),
    ] {
        let (mut quiet, mut noisy) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            quiet.push(probe(node, &prober));
            let pester = json!({ "whom": rogue, "what": what, "every_ms": every_ms, "flood": flood });
            ask(node, &pest, &json!({ "Pester": pester }));
            noisy.push(probe(node, &prober));
            ask(node, &pest, &json!({ "Pester": { "whom": null, "what": "", "every_ms": 1, "flood": null } }));
        }
        let (quiet, noisy) = (median(quiet), median(noisy));
        println!("{noise}: median and 99th percentile {quiet:?} us without it, {noisy:?} us with it");
        if (0..2).any(|which| noisy[which] > SLOWER_MAX[which] * quiet[which].max(FLOOR_US)) {
            slow.push(noise);
        }
    }
    assert!(slow.is_empty(), "more than {SLOWER_MAX:?} times slower: {slow:?}");
}
