//! The main job on hosts with addresses of their own, and a link between two of them that is cut again and again.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside, eventually};
use odeon_tests::hosts::Hosts;
use std::time::Duration;

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
fn where_no_udp_gets_through_the_main_job_runs_over_tcp_and_udp_is_taken_when_it_is_back() {
    let hosts = Hosts::new(3).unwrap();
    hosts.block_udp(1).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &["--authority", "accept-all"])).unwrap();
    cluster.member("shut", on(&hosts, 1, &["--capability", "shut=true"])).unwrap();
    cluster.member("open", on(&hosts, 2, &[])).unwrap();
    let transport = |cluster: &Cluster, name: &str| cluster.node(name).json(&["status"])["transport"].clone();
    assert_eq!((transport(&cluster, "shut"), transport(&cluster, "open")), ("tcp".into(), "quic".into()));
    let image = format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"));
    cluster.leader().run(&["image", "push", &image]).ok();
    // The leader places it over the link of the node, and the other node dials that node where UDP gets no answer.
    let (address, node) = cluster.node("open").create(&["hello", "Hello", "--where", "shut"]);
    assert_eq!(node, "shut");
    assert_eq!(cluster.node("open").ask(&address, "are you there?"), "Hello, world!");
    assert_eq!(cluster.node("open").json(&["status"])["links_over_tcp"], 1);
    hosts.let_udp_through(1).unwrap();
    cluster.node_mut("shut").kill();
    cluster.node_mut("shut").restart().unwrap();
    assert_eq!(transport(&cluster, "shut"), "quic");
}

const COUNT: i64 = 100_000;
const CUTS: i64 = 10;
/// Every other cut lasts until the connection itself has died; the links notice after 6 s.
const DIES_WITHIN: Duration = Duration::from_secs(30);
const FLOWS_WITHIN: Duration = Duration::from_secs(30);
/// Numbers that are sent into each cut at least.
const INTO_CUT_MIN: i64 = 500;

/// A flow of numbers from an actor on one host to an actor on another.
struct Stream<'a> {
    cluster: &'a Cluster,
    source: String,
    sink: String,
}

impl Stream<'_> {
    fn flow(&self, count: i64) {
        let flow = format!(r#"{{"Flow": {{"to": "{}", "count": {count}}}}}"#, self.sink);
        self.cluster.node("from").ask(&self.source, &flow);
    }

    fn sent(&self) -> i64 {
        self.cluster.node("from").json(&["ask", &self.source, "sent"]).as_i64().unwrap()
    }

    fn report(&self) -> serde_json::Value {
        self.cluster.node("to").json(&["ask", &self.sink, "report"])
    }

    fn received(&self) -> i64 {
        self.report()["received"].as_i64().unwrap()
    }

    /// Connections that the sending node has now: to its leader, and to the other node while that one lives.
    fn links(&self) -> i64 {
        self.cluster.node("from").json(&["status"])["links"].as_i64().unwrap()
    }

    fn until(&self, what: &str, at_most: Duration, holds: impl Fn(&Self) -> bool) {
        eventually(at_most, what, || Ok(holds(self).then_some(()))).unwrap();
    }
}

#[test]
fn a_hundred_thousand_messages_arrive_once_and_in_order_while_their_link_is_cut_ten_times() {
    let hosts = Hosts::new(3).unwrap();
    let mut cluster = Cluster::led_by(on(&hosts, 0, &[])).unwrap();
    cluster.member("from", on(&hosts, 1, &[])).unwrap();
    cluster.member("to", on(&hosts, 2, &[])).unwrap();
    let (source, _) = cluster.leader().create(&["Source", "--on", "from"]);
    let (sink, _) = cluster.leader().create(&["Sink", "--on", "to"]);
    let stream = Stream { cluster: &cluster, source, sink };
    for cut in 0..CUTS {
        stream.flow(COUNT / CUTS);
        let first = COUNT / CUTS * cut;
        stream.until("the flow is under way", FLOWS_WITHIN, |s| s.received() > first);
        hosts.cut(1, 2).unwrap();
        let before = stream.sent();
        stream.until("numbers are sent into the cut", FLOWS_WITHIN, |s| s.sent() >= before + INTO_CUT_MIN);
        let kills = cut % 2 == 1;
        if kills {
            stream.until("the connection dies", DIES_WITHIN, |s| s.links() == 1);
        } else {
            assert_eq!(stream.links(), 2, "cut {cut} is over before the connection notices");
        }
        let (received, sent) = (stream.received(), stream.sent());
        assert!(
            received <= before && before + INTO_CUT_MIN <= sent,
            "cut {cut}: {received} of {sent}, {before} before"
        );
        println!("cut {cut}: {} numbers under way, connection killed: {kills}", sent - received);
        hosts.heal(1, 2).unwrap();
        stream.until("numbers flow again", FLOWS_WITHIN, |s| s.received() > before);
    }
    stream.until("all have arrived", FLOWS_WITHIN, |s| s.received() >= COUNT);
    let report = stream.report();
    assert_eq!(
        (&report["received"], &report["out_of_order"], &report["last"]),
        (&COUNT.into(), &0.into(), &COUNT.into())
    );
    for name in ["from", "to"] {
        assert_eq!(cluster.until_state(name, "alive", Duration::from_secs(5)).unwrap()["incarnation"], 1);
        assert_eq!(cluster.node(name).json(&["status"])["dead_letters"], 0, "{name}");
    }
}
