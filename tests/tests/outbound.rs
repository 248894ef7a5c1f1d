//! Nodes that only dial, on hosts of their own: what they talk about comes and goes over links that they opened.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside, eventually};
use odeon_tests::hosts::Hosts;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const COUNT: i64 = 10_000;

fn on(hosts: &Hosts, number: u8, arguments: &[&str]) -> Start {
    Start {
        program: Some(beside("test_node")),
        before: hosts.on(number),
        listen: Some(format!("{}:5340", Hosts::address(number))),
        ..Start::default()
    }
    .and(arguments)
}

fn status(cluster: &Cluster, name: &str) -> Value {
    cluster.node(name).json(&["status"])
}

fn dialled(cluster: &Cluster, name: &str) -> i64 {
    status(cluster, name)["refused"]["outbound_only"].as_i64().unwrap_or(0)
}

fn report(cluster: &Cluster, at: &str, sink: &str) -> Value {
    cluster.node(at).json(&["ask", sink, "report"])
}

fn until(what: &str, holds: impl Fn() -> bool) {
    eventually(WITHIN, what, || Ok(holds().then_some(()))).unwrap();
}

fn until_all_came(cluster: &Cluster, at: &str, sink: &str) {
    until("all numbers are there", || report(cluster, at, sink)["received"].as_i64().unwrap() >= COUNT);
    let report = report(cluster, at, sink);
    let found = (&report["received"], &report["out_of_order"], &report["last"]);
    assert_eq!(found, (&COUNT.into(), &0.into(), &COUNT.into()), "{at}");
}

fn flow(cluster: &Cluster, at: &str, source: &str, sink: &str, count: i64) {
    cluster.node(at).ask(source, &format!(r#"{{"Flow": {{"to": "{sink}", "count": {count}}}}}"#));
}

fn make(cluster: &Cluster, actor: &str, on: &str) -> String {
    cluster.leader().create(&[actor, "--on", on]).0
}

#[test]
fn actors_talk_both_ways_with_a_node_that_nobody_dials() {
    let hosts = Hosts::new(3).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &["--authority", "accept-all"])).unwrap();
    cluster.member("open", on(&hosts, 1, &[])).unwrap();
    cluster.member("shut", on(&hosts, 2, &["--outbound-only", "--capability", "nursery=true"])).unwrap();

    // The first word is that of the one who cannot dial: it goes to an actor and its reply comes back.
    let (tester, node) = cluster.node("open").create(&["odeon.TestActor", "--on", "shut"]);
    assert_eq!(node, "shut");
    let answer = cluster.node("open").ask(&tester, "are you there?");
    assert!(answer.contains("are you there?"), "{answer}");
    let (sources, sinks): (Vec<_>, Vec<_>) =
        ["open", "shut"].map(|name| (make(&cluster, "Source", name), make(&cluster, "Sink", name))).into_iter().unzip();
    flow(&cluster, "open", &sources[0], &sinks[1], COUNT);
    flow(&cluster, "shut", &sources[1], &sinks[0], COUNT);
    until_all_came(&cluster, "shut", &sinks[1]);
    until_all_came(&cluster, "open", &sinks[0]);

    // A parent is told of the end of a child there.
    let (keeper, _) = cluster.node("open").create(&["Keeper", "--on", "open"]);
    let adopt = r#"{"Adopt": {"actor": "Sleeper", "require": "nursery", "global_name": null}}"#;
    let child = cluster.node("open").ask(&keeper, adopt).trim_matches('"').to_owned();
    cluster.node("open").run(&["stop", &child]).ok();
    until("the parent is told", || {
        !cluster.node("open").json(&["ask", &keeper, "exits"]).as_array().unwrap().is_empty()
    });

    // An image comes there from the leader, and nobody fetches it from there.
    let image = format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"));
    cluster.leader().run(&["image", "push", &image]).ok();
    for name in ["shut", "open"] {
        let (hello, node) = cluster.leader().create(&["hello", "Hello", "--on", name]);
        assert_eq!((node.as_str(), cluster.leader().ask(&hello, "are you there?").as_str()), (name, "Hello, world!"));
    }

    let shut = cluster.until_state("shut", "alive", WITHIN).unwrap();
    assert_eq!(shut["listen"], "", "{shut}");
    let listed = cluster.leader().run(&["nodes"]).ok().out;
    assert!(listed.contains("outbound only"), "{listed}");
    let said = status(&cluster, "shut");
    assert_eq!((&said["outbound_only"], &said["relay"]), (&true.into(), &Value::Null), "{said}");
    assert_eq!(status(&cluster, "leader")["relay"]["pairs"], 0, "the two are linked directly");
    assert_eq!(dialled(&cluster, "shut"), 0, "somebody dialled it");

    // Had somebody, it would have been seen, and been turned away.
    let token = cluster.leader().run(&["token", "create", "--role", "operator"]).ok().out.trim().to_owned();
    let words = [hosts.on(0), vec![beside("odeon").display().to_string()]].concat();
    let there = format!("{}:5340", Hosts::address(2));
    let tried = Command::new(&words[0])
        .args(&words[1..])
        .args(["nodes", "--connect", &there, "--token", &token])
        .output()
        .unwrap();
    assert_eq!(tried.status.code(), Some(6), "{tried:?}");
    assert!(dialled(&cluster, "shut") > 0);
}

