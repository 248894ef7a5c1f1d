//! A node that lets an actor of its own decide which approved images it uses, beside nodes that take the leader's word.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Ran, Start, beside, eventually, files_of, odeon, padded_hello};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
/// How long a silent actor is waited for here.
const SILENCE: Duration = Duration::from_secs(2);

fn with_test_actors(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

fn with_own(arguments: &[&str]) -> Start {
    with_test_actors(&["--image-authority", "Judge", "--image-authority-timeout", "2s"]).and(arguments)
}

/// A leader that approves everything, `careful`, whose own actor does so, and `trusting`.
fn fleet(does: &str) -> Cluster {
    let mut cluster = Cluster::led_by(with_test_actors(&["--authority", "accept-all"])).unwrap();
    let has = ["--capability", "gpu=true", "--capability", "careful=true"];
    cluster.member("careful", with_own(&has)).unwrap();
    cluster.member("trusting", Start::with(&["gpu=true"])).unwrap();
    tell(cluster.node("careful"), does);
    cluster
}

/// The address of a node's own authority.
fn judge(node: &Node) -> String {
    let own = node.json(&["status"])["image_authority"].clone();
    assert!(own["actor"] == "Judge" && own["lives"] == true, "{own}");
    own["address"].as_str().unwrap().to_owned()
}

fn tell(node: &Node, does: &str) {
    assert_eq!(node.ask(&judge(node), does), does);
}

fn asked(node: &Node) -> Vec<String> {
    let asked = node.json(&["ask", &judge(node), "asked"]);
    asked.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn create(cluster: &Cluster, image: &str, capability: &str) -> Ran {
    cluster.leader().run(&["create", image, "Hello", "--require", capability, "--placement", "spread", "--json"])
}

/// A creation that only the careful node could do, and that it refuses.
fn refused(cluster: &Cluster, image: &str, code: &str) -> String {
    let refused = create(cluster, image, "careful");
    assert!(refused.code == 4 && refused.err.contains("error[OD-130]"), "{refused:?}");
    assert!(refused.err.contains(code), "{code}: {refused:?}");
    refused.err
}

fn runs(cluster: &Cluster, image: &str, capability: &str, on: &str) {
    let made = create(cluster, image, capability).ok().json();
    assert_eq!(made["node"], on);
    assert_eq!(cluster.leader().ask(made["address"].as_str().unwrap(), "are you there?"), "Hello, world!");
}

fn until_said(node: &Node, what: &str) {
    let said = || node.stderr().contains(what).then_some(());
    eventually(SOON, what, || Ok(said())).unwrap();
}

#[test]
fn what_a_nodes_own_actor_rejects_it_does_not_host_whatever_the_leader_approves() {
    let cluster = fleet("reject");
    let careful = cluster.node("careful");
    let hash = cluster.push_hello();
    let said = refused(&cluster, "hello", "OD-179");
    assert!(said.contains("hello is not wanted"), "gives the reason: {said}");
    for _ in 0..3 {
        runs(&cluster, "hello", "gpu", "trusting");
    }
    assert!(files_of(&careful.data.join("compiled"), &hash).is_empty(), "its code was not looked at");
    refused(&cluster, "hello", "OD-179");
    assert_eq!(asked(careful).len(), 1, "what it has said holds");
    // The creator is told as well, and so is the fleet's log.
    let (keeper, _) = cluster.leader().create(&["Keeper", "--on", "leader"]);
    let adopt = json!({ "Adopt": { "actor": "Hello", "require": "careful", "global_name": null, "image": hash } });
    cluster.leader().run(&["tell", &keeper, &adopt.to_string()]).ok();
    let told = || cluster.leader().ask(&keeper, "exits");
    eventually(SOON, "the creator is told", || Ok(told().contains("OD-179").then_some(()))).unwrap();
    let logs = || cluster.leader().run(&["logs", "--node", "careful", "--json"]).ok().out;
    eventually(SOON, "the leader's log has it", || Ok(logs().contains("OD-179").then_some(()))).unwrap();
    // Unloaded and pushed anew it is asked about again.
    tell(careful, "approve");
    cluster.leader().run(&["image", "unload", &hash]).ok();
    eventually(SOON, "the node has let go of it", || Ok(files_of(&careful.data, &hash).is_empty().then_some(())))
        .unwrap();
    cluster.push_hello();
    runs(&cluster, "hello", "careful", "careful");
}

#[test]
fn an_actor_of_a_node_reads_all_of_an_image_before_it_approves_it() {
    let cluster = fleet("read");
    let zip = padded_hello(cluster.dir(), 3 << 20);
    cluster.leader().run(&["image", "push", &zip.display().to_string()]).ok();
    runs(&cluster, "hello", "careful", "careful");
    let bytes = std::fs::metadata(&zip).unwrap().len();
    let all = [format!("hello of {bytes} bytes with 0 signatures"), format!("read {bytes} bytes")];
    assert_eq!(asked(cluster.node("careful")), all);
    runs(&cluster, "hello", "careful", "careful");
    assert_eq!(asked(cluster.node("careful")).len(), 2, "what it has said holds");
}

#[test]
fn silence_is_bounded_and_is_no_verdict_also_of_an_image_that_was_there_before() {
    let mut cluster = fleet("say nothing");
    cluster.push_hello();
    let since = Instant::now();
    let said = refused(&cluster, "hello", "OD-180");
    assert!(said.contains("within 2 s") && since.elapsed() >= SILENCE, "{said}");
    runs(&cluster, "hello", "gpu", "trusting");
    tell(cluster.node("careful"), "approve");
    runs(&cluster, "hello", "careful", "careful");
    // Another start asks again, and has the bytes.
    cluster.node_mut("careful").kill();
    cluster.node_mut("careful").restart().unwrap();
    cluster.until_state("careful", "alive", SOON).unwrap();
    refused(&cluster, "hello", "OD-180");
    tell(cluster.node("careful"), "answer twice");
    runs(&cluster, "hello", "careful", "careful");
}

#[test]
fn what_else_an_actor_of_a_node_does_is_no_verdict_either() {
    let mut cluster = fleet("approve");
    let clumsy = ["--image-authority", "Clumsy", "--capability", "clumsy=true"];
    cluster.member("clumsy", with_test_actors(&clumsy)).unwrap();
    cluster.push_hello();
    let said = create(&cluster, "hello", "clumsy");
    assert!(said.err.contains("OD-181") && said.err.contains("failed twice on the image: all thumbs"), "{said:?}");
    for (does, why) in [
        ("hand over no image", "approves something else in its place"),
        ("hand over too much", "handed over more than"),
        ("read for ever", "sent more than"),
    ] {
        tell(cluster.node("careful"), does);
        let said = refused(&cluster, "hello", "OD-181");
        assert!(said.contains(why), "{does}: {said}");
    }
    tell(cluster.node("careful"), "have others answer");
    refused(&cluster, "hello", "OD-180");
    tell(cluster.node("careful"), "answer for another");
    let said = refused(&cluster, "hello", "OD-179");
    assert!(said.contains("the last word is on this image"), "{said}");
}

#[test]
fn when_a_nodes_own_actor_is_gone_it_uses_what_was_approved_and_nothing_new() {
    let mut cluster = fleet("approve");
    let first = cluster.push_hello();
    runs(&cluster, &first, "careful", "careful");
    let large = padded_hello(cluster.dir(), 1 << 20).display().to_string();
    let pushed = cluster.leader().json(&["image", "push", &large, "--allow-older"]);
    let second = pushed["hash"].as_str().unwrap();
    // It exits on the question: nobody waits for the end of its time.
    tell(cluster.node("careful"), "exit");
    let since = Instant::now();
    let said = refused(&cluster, second, "OD-181");
    assert!(said.contains("is gone until the next start") && since.elapsed() < SILENCE, "{:?} {said}", since.elapsed());
    until_said(cluster.node("careful"), "own Source Authority is gone");
    assert_eq!(cluster.node("careful").json(&["status"])["image_authority"]["lives"], false);
    runs(&cluster, &first, "careful", "careful");
    refused(&cluster, second, "OD-181");
    runs(&cluster, second, "gpu", "trusting");
    // The next start creates it anew.
    cluster.node_mut("careful").terminate().unwrap();
    cluster.node_mut("careful").restart().unwrap();
    cluster.until_state("careful", "alive", SOON).unwrap();
    tell(cluster.node("careful"), "approve");
    runs(&cluster, second, "careful", "careful");
    // It does not hold up a drain, and that it ends with its node is no news.
    cluster.leader().run(&["node", "drain", "careful", "--timeout", "20s"]).ok();
    assert_eq!(cluster.node_mut("careful").wait(SOON).unwrap(), 0);
    let said = cluster.node("careful").stderr();
    assert!(!said.contains("own Source Authority is gone"), "{said}");
}

#[test]
fn a_leader_with_an_actor_of_its_own_approves_and_hands_out_what_it_does_not_run() {
    let mut cluster = Cluster::led_by(with_own(&["--authority", "accept-all"])).unwrap();
    cluster.member("trusting", Start::with(&["gpu=true"])).unwrap();
    tell(cluster.leader(), "reject");
    let hash = cluster.push_hello();
    let compiled = |cluster: &Cluster| files_of(&cluster.leader().data.join("compiled"), &hash);
    assert_eq!(compiled(&cluster), Vec::<PathBuf>::new(), "its code was not tried");
    let here = ["create", "hello", "Hello", "--on", "leader"];
    let said = cluster.leader().run(&here);
    assert!(said.code == 4 && said.err.contains("OD-179"), "{said:?}");
    runs(&cluster, "hello", "gpu", "trusting");
    assert_eq!(asked(cluster.leader()).len(), 1, "at the push");
    cluster.leader().run(&["image", "unload", &hash]).ok();
    tell(cluster.leader(), "approve");
    cluster.push_hello();
    let (actor, on) = cluster.leader().create(&here[1..]);
    assert_eq!((on.as_str(), cluster.leader().ask(&actor, "are you there?").as_str()), ("leader", "Hello, world!"));
}

#[test]
fn a_node_does_not_start_without_the_actor_that_is_to_decide() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("node");
    let up = |program: PathBuf, actor: &str| {
        let mut command = Command::new(program);
        command.args(["up", "--listen", "127.0.0.1:0", "--image-authority", actor, "--data"]).arg(&data);
        let ran = command.output().unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (code, said) = up(odeon(), "Judge");
    assert!(code == Some(1) && said.contains("error[OD-182]") && said.contains("odeon.TestActor"), "{code:?} {said}");
    assert!(!data.join("identity").exists(), "nothing was founded");
}
