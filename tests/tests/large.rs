//! Messages of many megabytes between nodes, and handlers that take many milliseconds.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside, eventually};
use serde_json::json;
use std::time::Duration;

fn start() -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }
}

#[test]
fn fifty_megabytes_go_to_another_node_and_back_in_their_order_and_more_than_fits_is_poison() {
    let mut cluster = Cluster::led_by(start()).unwrap();
    for name in ["one", "two"] {
        cluster.member(name, start()).unwrap();
    }
    let courier = |node: &str| cluster.leader().create(&["Courier", "--on", node]).0;
    let (one, two) = (courier("one"), courier("two"));
    let deliver = |bytes: u64| {
        let order = json!({"Deliver": {"to": two, "bytes": bytes}}).to_string();
        cluster.leader().run(&["ask", &one, &order, "--timeout", "60s"]).ok().out
    };
    let answer = deliver(50_000_000);
    assert!(answer.contains("50000000 bytes came back, the same: true"), "{answer}");
    let before = cluster.leader().ask(&one, "what came first?");
    assert_eq!(before, "Some(1) before the small message", "it was sent after the parcel");
    let refused = deliver(68_000_000);
    assert!(refused.contains("not sent") && refused.contains("68000"), "{refused}");
    let answer = deliver(300_000);
    assert!(answer.contains("300000 bytes came back, the same: true"), "{answer}");
}

#[test]
fn a_handler_that_takes_long_does_not_hold_up_what_comes_over_the_same_link() {
    const DIGS_MS: i64 = 400;
    let mut cluster = Cluster::led_by(start()).unwrap();
    cluster.member("far", start()).unwrap();
    let (sink, _) = cluster.leader().create(&["Sink", "--on", "far"]);
    let (ticker, _) = cluster.leader().create(&["Ticker", "--on", "leader"]);
    cluster.leader().ask(&ticker, &json!({"Tick": {"to": sink, "every_ms": 2}}).to_string());
    let report = |cluster: &Cluster| cluster.leader().json(&["ask", &sink, "report"]);
    let received = |cluster: &Cluster| report(cluster)["received"].as_i64().unwrap();
    for _ in 0..3 {
        // Another one each time: its first message is handled by the thread of the link.
        let (digger, _) = cluster.leader().create(&["Digger", "--on", "far"]);
        let before = received(&cluster);
        cluster.leader().run(&["tell", &digger, &json!({"Dig": {"ms": DIGS_MS}}).to_string()]).ok();
        eventually(Duration::from_secs(10), "numbers arrive for as long as it digs", || {
            Ok((received(&cluster) > before + DIGS_MS / 2).then_some(()))
        })
        .unwrap();
    }
    let report = report(&cluster);
    assert_eq!(report["out_of_order"], 0, "{report}");
    assert!(report["longest_pause_ms"].as_i64().unwrap() < DIGS_MS / 2, "{report}");
}