/// Starts a node with a leader's token and gives it its vote.
fn add_leader(cluster: &mut Cluster, name: &str, start: Start) {
    let token = cluster.leader().run(&["token", "create", "--role", "leader"]).ok().out.trim().to_owned();
    cluster.up(name, start.and(&["--join", &token])).unwrap();
    cluster.leader().run(&["leaders", "add", name]).ok();
}

fn leading(cluster: &Cluster, at: &str) -> Option<String> {
    let ran = cluster.node(at).run(&["leaders", "list", "--json"]);
    let all = (ran.code == 0).then(|| ran.json().as_array().unwrap().clone())?;
    all.iter().find(|l| l["role"] == "leader").map(|l| l["name"].as_str().unwrap().to_owned())
}

const LEADERS: [&str; 3] = ["leader", "second", "third"];
const ROUNDS: i64 = 4;

fn relay(cluster: &Cluster, name: &str) -> Value {
    status(cluster, name)["relay"].clone()
}

/// The leader that carries what the two nodes say: the one that hands on packets now.
fn carrier(cluster: &Cluster) -> String {
    let packets = || LEADERS.map(|name| relay(cluster, name)["packets"].as_i64().unwrap());
    let before = packets();
    eventually(WITHIN, "a leader hands on packets", || {
        let found = packets().into_iter().zip(before).position(|(now, before)| now > before + 20);
        Ok(found.map(|at| LEADERS[at].to_owned()))
    })
    .unwrap()
}

#[test]
fn two_nodes_that_only_dial_talk_through_the_leaders_while_these_are_killed() {
    let hosts = Hosts::new(5).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &[])).unwrap();
    for (number, name) in [(1, "second"), (2, "third")] {
        add_leader(&mut cluster, name, on(&hosts, number, &[]));
    }
    // There is no way at all between these two.
    hosts.cut(3, 4).unwrap();
    cluster.member("from", on(&hosts, 3, &["--outbound-only"])).unwrap();
    cluster.member("to", on(&hosts, 4, &["--outbound-only", "--capability", "nursery=true"])).unwrap();
    let (source, sink) = (make(&cluster, "Source", "from"), make(&cluster, "Sink", "to"));
    let (back, other) = (make(&cluster, "Source", "to"), make(&cluster, "Sink", "from"));
    let received = |cluster: &Cluster| report(cluster, "to", &sink)["received"].as_i64().unwrap();
    flow(&cluster, "to", &back, &other, COUNT);
    for (round, kills_the_carrier) in (1..=ROUNDS).zip([true, false, true, false]) {
        let goal = COUNT / ROUNDS * round;
        flow(&cluster, "from", &source, &sink, COUNT / ROUNDS);
        until("numbers flow", || received(&cluster) > goal - COUNT / ROUNDS);
        let carrier = carrier(&cluster);
        let killed = if kills_the_carrier { carrier } else { leading(&cluster, "from").unwrap() };
        let before = received(&cluster);
        assert!(before < goal, "{killed} is killed once everything was there");
        cluster.node_mut(&killed).kill();
        println!("{killed} is killed after {before} of {goal} numbers");
        until("the numbers of this round are there", || received(&cluster) >= goal);
        until("another leads", || leading(&cluster, "from").is_some_and(|name| name != killed));
        cluster.node_mut(&killed).restart().unwrap();
        until("it follows", || {
            let all = cluster.node("from").run(&["leaders", "list", "--json"]);
            let caught_up = |l: &&Value| l["role"] == "leader" || (l["behind"] == 0 && l["votes"] == true);
            all.code == 0 && all.json().as_array().unwrap().iter().filter(caught_up).count() == LEADERS.len()
        });
        let serves_both = |name: &str| relay(&cluster, name)["nodes"] == 2;
        until("every leader serves both again", || LEADERS.iter().all(|name| serves_both(name)));
    }
    until_all_came(&cluster, "to", &sink);
    until_all_came(&cluster, "from", &other);

    // The end of a child there is told here.
    let (keeper, _) = cluster.node("from").create(&["Keeper", "--on", "from"]);
    let adopt = r#"{"Adopt": {"actor": "Sleeper", "require": "nursery", "global_name": null}}"#;
    let child = cluster.node("from").ask(&keeper, adopt).trim_matches('"').to_owned();
    cluster.node("from").run(&["stop", &child]).ok();
    until("the parent is told", || {
        let told = cluster.node("from").json(&["ask", &keeper, "exits"]);
        told.as_array().unwrap().iter().any(|exit| exit.as_str().unwrap().starts_with(&child))
    });
    for name in ["from", "to"] {
        assert_eq!(dialled(&cluster, name), 0, "somebody dialled {name}");
        let said = status(&cluster, name);
        assert_eq!((&said["incarnation"], &said["dead_letters"]), (&1.into(), &0.into()), "{said}");
    }
}

#[test]
fn a_node_that_only_dials_neither_founds_nor_leads_a_convention() {
    let mut cluster = Cluster::new().unwrap();
    let refused = |cluster: &mut Cluster, name: &str, start: Start| {
        let error = cluster.up(name, start.and(&["--outbound-only"])).unwrap_err().to_string();
        assert!(error.contains("OD-155"), "{error}");
    };
    refused(&mut cluster, "founder", Start::default());
    cluster.up("founder", Start::default()).unwrap();
    let token = cluster.leader().run(&["token", "create", "--role", "leader"]).ok().out.trim().to_owned();
    refused(&mut cluster, "second", Start::default().and(&["--join", &token]));
}
