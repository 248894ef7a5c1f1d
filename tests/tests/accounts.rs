//! What the actors of images use on a node, as its operator sees it.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, eventually, hello};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn guest() -> String {
    format!("{}/../tests/guest/guest.zip", env!("CARGO_MANIFEST_DIR"))
}

fn push(cluster: &Cluster, image: &str) -> String {
    cluster.leader().json(&["image", "push", image])["hash"].as_str().unwrap().to_owned()
}

#[test]
fn status_counts_what_a_looping_a_greedy_and_a_good_actor_use_and_the_node_goes_on() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("host", Start::with(&["hosts=true"])).unwrap();
    let (rogues, good) = (push(&cluster, &guest()), push(&cluster, &hello()));
    let create = |words: &[&str]| {
        let (address, node) = cluster.leader().create(&[words, &["--require", "hosts"]].concat());
        assert_eq!(node, "host");
        address
    };
    let [loops, allocates, well] = [(); 3].map(|()| create(&["test-guest", "Rogue"]));
    for (actor, message, why) in
        [(&loops, "loop", "took longer than 1000 ms"), (&allocates, "allocate", "asked for more than 64 MiB of memory")]
    {
        let poisoned = cluster.leader().run(&["ask", actor, message]);
        assert!(poisoned.err.contains("OD-141") && poisoned.err.contains(why), "{poisoned:?}");
    }
    for count in 1..=3 {
        assert_eq!(cluster.leader().ask(&well, "count"), count.to_string());
    }
    let goodbye = create(&["hello", "Goodbye"]);
    assert_eq!(cluster.leader().ask(&goodbye, "are you there?"), "Goodbye");

    let images = cluster.node("host").json(&["status"])["images"].clone();
    let used = &images[&rogues];
    println!("{}", cluster.node("host").run(&["status"]).ok().out);
    // A message that fails is given once more, so each of the two is counted twice.
    let counts = json!({
        "image": "test-guest@1.0.0", "runtime": "wasm", "actors": 3, "messages": 7, "failures": 4, "traps": 0,
        "breaches": {"time": 2, "memory": 2, "calls": 0},
    });
    for (key, expected) in counts.as_object().unwrap() {
        assert_eq!(&used[key], expected, "{key} in {used}");
    }
    assert!(number(used, "wall_us") >= 2_000_000, "{used}");
    assert!(number(used, "memory_bytes") >= 3 * (64 << 10), "{used}");
    assert!(number(used, "memory_bytes_peak") >= 32 << 20, "{used}");
    assert!(number(used, "memory_bytes") < number(used, "memory_bytes_peak") / 4, "it was given back: {used}");

    let used = &images[&good];
    assert_eq!((&used["image"], &used["messages"], &used["failures"]), (&json!("hello@1.0.0"), &json!(1), &json!(0)));
    assert_eq!(used["breaches"], json!({"time": 0, "memory": 0, "calls": 0}), "of its own image only");
    for actor in [&loops, &allocates, &well] {
        cluster.leader().run(&["stop", actor]).ok();
    }
    eventually(SOON, "nothing is left of them", || {
        let used = &cluster.node("host").json(&["status"])["images"][&rogues];
        Ok(((number(used, "actors"), number(used, "memory_bytes")) == (0, 0)).then_some(()))
    })
    .unwrap();
    let of_leader = cluster.leader().json(&["status"])["images"].clone();
    assert!(of_leader.as_object().unwrap().values().all(|used| used["messages"] == 0), "{of_leader}");
}

fn number(used: &Value, key: &str) -> u64 {
    used[key].as_u64().unwrap_or_else(|| panic!("{key} in {used}"))
}
