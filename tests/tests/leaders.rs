//! Several leaders as real processes: killed one after the other, and cut off from each other.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Ran, Start, beside, eventually, files_of};
use odeon_tests::hosts::Hosts;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long it takes at most until a majority of leaders has chosen the next of them, on a machine that is busy.
const CHOSEN_WITHIN: Duration = Duration::from_secs(10);
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(20);

fn program(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

/// Starts a node with a leader's token and gives it its vote.
fn add_leader(cluster: &mut Cluster, name: &str, start: Start) {
    let token = cluster.leader().run(&["token", "create", "--role", "leader"]).ok().out.trim().to_owned();
    cluster.up(name, start.and(&["--join", &token])).unwrap();
    cluster.leader().run(&["leaders", "add", name]).ok();
}

/// The leaders as the node of this name is told.
fn leaders(at: &Node) -> Option<Vec<Value>> {
    let ran = at.run(&["leaders", "list", "--json"]);
    (ran.code == 0).then(|| ran.json().as_array().unwrap().clone())
}

fn leading(at: &Node) -> Option<String> {
    let all = leaders(at)?;
    all.iter().find(|l| l["role"] == "leader").map(|l| l["name"].as_str().unwrap().to_owned())
}

fn until_led_by_another(at: &Node, than: &str) -> String {
    eventually(CHOSEN_WITHIN, "another leads", || Ok(leading(at).filter(|name| name != than))).unwrap()
}

fn until_caught_up(at: &Node, count: usize) {
    eventually(CAUGHT_UP_WITHIN, "all leaders have all of the log", || {
        let all = leaders(at).unwrap_or_default();
        let has_all = |l: &&Value| {
            l["role"] == "leader"
                || (l["behind"] == 0 && l["answered_ms"].as_u64().is_some_and(|ms| ms < 1_000) && l["votes"] == true)
        };
        Ok((all.iter().filter(has_all).count() == count).then_some(()))
    })
    .unwrap();
}

/// What was acknowledged.
#[derive(Default)]
struct Written {
    tokens: Vec<String>,
    /// Actors by global name.
    named: Vec<(String, String)>,
    /// The last change of a capability of the node that hosts.
    step: u64,
}

/// Writes at two nodes until it is told to stop.
fn write_until(stop: &AtomicBool, at: [&Node; 2], tag: &str, mut step: u64) -> Written {
    let (mut tokens, mut named) = (Vec::new(), Vec::new());
    while !stop.load(Relaxed) {
        let made = at[0].run(&["token", "create", "--ttl", "1h"]);
        assert_eq!(made.code, 0, "a leader that follows passes it on, before and after: {made:?}");
        tokens.push(made.out.trim().to_owned());
        let name = format!("{tag}-{}", named.len());
        let (address, _) = at[1].create(&["odeon.TestActor", "--global-name", &name, "--require", "hosts"]);
        named.push((name, address));
        // Doing it twice is doing it once, so that a change of leaders is no reason to fail.
        at[0].run(&["capability", "set", &format!("step={}", step + 1), "--on", "hosts"]).ok();
        step += 1;
    }
    Written { tokens, named, step }
}

/// How often the leader is killed; more in a longer run.
fn rounds() -> usize {
    std::env::var("ODEON_LEADER_KILLS").map_or(5, |text| text.parse().expect("a number of kills"))
}

#[test]
fn leaders_are_killed_one_after_the_other_and_nothing_that_was_acknowledged_is_lost() {
    let mut cluster = Cluster::led_by(program(&["--authority", "accept-all"])).unwrap();
    for name in ["second", "third"] {
        add_leader(&mut cluster, name, program(&[]));
    }
    cluster.member("asks", program(&[])).unwrap();
    cluster.member("hosts", program(&["--capability", "hosts=true"])).unwrap();
    let image = format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"));
    cluster.leader().run(&["image", "push", &image]).ok();
    let (warns, _) = cluster.node("asks").create(&["odeon.TestActor", "--require", "hosts"]);
    cluster.node("asks").ask(&warns, "warn under the first leader");
    let all = ["leader", "second", "third"];
    let (mut all_written, mut took_all) = (Written::default(), Vec::new());
    for round in 0..rounds() {
        let first = leading(cluster.node("asks")).unwrap();
        let other = all.iter().find(|name| **name != first).unwrap();
        let stop = AtomicBool::new(false);
        let pid = cluster.node(&first).pid();
        let (written, took) = std::thread::scope(|scope| {
            let at = [cluster.node(other), cluster.node("asks")];
            let tag = format!("round-{round}");
            let (stop, asks, step) = (&stop, cluster.node("asks"), all_written.step);
            let writer = scope.spawn(move || write_until(stop, at, &tag, step));
            // Another moment each time.
            std::thread::sleep(Duration::from_millis(100 + 37 * (round as u64 % 20)));
            let killed = Instant::now();
            assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
            until_led_by_another(asks, &first);
            let took = killed.elapsed();
            stop.store(true, Relaxed);
            (writer.join().unwrap(), took)
        });
        took_all.push(took);
        all_written.tokens.extend(written.tokens);
        all_written.named.extend(written.named);
        all_written.step = written.step;
        cluster.node_mut(&first).kill();
        cluster.node_mut(&first).restart().unwrap();
        until_caught_up(cluster.node("asks"), 3);
    }
    let Written { tokens, named, step } = all_written;
    println!(
        "{} tokens, {} names, {step} changes; the next led within {:?} of a kill: {took_all:.2?}",
        tokens.len(),
        named.len(),
        took_all.iter().max().unwrap(),
    );
    for (name, address) in &named {
        let again = cluster.node("asks").create(&["odeon.TestActor", "--global-name", name, "--require", "hosts"]);
        assert_eq!((&again.0, again.1.as_str()), (address, "hosts"), "{name} is another actor now");
    }
    assert!(cluster.node("asks").ask(&named[0].1, "still?").ends_with("got: still?"));
    for token in [tokens.first(), tokens.last()].into_iter().flatten() {
        let name = format!("joiner-{}", &token[token.len() - 6..]).replace(['-', '_'], "x");
        cluster.up(&name, program(&["--join", token])).unwrap();
    }
    cluster.node("asks").ask(&warns, "warn under the last leader");
    let logged = eventually(CAUGHT_UP_WITHIN, "the last warning is in the log", || {
        let out = cluster.node("asks").run(&["logs", "--node", "hosts", "--json"]).ok().out;
        Ok(out.contains("under the last leader").then_some(out))
    })
    .unwrap();
    assert_eq!(logged.matches("under the first leader").count(), 1, "the log is put together: {logged}");
    assert!(!logged.contains("\"lost\""), "what another leader has is not lost: {logged}");
    // Whoever leads now holds the image, whether it was there when it was pushed or not.
    let (hello, _) = cluster.node("asks").create(&["hello", "Hello", "--require", "hosts"]);
    assert_eq!(cluster.node("asks").ask(&hello, "are you there?"), "Hello, world!");
    let hosts = cluster.until_state("hosts", "alive", CHOSEN_WITHIN).unwrap();
    assert_eq!(hosts["capabilities"]["step"], step, "a change that was acknowledged is known to the last leader");
    for name in ["asks", "hosts"] {
        let view = cluster.until_state(name, "alive", CHOSEN_WITHIN).unwrap();
        assert_eq!(view["incarnation"], 1, "{name} lived all the time and was declared gone");
    }
}

/// A command that may fail only as it must where no majority of the leaders is.
fn no_majority(ran: &Ran) -> bool {
    assert!(ran.code == 0 || ran.err.starts_with("error[OD-105]"), "{ran:?}");
    ran.code != 0
}

#[test]
fn five_leaders_that_are_split_two_to_three_go_on_on_one_side_only_and_agree_when_it_heals() {
    let hosts = Hosts::new(7).unwrap();
    let on = |number: u8, arguments: &[&str]| Start {
        before: hosts.on(number),
        listen: Some(format!("{}:5340", Hosts::address(number))),
        ..program(arguments)
    };
    let mut cluster = Cluster::led_by(on(0, &["--authority", "accept-all"])).unwrap();
    for number in 1..5 {
        add_leader(&mut cluster, &format!("l{number}"), on(number, &[]));
    }
    cluster.member("few", on(5, &["--capability", "side=few"])).unwrap();
    cluster.member("many", on(6, &["--capability", "side=many"])).unwrap();
    let (few, _) = cluster.node("few").create(&["odeon.TestActor"]);
    let sides = [[0, 1, 5].as_slice(), [2, 3, 4, 6].as_slice()];
    let pairs = || sides[0].iter().flat_map(|a| sides[1].iter().map(|b| (*a, *b)));
    pairs().for_each(|(a, b)| hosts.cut(a, b).unwrap());
    let split = Instant::now();
    let next = until_led_by_another(cluster.node("l4"), "leader");
    println!("{next} led {:?} after the split", split.elapsed());
    assert!(["l2", "l3", "l4"].contains(&next.as_str()), "{next}");
    let named = ["odeon.TestActor", "--global-name", "one", "--placement", "local"];
    let (one, _) = cluster.node("many").create(&named);
    let token = cluster.node("l4").run(&["token", "create"]).ok().out.trim().to_owned();
    // On the other side nobody leads: what lives goes on, and nothing is promised.
    for name in ["leader", "l1"] {
        assert!(no_majority(&cluster.node(name).run(&["token", "create"])), "two sides promise at once");
    }
    assert!(cluster.node("few").ask(&few, "alive?").ends_with("got: alive?"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let ran = cluster.node("few").run(&["create", named[0], named[1], named[2], "--json"]);
            (ran.code == 0).then(|| ran.json()["address"].as_str().unwrap().to_owned())
        });
        std::thread::sleep(Duration::from_secs(2));
        pairs().for_each(|(a, b)| hosts.heal(a, b).unwrap());
        // It asked while it was cut off and is told of the one that there is, or that it cannot know.
        assert!(asked.join().unwrap().is_none_or(|address| address == one), "two actors of one name");
    });
    until_caught_up(cluster.node("leader"), 5);
    let seen: Vec<_> = (1..5).map(|n| leading(cluster.node(&format!("l{n}")))).collect();
    assert!(seen.iter().all(|leader| leader.is_some() && *leader == seen[0]), "{seen:?}");
    assert_eq!(cluster.node("l1").create(&named).0, one);
    let listen = Some(format!("{}:5350", Hosts::address(6)));
    cluster.up("joiner", Start { listen, ..on(6, &["--join", &token]) }).unwrap();
    cluster.until_state("few", "alive", CAUGHT_UP_WITHIN).unwrap();
}

