//! Whoever sends too much to an actor on another node waits for it: memory stays bounded and everything arrives.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually};
use serde_json::json;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(180);
/// What a node may have more at its worst than before, in MiB. A message in a mailbox takes some 200 bytes.
const MORE_MIB_MAX: u64 = 48;
const NEVER: u64 = i64::MAX as u64;

/// A convention of a leader and nodes without anything to do.
fn cluster(names: &[&str]) -> Cluster {
    let start = || Start { program: Some(beside("test_node")), ..Start::default() };
    let mut cluster = Cluster::led_by(start()).unwrap();
    names.iter().for_each(|name| cluster.member(name, start()).unwrap());
    cluster
}

/// Makes a stage that rests for two seconds after so many numbers.
fn stage(cluster: &Cluster, on: &str, next: Option<&str>, rests_every: u64) -> String {
    let stage = cluster.leader().create(&["Stage", "--on", on]).0;
    be(cluster, &stage, next, rests_every, 2_000);
    stage
}

fn be(cluster: &Cluster, stage: &str, next: Option<&str>, rests_every: u64, rest_ms: u64) {
    let be = json!({"BeStage": {"next": next, "rests_every": rests_every, "rest_ms": rest_ms}});
    cluster.leader().ask(stage, &be.to_string());
}

fn flood(cluster: &Cluster, on: &str, to: &str, senders: u64, each: u64, hops: u32) {
    let crowd = cluster.leader().create(&["Crowd", "--on", on]).0;
    let flood = json!({"Flood": {"to": to, "senders": senders, "each": each, "hops": hops}});
    cluster.leader().ask(&crowd, &flood.to_string());
}

/// Waits until so many numbers have come. The report comes behind those that wait.
fn until_came(cluster: &Cluster, stage: &str, count: u64) -> String {
    let begins = format!("{count} came");
    eventually(WITHIN, &begins, || {
        let said = cluster.leader().run(&["ask", stage, "report", "--timeout", "60s"]).ok().out;
        Ok(said.contains(&begins).then_some(said))
    })
    .unwrap()
}

fn came_in_order(cluster: &Cluster, stage: &str, count: u64) {
    let said = until_came(cluster, stage, count);
    assert!(said.contains(" 0 out of order"), "{said}");
}

/// The most memory that a node has had so far.
fn most_mib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Runs something, and holds that these nodes take little memory for it.
fn within_memory(cluster: &Cluster, names: &[&str], run: impl FnOnce()) {
    let before: Vec<u64> = names.iter().map(|name| most_mib(cluster.node(name))).collect();
    run();
    for (name, before) in names.iter().zip(before) {
        let more = most_mib(cluster.node(name)) - before;
        println!("{name} had {more} MiB more at its worst than the {before} MiB before");
        assert!(more <= MORE_MIB_MAX, "{name} had {more} MiB more than the {before} MiB before");
    }
}

#[test]
fn a_million_messages_to_a_slow_actor_on_another_node_take_little_memory_and_all_come_in_order() {
    let cluster = cluster(&["fast", "slow"]);
    let count = 1_000_000;
    let slow = stage(&cluster, "slow", None, 250_000);
    within_memory(&cluster, &["fast", "slow"], || {
        flood(&cluster, "fast", &slow, 1, count, 0);
        came_in_order(&cluster, &slow, count);
    });
}

#[test]
fn a_thousand_senders_to_one_actor_on_another_node_take_little_memory_and_lose_nothing() {
    let cluster = cluster(&["fast", "slow"]);
    let (senders, each) = (1_000, 500);
    let slow = stage(&cluster, "slow", None, 250_000);
    within_memory(&cluster, &["fast", "slow"], || {
        flood(&cluster, "fast", &slow, senders, each, 0);
        came_in_order(&cluster, &slow, senders * each);
    });
}

#[test]
fn a_slow_actor_holds_back_those_before_those_who_send_to_it() {
    let cluster = cluster(&["first", "second", "third"]);
    let count = 300_000;
    let slow = stage(&cluster, "third", None, 100_000);
    let middle = stage(&cluster, "second", Some(&slow), NEVER);
    within_memory(&cluster, &["first", "second", "third"], || {
        flood(&cluster, "first", &middle, 1, count, 1);
        came_in_order(&cluster, &slow, count);
    });
}

#[test]
fn a_ring_of_busy_actors_on_three_nodes_waits_for_itself_and_drains() {
    let names = ["first", "second", "third"];
    let cluster = cluster(&names);
    let stages: Vec<String> = names.iter().map(|name| stage(&cluster, name, None, NEVER)).collect();
    for (stage, next) in stages.iter().zip(stages.iter().cycle().skip(1)) {
        be(&cluster, stage, Some(next), 100_000, 200);
    }
    // More than all mailboxes hold before those before are held back, and each goes round twice.
    let (each, hops) = (30_000, 5);
    within_memory(&cluster, &names, || {
        for (name, stage) in names.iter().zip(&stages) {
            flood(&cluster, name, stage, 1, each, hops);
        }
        for stage in &stages {
            until_came(&cluster, stage, each * u64::from(hops + 1));
        }
    });
}
