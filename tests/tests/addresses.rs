//! Where nodes say that they can be dialled: at several addresses, and at those of their host when they listen at all.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside};
use odeon_tests::hosts::Hosts;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

fn on(hosts: &Hosts, number: u8, listen: &str, arguments: &[&str]) -> Start {
    Start {
        program: Some(beside("test_node")),
        before: hosts.on(number),
        listen: Some(listen.to_owned()),
        ..Start::default()
    }
    .and(arguments)
}

#[test]
fn nodes_that_listen_everywhere_or_say_several_addresses_are_dialled_where_they_can_be() {
    let hosts = Hosts::new(3).unwrap();
    let here = |number: u8| format!("{}:5340", Hosts::address(number));
    let mut cluster = Cluster::led_by(on(&hosts, 0, "0.0.0.0:5340", &[])).unwrap();
    let leader = cluster.until_state("leader", "alive", WITHIN).unwrap();
    assert_eq!(leader["listen"], here(0).as_str(), "what its token names as well, or nobody could join");

    // At the first of its addresses there is nobody.
    let nobody = format!("{}:5340", Hosts::address(200));
    let two = ["--advertise", nobody.as_str(), "--advertise", &here(2)];
    cluster.member("asks", on(&hosts, 1, &here(1), &[])).unwrap();
    cluster.member("two", on(&hosts, 2, "0.0.0.0:5340", &two)).unwrap();
    let listed = cluster.until_state("two", "alive", WITHIN).unwrap();
    assert_eq!(listed["listen"], format!("{nobody},{}", here(2)).as_str());
    let (tester, _) = cluster.leader().create(&["odeon.TestActor", "--on", "two"]);
    let answer = cluster.node("asks").ask(&tester, "are you there?");
    assert!(answer.contains("are you there?"), "{answer}");
}

#[test]
fn more_addresses_than_others_may_be_told_of_are_refused() {
    let mut cluster = Cluster::new().unwrap();
    let five = ["a:1", "b:1", "c:1", "d:1", "e:1"].map(|at| ["--advertise", at]).concat();
    let error = cluster.up("five", Start::default().and(&five)).unwrap_err().to_string();
    assert!(error.contains("at most 4"), "{error}");
    let both = ["--advertise", "a:1", "--outbound-only"];
    let error = cluster.up("both", Start::default().and(&both)).unwrap_err().to_string();
    assert!(error.contains("cannot be used with"), "{error}");
}