#[test]
fn a_revocation_outlives_two_leaders_and_every_node_confirms_it_to_each_of_them() {
    let mut cluster = Cluster::led_by(program(&["--authority", "accept-all"])).unwrap();
    for name in ["second", "third"] {
        add_leader(&mut cluster, name, program(&[]));
    }
    cluster.member("hosts", program(&["--capability", "hosts=true"])).unwrap();
    let image = format!("{}/../examples/hello/hello.zip", env!("CARGO_MANIFEST_DIR"));
    let hash = cluster.leader().json(&["image", "push", &image])["hash"].as_str().unwrap().to_owned();
    let (bye, _) = cluster.leader().create(&["hello", "Goodbye", "--require", "hosts"]);
    assert_eq!(cluster.node("hosts").ask(&bye, "?"), "Goodbye");
    cluster.node_mut("leader").kill();
    let next = until_led_by_another(cluster.node("second"), "leader");
    // One that leads answers, and one that does not passes it on.
    let other = if next == "second" { "third" } else { "second" };
    let revoked = cluster.node(other).run(&["image", "revoke", "hello", "--timeout", "2s", "--json"]).json();
    let away: Vec<_> = revoked["unconfirmed"].as_array().unwrap().iter().map(|node| node["name"].clone()).collect();
    assert!(away.iter().all(|name| name == "leader") && revoked["confirmed"] == 3, "{revoked}");

    cluster.node_mut("leader").restart().unwrap();
    until_caught_up(cluster.node("hosts"), 3);
    let revoke = ["image", "revoke", "hello", "--timeout", "60s", "--json"];
    let all = cluster.node(&next).run(&revoke).ok().json();
    assert_eq!(all["confirmed"], 4, "{all}");
    assert!(files_of(&cluster.node("leader").data, &hash).is_empty(), "it was away, and has confirmed");

    cluster.node_mut(&next).kill();
    until_led_by_another(cluster.node(other), &next);
    // Once the one that was killed is known to be dead nobody is missing.
    let all = cluster.node(other).run(&revoke).ok().json();
    assert_eq!(all["confirmed"], 3, "{all}");
    for name in ["leader", other] {
        let refused = cluster.node(name).run(&["image", "push", &image]);
        assert!(refused.code == 5 && refused.err.contains("error[OD-138]"), "{refused:?}");
        assert!(files_of(&cluster.node(name).data, &hash).is_empty(), "{name}");
    }
    assert_eq!(cluster.node("hosts").ask(&bye, "?"), "Goodbye", "its actor runs, as nobody asked it to exit");
}
