//! Processes that are killed, and what the others are told and keep.
#![allow(clippy::unwrap_used)]

use odeon_convention::limits::LEASE_MS;
use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually};
use std::time::{Duration, Instant};

/// The lease, and two seconds for the leader's next look at the time, for the telling and for asking who was told.
const TOLD_WITHIN: Duration = Duration::from_millis(LEASE_MS + 2_000);
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Traffic that stopped while the leader was away would pause for as long as that takes.
const PAUSE_MAX_MS: i64 = 1_000;

fn with_test_actors(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

fn fleet() -> Cluster {
    let mut cluster = Cluster::led_by(with_test_actors(&["--authority", "accept-all"])).unwrap();
    cluster.member("home", with_test_actors(&[])).unwrap();
    cluster.member("far", with_test_actors(&["--capability", "nursery=true"])).unwrap();
    cluster
}

fn adopt(at: &Node, keeper: &str) -> String {
    let child = at.ask(keeper, r#"{"Adopt": {"actor": "Sleeper", "require": "nursery", "global_name": null}}"#);
    child.trim_matches('"').to_owned()
}

fn exits(at: &Node, keeper: &str) -> Vec<String> {
    let told = at.json(&["ask", keeper, "exits"]);
    told.as_array().unwrap().iter().map(|e| e.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_parent_is_told_exactly_once_when_the_node_of_its_child_is_killed_and_the_node_comes_back_as_a_new_one() {
    let mut cluster = fleet();
    let (keeper, node) = cluster.node("home").create(&["Keeper"]);
    assert_eq!(node, "home");
    let child = adopt(cluster.node("home"), &keeper);
    assert_eq!(cluster.node("home").ask(&child, "there?"), "alive");
    let before = cluster.until_state("far", "alive", TOLD_WITHIN).unwrap();
    cluster.node_mut("far").kill();
    let killed = Instant::now();
    let told = eventually(TOLD_WITHIN, "the parent is told", || {
        let told = exits(cluster.node("home"), &keeper);
        Ok((!told.is_empty()).then_some(told))
    })
    .unwrap();
    println!("told {:?} after the kill", killed.elapsed());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&child), "{told:?}");
    cluster.until_state("far", "dead", TOLD_WITHIN).unwrap();
    let gone = cluster.node("home").run(&["ask", &child, "there?"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.err.contains("OD-140"), "{gone:?}");

    cluster.node_mut("far").restart().unwrap();
    let after = cluster.until_state("far", "alive", BACK_WITHIN).unwrap();
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["incarnation"].as_u64().unwrap(), before["incarnation"].as_u64().unwrap() + 1);
    let second = adopt(cluster.node("home"), &keeper);
    assert_ne!(second, child);
    assert_eq!(exits(cluster.node("home"), &keeper).len(), 1, "told once, also after the node is back");
}

#[test]
fn a_node_that_was_held_up_and_declared_gone_starts_again_in_its_process_and_its_actors_are_gone() {
    let cluster = fleet();
    let (keeper, _) = cluster.node("home").create(&["Keeper"]);
    let child = adopt(cluster.node("home"), &keeper);
    let pid = cluster.node("far").pid();
    cluster.node("far").signal("-STOP");
    let dead = cluster.until_state("far", "dead", TOLD_WITHIN);
    cluster.node("far").signal("-CONT");
    dead.unwrap();
    let back = cluster.until_state("far", "alive", BACK_WITHIN).unwrap();
    assert_eq!((back["incarnation"].as_u64(), cluster.node("far").pid()), (Some(2), pid));
    let told = exits(cluster.node("home"), &keeper);
    assert!(told.len() == 1 && told[0].starts_with(&child), "{told:?}");
    let gone = cluster.node("far").run(&["ask", &child, "there?"]);
    assert!(gone.code == 1 && gone.err.contains("OD-140"), "{gone:?}");
    let again = adopt(cluster.node("home"), &keeper);
    assert_eq!(cluster.node("far").ask(&again, "there?"), "alive");
}

#[test]
fn a_creation_whose_only_candidate_is_dead_fails_as_soon_as_that_is_known() {
    let mut cluster = fleet();
    cluster.node_mut("far").kill();
    let asked = Instant::now();
    let refused = cluster.node("home").run(&["create", "odeon.TestActor", "--require", "nursery"]);
    assert!(refused.code == 4 && refused.err.contains("error[OD-130]"), "{refused:?}");
    assert!(asked.elapsed() < TOLD_WITHIN, "it took {:?}", asked.elapsed());
    let again = Instant::now();
    assert_eq!(cluster.node("home").run(&["create", "odeon.TestActor", "--require", "nursery"]).code, 4);
    assert!(again.elapsed() < Duration::from_secs(1), "it took {:?}", again.elapsed());
}

#[test]
fn a_convention_runs_over_ipv6() {
    let v6 = |arguments: &[&str]| Start { listen: Some("[::1]:0".to_owned()), ..with_test_actors(arguments) };
    let mut cluster = Cluster::led_by(v6(&["--authority", "accept-all"])).unwrap();
    cluster.member("far", v6(&["--capability", "nursery=true"])).unwrap();
    assert!(cluster.node("far").listen.starts_with("[::1]:"), "{}", cluster.node("far").listen);
    let (address, node) = cluster.leader().create(&["odeon.TestActor", "--require", "nursery"]);
    assert_eq!(node, "far");
    assert!(cluster.leader().ask(&address, "there?").ends_with("got: there?"));
    let token = cluster.leader().run(&["token", "create", "--role", "operator"]).ok().out;
    let listen = cluster.leader().listen.clone();
    let nodes = cluster.leader().run(&["--connect", &listen, "--token", token.trim(), "nodes"]).ok();
    assert!(nodes.out.contains("far"), "{nodes:?}");
}

#[test]
fn a_child_that_is_stopped_on_another_node_is_told_once_too() {
    let cluster = fleet();
    let (keeper, _) = cluster.node("home").create(&["Keeper"]);
    let child = adopt(cluster.node("home"), &keeper);
    cluster.node("far").run(&["stop", &child]).ok();
    let told = eventually(TOLD_WITHIN, "the parent is told", || {
        let told = exits(cluster.node("home"), &keeper);
        Ok((!told.is_empty()).then_some(told))
    })
    .unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_leader_that_is_killed_comes_back_with_everything_and_its_members_never_stopped_talking() {
    let mut cluster = fleet();
    let image = image();
    let pushed = cluster.leader().json(&["image", "push", &image]);
    let (named, _) = cluster.leader().create(&["Sink", "--global-name", "books", "--on", "far"]);
    let (sink, _) = cluster.node("home").create(&["Sink", "--on", "far"]);
    let (ticker, _) = cluster.node("home").create(&["Ticker", "--on", "home"]);
    cluster.node("home").ask(&ticker, &format!(r#"{{"Tick": {{"to": "{sink}", "every_ms": 10}}}}"#));
    let report = |cluster: &Cluster| cluster.node("far").json(&["ask", &sink, "report"]);
    eventually(TOLD_WITHIN, "the ticker ticks", || Ok((report(&cluster)["last"].as_i64() > Some(10)).then_some(())))
        .unwrap();

    cluster.node_mut("leader").kill();
    let away_since = Instant::now();
    let at_death = report(&cluster)["last"].as_i64().unwrap();
    eventually(TOLD_WITHIN, "two hundred more numbers come while there is no leader", || {
        Ok((report(&cluster)["last"].as_i64().unwrap() > at_death + 200).then_some(()))
    })
    .unwrap();
    cluster.node_mut("leader").restart().unwrap();

    for name in ["home", "far"] {
        cluster.until_state(name, "alive", BACK_WITHIN).unwrap();
    }
    let away = away_since.elapsed();
    let at_return = report(&cluster)["last"].as_i64().unwrap();
    let images = cluster.leader().json(&["image", "list"]);
    assert_eq!(images[0]["hash"], pushed["hash"], "{images}");
    assert_eq!(images[0]["state"], "approved", "{images}");
    assert_eq!(cluster.leader().json(&["authority", "show"])["authority"], "accept-all");
    let (again, _) = cluster.leader().create(&["Sink", "--global-name", "books"]);
    assert_eq!(again, named, "the name still belongs to the actor that had it");
    let (hello, _) = cluster.node("home").create(&["hello", "Hello"]);
    assert_eq!(cluster.node("home").ask(&hello, "are you there?"), "Hello, world!");
    let (sleeper, node) = cluster.leader().create(&["Sleeper"]);
    assert_eq!(node, "far", "the leader knows again what its members can do");
    assert_eq!(cluster.leader().ask(&sleeper, "there?"), "alive");
    eventually(TOLD_WITHIN, "a hundred more numbers come", || {
        Ok((report(&cluster)["last"].as_i64().unwrap() > at_return + 100).then_some(()))
    })
    .unwrap();
    let end = report(&cluster);
    println!("the leader was away for {away:?}: {end}");
    assert_eq!(end["out_of_order"], 0, "{end}");
    assert_eq!(end["received"], end["last"], "{end}");
    assert!(away >= 2 * Duration::from_millis(PAUSE_MAX_MS as u64), "{away:?} is too short to tell");
    assert!(end["longest_pause_ms"].as_i64().unwrap() < PAUSE_MAX_MS, "{end}");
}

#[test]
fn members_that_start_before_their_leader_are_in_within_seconds_of_its_start() {
    let mut cluster = fleet();
    cluster.node_mut("far").kill();
    cluster.node_mut("leader").kill();
    cluster.node_mut("far").restart().unwrap();
    cluster.node_mut("leader").restart().unwrap();
    cluster.until_state("far", "alive", BACK_WITHIN).unwrap();
}

#[test]
fn a_node_that_is_told_to_stop_leaves_at_once_and_with_exit_code_0() {
    let mut cluster = fleet();
    assert_eq!(cluster.node_mut("far").terminate().unwrap(), 0);
    cluster.until_state("far", "left", TOLD_WITHIN).unwrap();
    cluster.leader().run(&["shutdown", "--on", "home"]).ok();
    cluster.until_state("home", "left", TOLD_WITHIN).unwrap();
    assert_eq!(cluster.node_mut("leader").terminate().unwrap(), 0);
    let nobody = cluster.leader().run(&["nodes"]);
    assert_eq!(nobody.code, 6, "{nobody:?}");
}

#[test]
fn a_drained_node_is_left_by_its_actors_and_leaves_and_each_parent_is_told_once() {
    let mut cluster = fleet();
    let (keeper, _) = cluster.node("home").create(&["Keeper"]);
    let child = adopt(cluster.node("home"), &keeper);
    let (parent, _) = cluster.leader().create(&["Keeper", "--on", "far"]);
    let grandchild = adopt(cluster.node("far"), &parent);
    assert_eq!(cluster.leader().json(&["actors", "--node", "far"]).as_array().unwrap().len(), 3);

    cluster.leader().run(&["node", "drain", "far"]).ok();
    let nodes = cluster.leader().json(&["nodes"]);
    let far = nodes.as_array().unwrap().iter().find(|n| n["name"] == "far").unwrap();
    assert_eq!(far["state"], "left", "the command returns when it is so: {far}");
    assert_eq!(cluster.node_mut("far").wait(TOLD_WITHIN).unwrap(), 0);
    let told = eventually(TOLD_WITHIN, "the parent is told", || {
        let told = exits(cluster.node("home"), &keeper);
        Ok((!told.is_empty()).then_some(told))
    })
    .unwrap();
    assert!(told.len() == 1 && told[0].starts_with(&child), "{told:?}");
    for gone in [&child, &parent, &grandchild] {
        let asked = cluster.node("home").run(&["ask", gone, "there?"]);
        assert!(asked.code == 1 && asked.err.contains("OD-140"), "{asked:?}");
    }

    cluster.node_mut("far").restart().unwrap();
    let second = adopt(cluster.node("home"), &keeper);
    assert_eq!(cluster.node("home").ask(&second, "there?"), "alive", "another start takes actors again");
    assert_eq!(exits(cluster.node("home"), &keeper).len(), 1, "told once, also after the node is back");
}

#[test]
fn a_node_that_does_not_become_empty_in_time_stays_and_takes_nothing_until_it_is_told_to() {
    let mut cluster = fleet();
    let (digger, node) = cluster.node("far").create(&["Digger"]);
    assert_eq!(node, "far");
    cluster.node("far").run(&["tell", &digger, r#"{"Dig": {"ms": 20000}}"#]).ok();
    let drained = cluster.leader().run(&["node", "drain", "far", "--timeout", "500ms"]);
    assert_eq!(drained.code, 3, "{drained:?}");
    assert!(drained.err.contains("error[OD-136]: 1 actor is left on node far after 0.5 s"), "{drained:?}");
    let far = cluster.until_state("far", "alive", TOLD_WITHIN).unwrap();
    assert_eq!(far["draining"], true, "{far}");

    let refused = cluster.leader().run(&["create", "Sink", "--on", "far"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("1 of 1 is draining"), "{refused:?}");
    let explained = cluster.leader().json(&["explain", "Sink", "--placement", "spread"]);
    assert_eq!((&explained["nodes"], &explained["accepted"]), (&3.into(), &2.into()), "{explained}");
    let expected = serde_json::json!([{"reason": "is draining", "nodes": 1, "example": "far"}]);
    assert_eq!(explained["rejected"], expected, "{explained}");
    let (_, node) = cluster.node("far").create(&["Sink"]);
    assert_ne!(node, "far", "what is asked for there is created elsewhere");

    // The next leader hears of it from the node.
    cluster.node_mut("leader").kill();
    cluster.node_mut("leader").restart().unwrap();
    eventually(BACK_WITHIN, "far is alive and draining", || {
        // Its link is up before it has said how it is.
        let far = cluster.until_state("far", "alive", BACK_WITHIN)?;
        Ok((far["draining"] == true).then_some(()))
    })
    .unwrap();

    cluster.leader().run(&["node", "drain", "far", "--cancel"]).ok();
    let (_, node) = cluster.leader().create(&["Sink", "--on", "far"]);
    assert_eq!(node, "far");
    let far = cluster.until_state("far", "alive", TOLD_WITHIN).unwrap();
    assert_eq!(far["draining"], false, "{far}");
    let led = cluster.leader().run(&["node", "drain", "leader"]);
    assert!(led.code == 1 && led.err.contains("error[OD-137]"), "{led:?}");
    cluster.until_state("home", "alive", BACK_WITHIN).unwrap();
    cluster.node("home").run(&["node", "drain"]).ok();
    assert_eq!(cluster.node_mut("home").wait(TOLD_WITHIN).unwrap(), 0, "its own owner may do it too");
    cluster.until_state("home", "left", TOLD_WITHIN).unwrap();
}

#[test]
fn a_standby_is_drained_and_shown_as_left_and_has_its_vote_when_it_is_back() {
    let mut cluster = fleet();
    for name in ["second", "third"] {
        let token = cluster.leader().run(&["token", "create", "--role", "leader"]).ok().out.trim().to_owned();
        cluster.up(name, with_test_actors(&["--join", &token])).unwrap();
        cluster.leader().run(&["leaders", "add", name]).ok();
    }
    let (sink, _) = cluster.leader().create(&["Sink", "--on", "second"]);
    // Asked at a standby, which passes it on to the one that leads.
    cluster.node("third").run(&["node", "drain", "second"]).ok();
    cluster.until_state("second", "left", TOLD_WITHIN).unwrap();
    assert_eq!(cluster.node_mut("second").wait(TOLD_WITHIN).unwrap(), 0);
    let gone = cluster.leader().run(&["ask", &sink, "report"]);
    assert!(gone.code == 1 && gone.err.contains("OD-140"), "{gone:?}");
    cluster.node_mut("second").restart().unwrap();
    let back = cluster.until_state("second", "alive", BACK_WITHIN).unwrap();
    assert_eq!((&back["role"], &back["draining"]), (&"standby".into(), &false.into()), "{back}");
}

fn image() -> String {
    format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"))
}
