//! The main job on hosts with addresses of their own, and a link between two of them that is cut again and again.

use odeon_tests::cluster::{Cluster, Start, beside, eventually};
use odeon_tests::hosts::Hosts;
use std::time::{Duration, Instant};

fn on(hosts: &Hosts, number: u8, arguments: &[&str]) -> Start {
    Start {
        program: Some(beside("test_node")),
        before: hosts.on(number),
        listen: Some(format!("{}:5340", Hosts::address(number))),
        ..Start::default()
    }
    .and(arguments)
}

#[test]
fn the_main_job_runs_across_hosts_with_their_own_addresses() {
    let hosts = Hosts::new(4).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &["--authority", "accept-all"])).unwrap();
    cluster.member("db", on(&hosts, 1, &["--capability", "Has DB access=true"])).unwrap();
    cluster.member("gpu", on(&hosts, 2, &["--capability", "gpu=2"])).unwrap();
    cluster.member("web", on(&hosts, 3, &[])).unwrap();
    let image = format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"));
    cluster.leader().run(&["image", "push", &image]).ok();
    let (address, node) = cluster.node("web").create(&["hello", "Hello", "--where", "gpu >= 2"]);
    assert_eq!(node, "gpu");
    assert_eq!(cluster.node("web").ask(&address, "are you there?"), "Hello, world!");
    let (tester, node) = cluster.node("web").create(&["odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(node, "db");
    cluster.node("gpu").ask(&tester, "warn across hosts");
    eventually(Duration::from_secs(10), "the warning is at the leader", || {
        let out = cluster.leader().run(&["logs", "--node", "db", "--json"]).ok().out;
        Ok(out.contains("across hosts").then_some(()))
    })
    .unwrap();
}

#[test]
fn a_hundred_thousand_messages_arrive_once_and_in_order_while_their_link_is_cut_ten_times() {
    const COUNT: i64 = 100_000;
    const CUTS: i64 = 10;
    let hosts = Hosts::new(3).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &[])).unwrap();
    cluster.member("from", on(&hosts, 1, &[])).unwrap();
    cluster.member("to", on(&hosts, 2, &[])).unwrap();
    let (source, _) = cluster.leader().create(&["Source", "--on", "from"]);
    let (sink, _) = cluster.leader().create(&["Sink", "--on", "to"]);
    let received = || cluster.node("to").json(&["ask", &sink, "report"])["received"].as_i64().unwrap();
    let flow =
        |count: i64| cluster.node("from").ask(&source, &format!(r#"{{"Flow": {{"to": "{sink}", "count": {count}}}}}"#));
    flow(COUNT);
    for cut in 0..CUTS {
        hosts.cut(1, 2).unwrap();
        // Every other cut lasts longer than the link's idle timeout, so that the connection itself dies.
        let lasts = Duration::from_secs(if cut % 2 == 0 { 1 } else { 8 });
        let began = Instant::now();
        eventually(lasts * 2, "the cut lasts", || Ok((began.elapsed() >= lasts).then_some(()))).unwrap();
        hosts.heal(1, 2).unwrap();
        let before = received();
        eventually(Duration::from_secs(20), "messages flow again", || {
            let now = received();
            Ok((now > before || now == COUNT).then_some(()))
        })
        .unwrap();
    }
    eventually(Duration::from_secs(60), "all have arrived", || Ok((received() >= COUNT).then_some(()))).unwrap();
    let report = cluster.node("to").json(&["ask", &sink, "report"]);
    assert_eq!(report, serde_json::json!({"received": COUNT, "out_of_order": 0, "last": COUNT}));
    for name in ["from", "to"] {
        assert_eq!(cluster.until_state(name, "alive", Duration::from_secs(5)).unwrap()["incarnation"], 1);
    }
}
