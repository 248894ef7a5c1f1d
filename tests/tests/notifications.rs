//! Actors that watch are told who joins, changes and is lost, and which images come and go, each once.
#![allow(clippy::unwrap_used)]

use odeon_convention::limits::LEASE_MS;
use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually};
use std::time::Duration;

/// The lease, and time for the leader's next look, for the telling and for asking who was told.
const TOLD_WITHIN: Duration = Duration::from_millis(LEASE_MS + 4_000);
const BACK_WITHIN: Duration = Duration::from_secs(10);

fn with_test_actors(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

fn repository(file: &str) -> String {
    format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn texts(told: &serde_json::Value) -> Vec<String> {
    told.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// What an actor was told that begins like this.
fn told(at: &Node, watcher: &str, what: &str) -> Vec<String> {
    let mut told = texts(&at.json(&["ask", watcher, "told"]));
    told.retain(|line| line.starts_with(what));
    told
}

/// Waits until every one of them was told something that begins like this.
fn until_told(at: &Node, watchers: &[String], what: &str) {
    for watcher in watchers {
        eventually(TOLD_WITHIN, &format!("{watcher} is told {what:?}"), || {
            Ok((!told(at, watcher, what).is_empty()).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}; it was told {:#?}", told(at, watcher, "")));
    }
}

#[test]
fn native_and_wasm_actors_are_told_of_each_join_change_loss_and_image_once_also_over_a_restart_of_the_leader() {
    let mut cluster = Cluster::led_by(with_test_actors(&["--authority", "accept-all"])).unwrap();
    cluster.member("home", with_test_actors(&[])).unwrap();
    cluster.leader().json(&["image", "push", &repository("guest/guest.zip")]);
    let (linked, node) = cluster.node("home").create(&["Watcher"]);
    assert_eq!(node, "home");
    let (imaged, node) = cluster.node("home").create(&["test-guest", "Watcher", "--on", "home"]);
    assert_eq!(node, "home");
    let (at_leader, _) = cluster.leader().create(&["Watcher"]);
    cluster.leader().ask(&at_leader, "watch");
    let watchers = [linked, imaged];
    for watcher in &watchers {
        assert_eq!(texts(&cluster.node("home").json(&["ask", watcher, "watch"])), Vec::<String>::new());
    }
    for what in ["joined leader#1: ", "joined home#1: ", "available test-guest 1.0.0: "] {
        until_told(cluster.node("home"), &watchers, what);
    }

    cluster.member("far", with_test_actors(&["--capability", "nursery=true"])).unwrap();
    until_told(cluster.node("home"), &watchers, "joined far#1: nursery");
    cluster.node("far").run(&["capability", "set", "gpu=2"]).ok();
    until_told(cluster.node("home"), &watchers, "changed far#1: gpu=Some(Integer(2))");
    let pushed = cluster.leader().json(&["image", "push", &repository("../examples/hello/hello.zip")]);
    let hash = pushed["hash"].as_str().unwrap().to_owned();
    until_told(cluster.node("home"), &watchers, &format!("available hello 1.0.0: {hash}"));

    cluster.node_mut("far").kill();
    until_told(cluster.node("home"), &watchers, "lost far#1: its lease ran out");
    cluster.node_mut("far").restart().unwrap();
    until_told(cluster.node("home"), &watchers, "joined far#2: nursery");

    // Of actors at the leader itself the same is true.
    for what in ["joined home#1", "joined far#1", "changed far#1", "available hello", "lost far#1", "joined far#2"] {
        until_told(cluster.leader(), std::slice::from_ref(&at_leader), what);
    }
    let all = told(cluster.leader(), &at_leader, "");
    assert_eq!(all.len(), 8, "with joined leader#1 and available test-guest, each once: {all:#?}");
    cluster.node_mut("leader").kill();
    cluster.node_mut("leader").restart().unwrap();
    for name in ["home", "far"] {
        cluster.until_state(name, "alive", BACK_WITHIN).unwrap();
    }
    until_told(cluster.node("home"), &watchers, "joined leader#2: ");
    cluster.leader().run(&["image", "unload", &hash]).ok();
    until_told(cluster.node("home"), &watchers, &format!("unavailable hello 1.0.0: {hash}"));

    let mut expected = [
        "joined leader#1",
        "joined home#1",
        "joined far#1",
        "changed far#1",
        "lost far#1",
        "joined far#2",
        "lost leader#1",
        "joined leader#2",
        "available test-guest 1.0.0",
        "available hello 1.0.0",
        "unavailable hello 1.0.0",
    ];
    expected.sort_unstable();
    for watcher in &watchers {
        let all = told(cluster.node("home"), watcher, "");
        let mut heads: Vec<&str> = all.iter().map(|line| line.split_once(':').unwrap().0).collect();
        heads.sort_unstable();
        assert_eq!(heads, expected, "each once: {all:#?}");
    }

    // One that begins later is told what is there now, and nothing of what was.
    let later = [cluster.node("home").create(&["Watcher"]).0];
    cluster.node("home").ask(&later[0], "watch");
    for what in ["joined leader#2: ", "joined home#1: ", "joined far#2: nursery", "available test-guest 1.0.0: "] {
        until_told(cluster.node("home"), &later, what);
    }
    assert_eq!(told(cluster.node("home"), &later[0], "").len(), 4);

    // One that has ended it is told nothing more, while the others are.
    cluster.node("home").ask(&later[0], "unwatch");
    cluster.node("far").run(&["capability", "set", "gpu=3"]).ok();
    until_told(cluster.node("home"), &watchers, "changed far#2: gpu=Some(Integer(3))");
    assert_eq!(told(cluster.node("home"), &later[0], "").len(), 4);
    assert_eq!(cluster.node_mut("far").terminate().unwrap(), 0);
    until_told(cluster.node("home"), &watchers, "lost far#2: it left");
    for watcher in &watchers {
        assert_eq!(told(cluster.node("home"), watcher, "").len(), expected.len() + 2);
    }
}
