//! A troupe of an image on real nodes: its work is done by its workers, and done again where one of them dies.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, eventually};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Two nodes, and a foreman of the image on the one that everybody asks from the other.
fn cluster() -> (Cluster, String) {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("far", Start::default()).unwrap();
    cluster.leader().json(&["image", "push", concat!(env!("CARGO_MANIFEST_DIR"), "/guest/guest.zip")]);
    let (foreman, node) = cluster.leader().create(&["test-guest", "Foreman", "--on", "far"]);
    assert_eq!(node, "far");
    (cluster, foreman)
}

fn ask(at: &Node, foreman: &str, what: &str) -> String {
    // A worker that has forgotten its work is found out after some seconds.
    at.run(&["ask", foreman, what, "--timeout", "60s"]).ok().out.trim_end().to_owned()
}

/// The actors of one type, with their nodes.
fn of_type(at: &Node, actor: &str) -> Vec<(String, String)> {
    let listed = at.json(&["actors"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found = listed.as_array().unwrap().iter().filter(|listed| listed["actor"] == actor);
    found.map(|listed| (text(&listed["address"]), text(&listed["node"]))).collect()
}

/// What it came to, after how many attempts, and which worker did it.
fn parts(answer: &str) -> (&str, &str, &str) {
    let (square, rest) = answer.split_once(" after ").unwrap_or_else(|| panic!("{answer}"));
    let (attempts, worker) = rest.split_once(" by ").unwrap_or_else(|| panic!("{answer}"));
    (square, attempts, worker)
}

#[test]
fn a_troupe_of_an_image_has_as_many_workers_as_its_work_needs_and_what_finds_none_waits() {
    let (cluster, foreman) = cluster();
    let leader = cluster.leader();
    assert_eq!(parts(&ask(leader, &foreman, "12")).0, "144");
    assert_eq!(of_type(leader, "Squarer.troupe").len(), 1);
    assert_eq!(of_type(leader, "Squarer.worker").len(), 1);
    ask(leader, &foreman, "hold");
    let answers: Vec<_> = std::thread::scope(|scope| {
        let foreman = &foreman;
        let asked: Vec<_> = (2..7).map(|n| scope.spawn(move || ask(leader, foreman, &format!("{n} work")))).collect();
        // Three are the most: two numbers wait.
        eventually(SOON, "three of five are worked on", || {
            let status = leader.json(&["ask", foreman, "status"]);
            Ok((status == json!([3, 3, 2, 1, 0])).then_some(()))
        })
        .unwrap();
        assert_eq!(ask(leader, foreman, "go"), "3");
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let workers = of_type(leader, "Squarer.worker");
    assert_eq!(workers.len(), 3);
    let addresses: BTreeSet<_> = workers.iter().map(|(address, _)| address.as_str()).collect();
    let mut by = BTreeSet::new();
    for (n, answer) in (2..).zip(&answers) {
        let (square, attempts, worker) = parts(answer);
        assert_eq!((square, attempts), ((n * n).to_string().as_str(), "1"));
        by.insert(worker);
    }
    assert_eq!(by, addresses, "each of the three has worked");
    let all_done = || Ok((leader.json(&["ask", &foreman, "status"]) == json!([3, 0, 0, 6, 0])).then_some(()));
    eventually(SOON, "the troupe knows that all is done", all_done).unwrap();
}

#[test]
fn the_work_of_a_worker_that_dies_is_done_by_another_one_and_comes_back_when_three_have_died() {
    let (cluster, foreman) = cluster();
    let leader = cluster.leader();
    // By its own exit, twice; and by a panic, after which it is built anew and has forgotten its work.
    for (what, attempts) in [("3 exit", "2"), ("4 exit exit", "3"), ("5 panic", "2"), ("6 exit panic", "3")] {
        let answer = ask(leader, &foreman, what);
        let number: i64 = what[..1].parse().unwrap();
        assert_eq!(parts(&answer).0, (number * number).to_string(), "{what}: {answer}");
        assert_eq!(parts(&answer).1, attempts, "{what}: {answer}");
    }
    let back = ask(leader, &foreman, "7 exit exit exit");
    assert!(back.starts_with("back after 3: 3 workers of this troupe were lost with it"), "{back}");

    // By the operator's word, while it works.
    ask(leader, &foreman, "hold");
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(leader, &foreman, "8 work"));
        let held = |count: &str| Ok((ask(leader, &foreman, "held") == count).then_some(()));
        eventually(SOON, "a worker has asked", || held("1")).unwrap();
        for (worker, _) in of_type(leader, "Squarer.worker") {
            leader.run(&["stop", &worker]).ok();
        }
        // Another one asks what it is to do, beside the one that is gone.
        eventually(SOON, "another worker has asked", || held("2")).unwrap();
        assert_eq!(ask(leader, &foreman, "go"), "2");
        asked.join().unwrap()
    });
    assert_eq!((parts(&answer).0, parts(&answer).1), ("64", "2"), "{answer}");
    assert_eq!(of_type(leader, "Squarer.troupe").len(), 1, "the troupe is still the first one");
}
