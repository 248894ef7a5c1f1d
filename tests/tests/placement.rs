//! Actors go where the capabilities are, and a person is told why when there is no such place.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside};
use std::time::Duration;

const CHECKED_WITHIN: Duration = Duration::from_secs(10);

fn fleet() -> Cluster {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("db", Start::with(&["Has DB access=true", "zone=eu-1"])).unwrap();
    cluster.member("web", Start::with(&["zone=us-1"])).unwrap();
    cluster
}

#[test]
fn an_actor_asked_for_where_it_cannot_live_runs_where_it_can() {
    let cluster = fleet();
    let (address, node) = cluster.node("web").create(&["odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(node, "db");
    let reply = cluster.node("web").ask(&address, "hello");
    assert_eq!(reply, format!("TestActor @ {address} got: hello"));
    let (_, node) = cluster.leader().create(&["odeon.TestActor", "--where", "zone == 'us-1'"]);
    assert_eq!(node, "web");
    let (_, node) = cluster.node("web").create(&["odeon.TestActor"]);
    assert_eq!(node, "web", "the asker's own node first");
    let (_, node) = cluster.node("web").create(&["odeon.TestActor", "--on", "db"]);
    assert_eq!(node, "db");
}

#[test]
fn when_the_capability_goes_the_same_create_exits_4_and_explain_says_the_same() {
    let cluster = fleet();
    let asked = ["create", "odeon.TestActor", "--require", "Has DB access"];
    assert_eq!(cluster.node("web").create(&asked[1..]).1, "db");
    cluster.node("db").run(&["capability", "set", "Has DB access=false"]).ok();
    let refused = odeon_tests::cluster::eventually(CHECKED_WITHIN, "the change is known", || {
        let ran = cluster.node("web").run(&asked);
        Ok((ran.code != 0).then_some(ran))
    })
    .unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("error[OD-130]"), "{refused:?}");
    assert!(refused.err.contains("3 of 3 "), "says how many nodes lack what: {refused:?}");
    assert!(refused.err.contains("Has DB access"), "{refused:?}");
    let before = cluster.leader().json(&["actors"]).as_array().unwrap().len();
    let explained = cluster.node("web").json(&["explain", "odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(explained["nodes"], 3, "{explained}");
    assert_eq!(explained["accepted"], 0, "{explained}");
    assert!(explained["chosen"].is_null(), "{explained}");
    let counted: u64 = explained["rejected"].as_array().unwrap().iter().map(|r| r["nodes"].as_u64().unwrap()).sum();
    assert_eq!(counted, 3, "{explained}");
    assert_eq!(explained["nearest"][0]["node"], "db", "{explained}");
    assert_eq!(cluster.leader().json(&["actors"]).as_array().unwrap().len(), before, "nothing was created");
}

#[test]
fn of_two_preferences_the_heavier_one_decides() {
    let cluster = fleet();
    for (eu, us, expected) in [("10:", "", "db"), ("", "2:", "web")] {
        let [eu, us] = [format!("{eu}zone == 'eu-1'"), format!("{us}zone == 'us-1'")];
        let asked = ["odeon.TestActor", "--placement", "pack", "--prefer", &us, "--prefer", &eu];
        let explained = cluster.leader().json(&[&["explain"], &asked[..]].concat());
        assert_eq!(explained["accepted"], 3, "{explained}");
        assert_eq!(cluster.leader().create(&asked).1, expected, "{asked:?}");
    }
}

#[test]
fn a_saved_fleet_is_explained_without_a_node_as_the_leader_does() {
    let mut cluster = fleet();
    cluster.member("gone", Start::with(&["Has DB access=true"])).unwrap();
    cluster.node_mut("gone").terminate().unwrap();
    cluster.until_state("gone", "left", CHECKED_WITHIN).unwrap();
    let file = cluster.dir().join("fleet.json");
    let file = file.to_str().unwrap().to_owned();
    let asked = [
        &["--require", "Has DB access"][..],
        &["--require", "zone=us-1", "--where", "gpu > 1"],
        &["--prefer", "2:zone == 'us-1'", "--prefer", "zone == 'eu-1'", "--placement", "spread"],
        &["--on", "web", "--require", "Has DB access"],
    ];
    let ask = |flags: &[&str]| cluster.leader().json(&[&["explain", "odeon.TestActor"], flags].concat());
    let live: Vec<_> = asked.iter().map(|flags| ask(flags)).collect();
    std::fs::write(&file, cluster.leader().run(&["nodes", "--json"]).ok().out).unwrap();
    cluster.node_mut("leader").kill();
    for (flags, live) in asked.iter().zip(live) {
        let offline =
            cluster.leader().run(&[&["explain", "odeon.TestActor", "--json", "--fleet", &file], *flags].concat());
        assert!(offline.err.contains("own check"), "says what it does not know: {offline:?}");
        assert_eq!(offline.ok().json(), live, "{flags:?}");
    }
}

#[test]
fn an_actor_opens_the_database_on_the_node_that_has_it_and_returns_rows() {
    let database = tempfile::tempdir().unwrap();
    let file = database.path().join("fleet.sqlite");
    let program = Start { program: Some(beside("db_update")), ..Start::default() };
    let mut cluster = Cluster::new().unwrap();
    let capability = format!("database={}", file.display());
    let arguments = ["--capability", "Has DB access=true", "--capability", &capability];
    cluster.member("db", program.clone().and(&arguments)).unwrap();
    cluster.member("web", program).unwrap();
    let (address, node) = cluster.node("web").create(&["DbUpdate"]);
    assert_eq!(node, "db");
    let web = cluster.node("web");
    web.ask(&address, r#"{"Update": {"sql": "create table host (name text, cores integer)"}}"#);
    let changed = web.ask(&address, r#"{"Update": {"sql": "insert into host values ('a', 2), ('b', 64)"}}"#);
    assert_eq!(changed, "2");
    let rows = web.json(&["ask", &address, r#"{"Query": {"sql": "select name, cores from host order by name"}}"#]);
    assert_eq!(rows, serde_json::json!({"rows": [["a", 2], ["b", 64]]}));
    assert!(file.exists(), "the database is a real file");
    let poisoned = web.run(&["ask", &address, r#"{"Query": {"sql": "select * from missing"}}"#]);
    assert_eq!(poisoned.code, 1, "{poisoned:?}");
    assert!(poisoned.err.contains("no such table"), "{poisoned:?}");
}

#[test]
fn a_check_that_panics_or_never_ends_is_a_refusal_with_a_reason_and_the_node_goes_on() {
    let program = Start { program: Some(beside("test_node")), ..Start::default() };
    let cluster = Cluster::led_by(program.and(&["--authority", "accept-all"])).unwrap();
    for (actor, reason) in [("PanickingCheck", "always panics"), ("EndlessCheck", "longer than 1000 ms")] {
        let refused = cluster.leader().run(&["create", actor]);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains(reason), "{refused:?}");
    }
    let (address, _) = cluster.leader().create(&["odeon.TestActor"]);
    assert!(cluster.leader().ask(&address, "still there").contains("still there"));
}

#[test]
fn a_check_in_an_image_that_panics_loops_or_takes_all_memory_is_a_refusal_with_a_reason_everywhere() {
    let cluster = fleet();
    let rogues = format!("{}/guest/guest.zip", env!("CARGO_MANIFEST_DIR"));
    cluster.leader().run(&["image", "push", &rogues]).ok();
    let checks = [
        ("CheckPanics", "its check failed: panicked: every node is in a zone"),
        ("CheckLoops", "its check failed: took longer than 500 ms"),
        ("CheckAllocates", "its check failed: asked for more than 64 MiB of memory"),
    ];
    for (actor, reason) in checks {
        // The leader has no zone, so `CheckPanics` panics there alone; the members have one and would take it.
        let all: &[&str] = if actor == "CheckPanics" { &["--on", "leader"] } else { &[] };
        for asked_at in ["leader", "web"] {
            let refused = cluster.node(asked_at).run(&[&["create", "test-guest", actor], all].concat());
            assert_eq!(refused.code, 4, "{refused:?}");
            assert!(refused.err.contains("error[OD-130]") && refused.err.contains(reason), "{refused:?}");
        }
    }
    // The same image still has actors that behave, on every node.
    for name in ["leader", "db", "web"] {
        let (address, node) = cluster.node(name).create(&["test-guest", "Rogue", "--on", name]);
        assert_eq!(node, name);
        assert_eq!(cluster.node(name).ask(&address, "hello"), "told hello");
        let status = cluster.node(name).json(&["status"]);
        assert_eq!(status["incarnation"], 1, "{status}");
    }
}

#[test]
fn one_global_name_is_one_actor_however_many_nodes_ask_at_once() {
    let cluster = fleet();
    let asked = ["create", "odeon.TestActor", "--global-name", "clock", "--json"];
    let addresses: Vec<String> = std::thread::scope(|scope| {
        let names = ["leader", "db", "web", "leader", "db", "web"];
        let running: Vec<_> = names.iter().map(|n| scope.spawn(|| cluster.node(n).run(&asked).ok().json())).collect();
        running.into_iter().map(|r| r.join().unwrap()["address"].as_str().unwrap().to_owned()).collect()
    });
    assert!(addresses.iter().all(|a| *a == addresses[0]), "{addresses:?}");
    cluster.node("web").run(&["stop", &addresses[0]]).ok();
    odeon_tests::cluster::eventually(CHECKED_WITHIN, "the name is free again", || {
        let again = cluster.node("web").run(&asked).ok().json();
        Ok((again["address"] != addresses[0].as_str()).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_group_has_one_actor_on_a_node_also_under_the_next_leader() {
    let mut cluster = fleet();
    let create = |cluster: &Cluster, at: &str| {
        cluster.node(at).run(&["create", "odeon.TestActor", "--distinct", "replica", "--json"])
    };
    let made: Vec<_> = ["web", "web", "db"].iter().map(|at| create(&cluster, at).ok().json()).collect();
    let mut hosts: Vec<_> = made.iter().map(|m| m["node"].as_str().unwrap()).collect();
    assert_eq!(hosts[0], "web", "the asker's own node first");
    hosts.sort_unstable();
    assert_eq!(hosts, ["db", "leader", "web"]);
    let full = |cluster: &Cluster, nodes: &str| {
        let refused = create(cluster, "web");
        assert_eq!(refused.code, 4, "{refused:?}");
        let expected = format!("{nodes} has an actor of group \"replica\" already");
        assert!(refused.err.contains(&expected), "{refused:?}");
    };
    full(&cluster, "3 of 3");
    cluster.node("web").create(&["odeon.TestActor", "--distinct", "other"]);

    cluster.node_mut("leader").kill();
    cluster.node_mut("leader").restart().unwrap();
    for name in ["db", "web"] {
        cluster.until_state(name, "alive", CHECKED_WITHIN).unwrap();
    }
    let again = create(&cluster, "web").ok().json();
    assert_eq!(again["node"], "leader", "its own actor ended with it: {again}");
    full(&cluster, "3 of 3");

    let on_db = made.iter().find(|m| m["node"] == "db").unwrap();
    cluster.node("web").run(&["stop", on_db["address"].as_str().unwrap()]).ok();
    let again = odeon_tests::cluster::eventually(CHECKED_WITHIN, "the group is free again", || {
        let again = create(&cluster, "web");
        Ok((again.code == 0).then(|| again.json()))
    })
    .unwrap();
    assert_eq!(again["node"], "db");
}

#[test]
fn equal_nodes_share_what_is_created_with_spread() {
    let mut cluster = Cluster::new().unwrap();
    for name in ["a", "b", "c", "d"] {
        cluster.member(name, Start::with(&["worker=true"])).unwrap();
    }
    for _ in 0..8 {
        cluster.leader().create(&["odeon.TestActor", "--require", "worker", "--placement", "spread"]);
    }
    let actors = cluster.leader().json(&["actors"]);
    for name in ["a", "b", "c", "d"] {
        let here = actors.as_array().unwrap().iter().filter(|a| a["node"] == name).count();
        assert_eq!(here, 2, "{name} in {actors}");
    }
}
