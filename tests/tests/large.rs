//! Messages of many megabytes between nodes.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside};
use serde_json::json;

#[test]
fn fifty_megabytes_go_to_another_node_and_back_in_their_order_and_more_than_fits_is_poison() {
    let start = || Start { program: Some(beside("test_node")), ..Start::default() };
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
