//! A swarm against a real leader, as whoever plans capacity runs it.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use odeon_tests::cluster::{Cluster, eventually, odeon};
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const GONE_MAX: Duration = Duration::from_secs(30);

fn swarm(arguments: &[&str], scratch: &std::path::Path) -> Command {
    let mut command = Command::new(odeon());
    command.arg("swarm").args(arguments).env("TMPDIR", scratch).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn report(ran: &Output) -> Value {
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}\n{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

#[test]
fn fifty_members_join_a_leader_of_their_own_and_the_dead_become_known() {
    let scratch = tempfile::tempdir().unwrap();
    let at_once = ["--joins-at-once", "50", "--round-trip", "50ms"];
    let rest = ["--nodes", "50", "--idle", "6s", "--kill", "3", "--restart-leader", "--json"];
    let arguments = [&at_once[..], &rest[..]].concat();
    let ran = swarm(&arguments, scratch.path()).output().unwrap();
    let report = report(&ran);
    assert_eq!(
        (report["nodes"].as_u64(), report["killed"].as_u64(), report["lost"].as_u64()),
        (Some(50), Some(3), Some(0))
    );
    for measured in ["join_seconds", "joins_per_second", "leader_bytes_per_member", "leader_join_cpu_ms_per_member"] {
        assert!(report[measured].as_f64().unwrap() > 0.0, "{measured} in {report}");
    }
    assert!(report["leader_idle_cpu_percent"].as_f64().is_some(), "{report}");
    // A handshake, and what is said afterwards.
    assert!(report["join_median_seconds"].as_f64().unwrap() > 0.2, "{report}");
    // A member renews every three seconds, up to an eighth early.
    let words = report["idle"]["words_to_leader"].as_f64().unwrap();
    assert!((0.25..2.0).contains(&words), "{report}");
    let dead = report["dead_max_seconds"].as_f64().unwrap();
    assert!((1.0..15.0).contains(&dead), "a lease of 4.2 s ended after {dead} s");
    assert!(report["told_max_seconds"].as_f64().unwrap() >= dead, "{report}");
    assert!(report["leader_ready_seconds"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["back_seconds"].as_f64().unwrap() < 30.0, "{report}");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn news_and_another_leader_come_to_all_members_of_three_leaders_and_each_confirms() {
    let scratch = tempfile::tempdir().unwrap();
    let phases = ["--news", "2", "--kill-leader", "--leaders", "3", "--json"];
    let arguments = [&["--nodes", "60", "--joins-at-once", "60", "--idle", "1s", "--kill", "0"], &phases[..]].concat();
    let report = report(&swarm(&arguments, scratch.path()).output().unwrap());
    let (news, leader) = (&report["news"], &report["new_leader"]);
    assert_eq!((news["rounds"].as_u64(), news["again"].as_u64(), report["lost"].as_u64()), (Some(2), Some(0), Some(0)));
    let spreads = [
        (&news["available"], 120, 10.0),
        (&news["unavailable"], 120, 10.0),
        (&news["revoked"], 120, 10.0),
        (&news["capability"], 120, 10.0),
        (&leader["heard"], 60, 10.0),
        (&leader["registered"], 60, 10.0),
        (&leader["registered_after_kill"], 60, 20.0),
    ];
    for (spread, members, within) in spreads {
        assert_eq!((spread["expected"].as_u64(), spread["confirmed"].as_u64()), (Some(members), Some(members)));
        let [median, p99, max] = ["median", "p99", "max"].map(|of| spread[format!("{of}_seconds")].as_f64().unwrap());
        assert!(0.0 <= median && median <= p99 && p99 <= max && max < within, "{report}");
    }
    let confirmed = news["revoked_confirmed_seconds"].as_f64().unwrap();
    assert!(news["revoked"]["median_seconds"].as_f64().unwrap() < confirmed && confirmed < 10.0, "{report}");
    // The others believe in the one that was killed for 0.7 s, and another 0.3 s pass before anybody asks for votes.
    let leads = leader["leads_after_seconds"].as_f64().unwrap();
    assert!((0.5..20.0).contains(&leads), "{report}");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_swarm_joins_a_leader_that_runs_already_and_leaves_it_in_good_order() -> Result<()> {
    let cluster = Cluster::new()?;
    let scratch = tempfile::tempdir()?;
    let token = cluster.leader().run(&["token", "create"]).ok().out.trim().to_owned();
    let pid = cluster.leader().pid().to_string();
    let flags = ["--nodes", "20", "--join", &token, "--leader-pid", &pid, "--idle", "30s", "--kill", "0"];
    let mut child = swarm(&flags, scratch.path()).spawn()?;
    let states = |wanted: &str| -> Result<usize> {
        let nodes = cluster.leader().json(&["nodes"]);
        let swarm = |node: &&Value| node["name"].as_str().is_some_and(|n| n.starts_with("swarm-"));
        Ok(nodes.as_array().unwrap().iter().filter(swarm).filter(|node| node["state"] == wanted).count())
    };
    eventually(GONE_MAX, "twenty members are alive", || Ok((states("alive")? == 20).then_some(())))?;
    // Interrupted while nothing happens: every member says that it leaves.
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    assert!(interrupted.success());
    let status = eventually(GONE_MAX, "the swarm ends", || Ok(child.try_wait()?))?;
    assert_eq!(status.code(), Some(1), "it was interrupted");
    eventually(GONE_MAX, "twenty members have left", || Ok((states("left")? == 20).then_some(())))?;
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_started() {
    let scratch = tempfile::tempdir().unwrap();
    for (arguments, exit) in [
        (&["--nodes", "0"][..], 2),
        (&["--nodes", "4", "--kill", "3"], 2),
        (&["--nodes", "4", "--leader-pid", "1"], 2),
        (&["--nodes", "4", "--round-trip", "1h"], 2),
        (&["--nodes", "4", "--restart-leader", "--join", "no token"], 2),
        (&["--nodes", "4", "--leaders", "2"], 2),
        (&["--nodes", "4", "--kill-leader"], 2),
        (&["--nodes", "4", "--leaders", "3", "--restart-leader"], 2),
        (&["--nodes", "4", "--news", "1", "--join", "no token"], 2),
        (&["--nodes", "4", "--join", "no token"], 5),
    ] {
        let ran = swarm(arguments, scratch.path()).output().unwrap();
        assert_eq!(ran.status.code(), Some(exit), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
