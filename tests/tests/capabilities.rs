//! What becomes of actors when the capabilities of their node change, and what nodes say of themselves to actors.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn test_node(capabilities: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::with(capabilities) }
}

/// A leader that has little, and a member that has much.
fn cluster() -> Cluster {
    let mut cluster = Cluster::led_by(test_node(&[]).and(&["--authority", "accept-all"])).unwrap();
    cluster.member("far", test_node(&["zone=eu", "gpu=true", "Has DB access=true", "nursery=true"])).unwrap();
    cluster
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn set(node: &Node, words: &[&str]) {
    node.run(&[&["capability"], words].concat()).ok();
}

fn until_gone(node: &Node, actor: &str) {
    eventually(SOON, "it is gone", || {
        let status = node.run(&["status", actor]);
        Ok((status.code == 1 && status.err.contains("OD-140")).then_some(()))
    })
    .unwrap();
}

fn lives(node: &Node, actor: &str) -> bool {
    node.run(&["status", actor]).code == 0
}

#[test]
fn actors_exit_when_their_node_does_not_suit_them_any_more_and_others_stay() {
    let cluster = cluster();
    let (leader, far) = (cluster.leader(), cluster.node("far"));
    let guest = repository().join("tests/guest/guest.zip");
    leader.run(&["image", "push", &guest.display().to_string()]).ok();
    let create = |arguments: &[&str]| leader.create(&[arguments, &["--on", "far"]].concat()).0;
    let tenant = create(&["Tenant", "--global-name", "the tenant"]);
    let of_image = create(&["test-guest", "CheckReads"]);
    let failing = create(&["test-guest", "CheckPanics"]);
    let wishing = create(&["Sink", "--require", "gpu", "--where", "zone != 'moon'"]);
    let preferring = create(&["Sink", "--prefer", "gpu"]);
    let all = [&tenant, &of_image, &failing, &wishing, &preferring];

    // Something else changes, by the leader's operator.
    set(leader, &["set", "water=true", "--on", "far"]);
    assert!(all.iter().all(|actor| lives(leader, actor)));
    set(leader, &["set", "zone=closed", "--on", "far"]);
    until_gone(leader, &tenant);
    until_gone(leader, &of_image);
    assert!([&failing, &wishing, &preferring].iter().all(|actor| lives(leader, actor)));
    let (next, node) = leader.create(&["Tenant", "--global-name", "the tenant"]);
    assert!(next != tenant && node == "leader", "its name is free, and its node is none for it: {next} on {node}");

    // The operator of the node itself. A check that panics says no, as it does before a creation.
    set(far, &["unset", "zone"]);
    until_gone(leader, &failing);
    until_gone(leader, &wishing);
    set(far, &["unset", "gpu"]);
    set(far, &["unset", "Has DB access"]);
    assert_eq!(far.json(&["status"])["actors"], 1, "a preference is no condition");
    assert!(lives(leader, &preferring));
}

#[test]
fn a_parent_on_another_node_is_told_once_and_all_of_a_kind_exit_by_one_check() {
    let cluster = cluster();
    let (leader, far) = (cluster.leader(), cluster.node("far"));
    let (keeper, _) = leader.create(&["Keeper", "--on", "leader"]);
    let adopt = json!({"Adopt": {"actor": "Sleeper", "require": "gpu", "global_name": null}});
    let child = leader.ask(&keeper, &adopt.to_string());
    let exits = || serde_json::from_str::<Vec<String>>(&leader.ask(&keeper, "exits")).unwrap();
    assert!(lives(far, child.trim_matches('"')) && exits().is_empty());
    set(far, &["set", "water=true"]);
    let (landlord, _) = leader.create(&["Landlord", "--on", "far"]);
    let (tenant, _) = leader.create(&["Tenant", "--on", "far"]);
    assert_eq!(leader.ask(&landlord, r#"{"Number": 10000}"#), "10000");
    let checks = || leader.ask(&tenant, "checks").parse::<i64>().unwrap();
    let before = checks();
    assert!(before <= 2, "{before}: the same is asked once");

    set(far, &["unset", "water"]);
    let told = |count: i64| {
        let expected = json!([10_000, count]).to_string();
        eventually(SOON, "the landlord is told of each", || {
            let said = leader.ask(&landlord, "exits").replace(' ', "");
            Ok((said == expected).then_some(()))
        })
        .unwrap();
    };
    told(5_000);
    assert_eq!(checks(), before, "what the check reads is the same");
    set(far, &["unset", "gpu"]);
    eventually(SOON, "the parent is told", || Ok((!exits().is_empty()).then_some(()))).unwrap();
    set(far, &["set", "zone=closed"]);
    told(10_000);
    assert_eq!(exits().len(), 1, "{:?}", exits());
    assert!(lives(far, &landlord));
}

#[test]
fn of_two_changes_the_last_state_counts() {
    let cluster = cluster();
    let (leader, far) = (cluster.leader(), cluster.node("far"));
    let (ponderer, _) = leader.create(&["Ponderer", "--on", "far"]);
    assert_eq!(leader.ask(&ponderer, "close"), "to and fro");
    let (tenant, _) = leader.create(&["Tenant", "--on", "far"]);
    // By then its check has said no to what was, and this look follows that one.
    set(far, &["set", "tick=true"]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(lives(leader, &ponderer) && lives(leader, &tenant));
}

#[test]
fn a_check_that_gives_no_word_ends_nobody_until_it_does() {
    let cluster = cluster();
    let (leader, far) = (cluster.leader(), cluster.node("far"));
    let (slow, _) = leader.create(&["SlowTenant", "--on", "far"]);
    let (tenant, _) = leader.create(&["Tenant", "--on", "far"]);
    set(far, &["set", "slow=true"]);
    eventually(SOON, "its check takes too long", || {
        Ok(far.stderr().contains("nobody knows whether actors may stay").then_some(()))
    })
    .unwrap();
    assert!(lives(leader, &slow), "a slow machine costs no actor");
    until_gone(leader, &slow);
    assert!(lives(leader, &tenant));
    let warned = far.stderr().matches("nobody knows whether actors may stay").count();
    assert_eq!(warned, 1, "it is said once");
}

#[test]
fn the_actor_that_decides_for_its_node_stays_whatever_changes() {
    let mut cluster = cluster();
    cluster.member("strict", test_node(&["gpu=true"]).and(&["--image-authority", "Magistrate"])).unwrap();
    let (leader, strict) = (cluster.leader(), cluster.node("strict"));
    let (wishing, _) = leader.create(&["Sink", "--require", "gpu", "--on", "strict"]);
    set(strict, &["unset", "gpu"]);
    until_gone(leader, &wishing);
    assert_eq!(strict.json(&["status"])["image_authority"]["lives"], true);
}

#[test]
fn an_actor_of_a_process_exits_when_its_check_says_no_or_fails() {
    let mut cluster = Cluster::new().unwrap();
    // Whom processes run as has to get to the member's folder.
    fs::set_permissions(cluster.dir(), Permissions::from_mode(0o711)).unwrap();
    let path = ["env".to_owned(), "PATH=/usr/local/bin:/usr/bin:/bin".to_owned()];
    let start = Start { before: path.into(), ..Start::with(&["zone=eu", "Has DB access=true"]) };
    let start = start.and(&["--allow-process", "yes"]);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    cluster.member("py", if is_root { start.and(&["--process-user", "nobody"]) } else { start }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("odeon")).unwrap();
    for (from, to) in [("tests/guest_python", ""), ("python/odeon", "odeon")] {
        for file in fs::read_dir(repository().join(from)).unwrap().flatten().filter(|file| file.path().is_file()) {
            fs::copy(file.path(), folder.path().join(to).join(file.file_name())).unwrap();
        }
    }
    let leader = cluster.leader();
    leader.run(&["image", "push", &folder.path().display().to_string()]).ok();
    let create = |actor: &str| leader.create(&["test-guest-python", actor]).0;
    let (reads, fails, stays) = (create("CheckReads"), create("CheckPanics"), create("Rogue"));
    set(leader, &["set", "zone=us", "--on", "py"]);
    until_gone(leader, &reads);
    assert!(lives(leader, &fails));
    set(leader, &["unset", "zone", "--on", "py"]);
    until_gone(leader, &fails);
    assert_eq!(leader.ask(&stays, "count"), "1");

    // It asks its node as any other actor does.
    let gauge = create("Gauge");
    let own: Value = serde_json::from_str(&leader.ask(&gauge, "own")).unwrap();
    assert_eq!(own["status"]["name"], "py", "{own}");
    assert_eq!(own["status"]["capabilities"]["odeon.process"], true, "{own}");
}

#[test]
fn an_actor_is_told_how_its_node_is_and_others_are() {
    let mut cluster = cluster();
    let hash = cluster.push_hello();
    let far_rates = test_node(&["zone=eu"]).and(&["--actor-rate-limit", "5000"]);
    cluster.member("third", far_rates).unwrap();
    let (gauge, _) = cluster.leader().create(&["Gauge", "--on", "far"]);
    let how_at = |leader: &Node, node: Option<&str>| -> Value {
        let ask = json!({"HowIs": {"node": node}}).to_string();
        serde_json::from_str(&leader.ask(&gauge, &ask)).unwrap()
    };
    let leader = cluster.leader();
    let how = |node| how_at(leader, node);
    eventually(SOON, "it knows the nodes", || Ok((leader.ask(&gauge, "learn") == "3").then_some(()))).unwrap();

    let own = how(None);
    let status = &own["status"];
    assert_eq!((&status["name"], &status["actors"]), (&json!("far"), &json!(1)), "{own}");
    assert_eq!(status["capabilities"]["zone"], "eu", "{own}");
    assert_eq!(own["of"], status["node"], "{own}");
    assert!(own["refusal"].is_null() && status["received"].as_u64() >= Some(3), "{own}");
    assert_eq!(status["rate_limits"], json!({"actor": null, "node": null, "rests": 0}), "{own}");

    let led = how(Some("leader"));
    assert_eq!((&led["status"]["name"], &led["status"]["leader"]), (&json!("leader"), &led["of"]), "{led}");
    assert_eq!(led["status"]["images"], json!([hash]), "{led}");
    assert_eq!(status["leader"], led["of"], "{own}");
    // No link was needed before between these two.
    let third = how(Some("third"));
    assert_eq!(third["status"]["name"], "third", "{third}");
    assert_eq!(third["status"]["rate_limits"]["actor"], 5000, "{third}");

    // So an actor of an image is told.
    let guest = repository().join("tests/guest/guest.zip");
    leader.run(&["image", "push", &guest.display().to_string()]).ok();
    let (of_image, _) = leader.create(&["test-guest", "NodeGauge", "--on", "far"]);
    let as_image: Value = serde_json::from_str(&leader.ask(&of_image, "how")).unwrap();
    assert_eq!((&as_image["of"], &as_image["status"]["name"]), (&own["of"], &json!("far")), "{as_image}");
    assert_eq!(as_image["status"]["actors"], 2, "{as_image}");
    leader.run(&["stop", &of_image]).ok();
    until_gone(leader, &of_image);

    // Counts go on where actors are gone.
    let (sink, _) = leader.create(&["Sink", "--on", "far"]);
    let (source, _) = leader.create(&["Source", "--on", "leader"]);
    leader.ask(&source, &json!({"Flow": {"to": sink, "count": 3000}}).to_string());
    eventually(SOON, "all have come", || Ok(leader.ask(&sink, "report").contains("3000").then_some(()))).unwrap();
    leader.run(&["stop", &sink]).ok();
    until_gone(leader, &sink);
    leader.run(&["tell", &sink, "anything"]);
    let later = eventually(SOON, "what was is counted", || {
        let later = how(None)["status"].clone();
        let more = later["received"].as_u64().unwrap() - status["received"].as_u64().unwrap();
        Ok((more >= 3000 && later["actors"] == 1).then_some(later))
    })
    .unwrap();
    assert!(later["uptime_s"].as_u64() >= status["uptime_s"].as_u64(), "{later}");

    cluster.node_mut("third").kill();
    let gone = how_at(cluster.leader(), Some("third"));
    assert!(gone["status"].is_null(), "{gone}");
    let code = gone["refusal"][0].as_u64().unwrap();
    assert!(code == 100 || code == 102, "{gone}");
}
