//! A real node under what strangers throw at its port: refused, counted, logged once, and the node goes on.
#![allow(clippy::unwrap_used)]

use odeon_node::identity::Token;
use odeon_tests::cluster::{Cluster, Node, Ran, Start, eventually, run_at};
use odeon_tests::strangers::{Shows, begin_handshake, forged_first_flights, send_raw, try_to_connect};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A half handshake is given up after 5 s.
const COUNTED_WITHIN: Duration = Duration::from_secs(20);

/// Of 64 forged first flights, about 16 get as far as a handshake.
const FORGED_COUNTED_MIN: u64 = 4;

fn refused(node: &Node, kind: &str) -> u64 {
    node.json(&["status"])["refused"][kind].as_u64().unwrap_or(0)
}

fn until_refused(node: &Node, kind: &str, times: u64) {
    let what = format!("{kind} is counted {times} times");
    eventually(COUNTED_WITHIN, &what, || Ok((refused(node, kind) >= times).then_some(()))).unwrap();
    assert_eq!(refused(node, kind), times, "{kind}");
}

/// How often the leader's log says that a node turned somebody away for this reason.
fn logged(cluster: &Cluster, node: &str, kind: &str) -> usize {
    let lines = cluster.leader().run(&["logs", "--node", node, "--json"]).ok().out;
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|l| l["message"] == "turned a peer away" && l["fields"]["refusal"] == kind).count()
}

fn until_logged_once(cluster: &Cluster, node: &str, kind: &str) {
    let what = format!("{kind} is in the log of {node}");
    eventually(COUNTED_WITHIN, &what, || Ok((logged(cluster, node, kind) >= 1).then_some(()))).unwrap();
    assert_eq!(logged(cluster, node, kind), 1, "{kind} at {node}");
}

fn address(node: &Node) -> SocketAddr {
    node.listen.parse().unwrap()
}

/// Tries to become a member, and fails.
fn try_to_join(cluster: &Cluster, token: &str) -> Ran {
    let folder = tempfile::tempdir_in(cluster.dir()).unwrap();
    let ran = run_at(folder.path(), &["up", "--name", "late", "--listen", "127.0.0.1:0", "--join", token]);
    let listed = cluster.leader().json(&["nodes"]);
    assert!(listed.as_array().unwrap().iter().all(|n| n["name"] != "late"), "{listed}");
    ran
}

fn token(cluster: &Cluster, arguments: &[&str]) -> String {
    let mut all = vec!["token", "create"];
    all.extend_from_slice(arguments);
    cluster.leader().run(&all).ok().out.trim().to_owned()
}

#[test]
fn what_strangers_send_is_counted_and_logged_once_and_the_nodes_go_on() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("db", Start::with(&["Has DB access=true"])).unwrap();
    let forged = forged_first_flights(64);
    for name in ["leader", "db"] {
        let (node, to) = (cluster.node(name), address(cluster.node(name)));
        let noise: [&[u8]; 5] = [b"GET / HTTP/1.1\r\n", &[0; 1200], &[0xff; 1200], b"\xc0\0\0\0\x01short", b"\0"];
        for datagram in noise {
            // One at a time: the kernel may hand over several of one sender as one.
            let before = refused(node, "not_quic");
            send_raw(to, &[datagram]).unwrap();
            until_refused(node, "not_quic", before + 1);
        }
        for flight in &forged {
            send_raw(to, &[flight]).unwrap();
        }
        eventually(COUNTED_WITHIN, "forged handshakes are counted", || {
            Ok((refused(node, "handshake_failed") >= FORGED_COUNTED_MIN).then_some(()))
        })
        .unwrap();
        for (times, shows) in [Shows::Nothing, Shows::SelfSigned, Shows::OfAnotherCa].into_iter().enumerate() {
            let why = try_to_connect(to, shows).unwrap();
            assert!(!why.is_empty());
            until_refused(node, "unknown_certificate", times as u64 + 1);
        }
        begin_handshake(to).unwrap();
        begin_handshake(to).unwrap();
    }
    for name in ["leader", "db"] {
        until_refused(cluster.node(name), "handshake_timeout", 2);
        for kind in ["not_quic", "handshake_failed", "unknown_certificate", "handshake_timeout"] {
            until_logged_once(&cluster, name, kind);
        }
        let status = cluster.node(name).json(&["status"]);
        assert_eq!(status["handshakes"], 0, "nobody is left in the doorway: {status}");
        assert_eq!(status["refused"].as_object().unwrap().len(), 4, "{status}");
    }
    still_whole(&mut cluster);
}

#[test]
fn a_token_that_is_expired_used_up_or_mistyped_lets_nobody_in() {
    let mut cluster = Cluster::new().unwrap();
    let once = token(&cluster, &["--uses", "1"]);
    cluster.up("db", Start::with(&["Has DB access=true"]).and(&["--join", &once])).unwrap();
    let short = token(&cluster, &["--ttl", "1s"]);
    let expires = SystemTime::now() + Duration::from_secs(1);
    // The leader counts in whole seconds.
    eventually(COUNTED_WITHIN, "the second is over", || {
        let whole = |at: SystemTime| at.duration_since(UNIX_EPOCH).map(|d| d.as_secs());
        Ok((whole(SystemTime::now())? > whole(expires)?).then_some(()))
    })
    .unwrap();
    for (token, code, kind) in [(&once, "OD-112", "token_used_up"), (&short, "OD-111", "expired")] {
        for times in 1..=2 {
            let ran = try_to_join(&cluster, token);
            assert_eq!(ran.code, 5, "{ran:?}");
            assert!(ran.err.contains(&format!("error[{code}]")), "{ran:?}");
            until_refused(cluster.leader(), kind, times);
        }
        until_logged_once(&cluster, "leader", kind);
    }
    let mut mistyped = once.clone();
    mistyped.replace_range(20..21, if &once[20..21] == "A" { "B" } else { "A" });
    let ran = try_to_join(&cluster, &mistyped);
    assert!(ran.code == 5 && ran.err.contains("error[OD-110]"), "{ran:?}");
    // A secret that this leader never gave out.
    let invented = Token { secret: [7; 32], ..once.parse().unwrap() }.to_string();
    let ran = try_to_join(&cluster, &invented);
    assert!(ran.code == 5 && ran.err.contains("error[OD-113]"), "{ran:?}");
    until_refused(cluster.leader(), "unknown_certificate", 1);
    still_whole(&mut cluster);
}

/// Everything that the nodes are for still works, with the same starts of the same processes.
fn still_whole(cluster: &mut Cluster) {
    cluster.member("last", Start::default()).unwrap();
    let (address, node) = cluster.node("last").create(&["odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(node, "db");
    assert!(cluster.node("last").ask(&address, "still there?").ends_with("got: still there?"));
    for name in ["leader", "db"] {
        let node = cluster.until_state(name, "alive", COUNTED_WITHIN).unwrap();
        assert_eq!(node["incarnation"], 1, "{node}");
    }
}
