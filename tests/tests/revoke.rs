//! Images that are revoked: nothing comes from them any more, and that can be proven.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually, files_of, hello};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn names(unconfirmed: &Value) -> Vec<&str> {
    unconfirmed.as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

/// How many actors of an image run on a node.
fn actors_of(node: &Node, hash: &str) -> usize {
    let actors = node.json(&["actors", "--node", &node.name]);
    actors.as_array().unwrap().iter().filter(|actor| actor["image"] == hash).count()
}

#[test]
fn a_revoked_image_ends_everywhere_and_a_node_that_was_away_confirms_when_it_is_back() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("gpu", Start::with(&["gpu=2"])).unwrap();
    cluster.member("away", Start::with(&["far=true"])).unwrap();
    let hash = cluster.push_hello();
    let (here, _) = cluster.leader().create(&["hello", "Goodbye", "--on", "gpu"]);
    let (there, _) = cluster.leader().create(&["hello", "Goodbye", "--on", "away"]);
    for address in [&here, &there] {
        assert_eq!(cluster.leader().ask(address, "leaving?"), "Goodbye");
    }
    assert!(!files_of(&cluster.node("away").data, &hash).is_empty());
    cluster.node_mut("away").kill();

    let leader = cluster.leader();
    let arguments = ["image", "revoke", "hello", "--end", "--reason", "it leaks", "--timeout", "2s", "--json"];
    let revoked = leader.run(&arguments);
    assert_eq!(revoked.code, 3, "{revoked:?}");
    assert!(revoked.err.contains("error[OD-139]"), "{revoked:?}");
    let told = revoked.json();
    let known = (told["hash"].as_str(), told["name"].as_str(), told["version"].as_str(), told["confirmed"].as_u64());
    assert_eq!(known, (Some(hash.as_str()), Some("hello"), Some("1.0.0"), Some(2)));
    assert_eq!(names(&told["unconfirmed"]), ["away"], "{told}");
    assert_eq!(told["unconfirmed"][0]["node"], cluster.node("away").id, "{told}");
    // Whoever has confirmed has neither its bytes nor its code.
    for name in ["leader", "gpu"] {
        assert_eq!(files_of(&cluster.node(name).data, &hash), [] as [std::path::PathBuf; 0], "{name}");
    }
    eventually(SOON, "its actor has exited", || Ok((actors_of(cluster.node("gpu"), &hash) == 0).then_some(())))
        .unwrap();
    let gone = leader.run(&["ask", &here, "leaving?"]);
    assert!(gone.err.contains("error[OD-140]"), "{gone:?}");
    for arguments in [vec!["create", &hash, "Goodbye"], vec!["image", "push", &hello()], vec!["image", "unload", &hash]]
    {
        let refused = leader.run(&arguments);
        assert_eq!(refused.code, 5, "{arguments:?}: {refused:?}");
        assert!(refused.err.contains("error[OD-138]"), "{refused:?}");
        assert_eq!(files_of(&leader.data, &hash), [] as [std::path::PathBuf; 0], "{arguments:?} leaves nothing");
    }

    cluster.node_mut("away").restart().unwrap();
    let confirmed = cluster.leader().run(&["image", "revoke", "hello", "--end", "--timeout", "60s", "--json"]).ok();
    let told = confirmed.json();
    assert_eq!((told["confirmed"].as_u64(), &told["unconfirmed"]), (Some(3), &json!([])), "{told}");
    assert_eq!(files_of(&cluster.node("away").data, &hash), [] as [std::path::PathBuf; 0]);
    let listed = cluster.leader().json(&["image", "list"]);
    let shown = ["state", "by"].map(|key| listed[0][key].as_str().unwrap());
    assert_eq!(shown, ["revoked", "the owner of node leader: it leaks"]);
    assert_eq!((&listed[0]["nodes"], &listed[0]["actors"]), (&json!(0), &json!(0)), "{listed}");
    let refused = cluster.leader().run(&["create", "hello", "Goodbye"]);
    assert!(refused.code == 5 && refused.err.contains("error[OD-138]"), "{refused:?}");
}

#[test]
fn actors_of_a_revoked_image_run_on_without_children_until_they_are_asked_to_exit_and_their_parents_are_told() {
    let program = |capability| Start { program: Some(beside("test_node")), ..Start::with(&[capability]) };
    let mut cluster = Cluster::led_by(program("keeps=true").and(&["--authority", "accept-all"])).unwrap();
    cluster.member("gpu", program("gpu=true")).unwrap();
    let hash = cluster.push_hello();
    let leader = cluster.leader();
    let (greets, _) = leader.create(&["hello", "Hello", "--require", "gpu"]);
    assert_eq!(leader.ask(&greets, "are you there?"), "Hello, world!");
    let (keeper, _) = leader.create(&["Keeper", "--require", "keeps"]);
    let adopt = json!({ "Adopt": { "actor": "World", "require": "gpu", "global_name": null, "image": hash } });
    leader.run(&["tell", &keeper, &adopt.to_string()]).ok();
    // Hello's World stays, as nobody asks it to exit.
    let three = || Ok((actors_of(cluster.node("gpu"), &hash) == 3).then_some(()));
    eventually(SOON, "its child is on the other node", three).unwrap();

    let revoked = leader.run(&["image", "revoke", &hash, "--timeout", "60s"]).ok();
    assert!(revoked.out.starts_with(&hash) && revoked.out.contains("confirmed by 2 of 2 nodes"), "{revoked:?}");
    assert_eq!(actors_of(cluster.node("gpu"), &hash), 3, "who runs goes on");
    let unanswered = leader.run(&["ask", &greets, "are you there?", "--timeout", "2s"]);
    assert_eq!(unanswered.code, 3, "its World would be a new actor of the image: {unanswered:?}");
    assert_eq!(leader.ask(&keeper, "exits"), "[]");

    leader.run(&["image", "revoke", &hash, "--end", "--timeout", "60s"]).ok();
    eventually(SOON, "all have exited", || Ok((actors_of(cluster.node("gpu"), &hash) == 0).then_some(()))).unwrap();
    let exits = eventually(SOON, "the parent is told", || {
        let exits = leader.ask(&keeper, "exits");
        Ok((exits != "[]").then_some(exits))
    });
    let exits = exits.unwrap();
    assert_eq!(exits.matches("it was asked to exit").count(), 1, "{exits}");
}

#[test]
fn an_image_can_be_revoked_before_anybody_pushes_it() {
    let cluster = Cluster::new().unwrap();
    let verified = cluster.leader().run(&["image", "revoke", "hello"]);
    assert!(verified.code == 1 && verified.err.contains("error[OD-126]"), "{verified:?}");
    let packed = cluster.leader().json(&["image", "push", &hello()]);
    let hash = packed["hash"].as_str().unwrap();
    cluster.leader().run(&["image", "unload", hash]).ok();
    let revoked = cluster.leader().json(&["image", "revoke", hash, "--timeout", "60s"]);
    assert_eq!((&revoked["name"], &revoked["confirmed"]), (&json!(""), &json!(1)), "its name went with it: {revoked}");
    let refused = cluster.leader().run(&["image", "push", &hello()]);
    assert!(refused.code == 5 && refused.err.contains("error[OD-138]"), "{refused:?}");
    assert_eq!(cluster.leader().json(&["image", "list"])[0]["state"], "revoked");
}
