//! Who holds an image: nodes that are to have it early, nodes that have no room for it, nodes that are rid of it.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, beside, eventually, hello, odeon, padded_hello};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// How many actors of an image run, on all nodes.
fn actors_of(node: &Node, hash: &str) -> usize {
    let actors = node.json(&["actors"]);
    actors.as_array().unwrap().iter().filter(|actor| actor["image"] == hash).count()
}

#[test]
fn a_drained_image_has_no_actors_anywhere_its_parents_are_told_and_it_can_be_pushed_again() {
    let program = |capability| Start { program: Some(beside("test_node")), ..Start::with(&[capability]) };
    let mut cluster = Cluster::led_by(program("keeps=true").and(&["--authority", "accept-all"])).unwrap();
    cluster.member("gpu", program("gpu=true")).unwrap();
    cluster.member("web", program("web=true")).unwrap();
    let hash = cluster.push_hello();
    let leader = cluster.leader();
    for node in ["gpu", "web", "leader"] {
        leader.create(&["hello", "Goodbye", "--on", node]);
    }
    let (keeper, _) = leader.create(&["Keeper", "--require", "keeps"]);
    let adopt = json!({ "Adopt": { "actor": "World", "require": "gpu", "global_name": null, "image": hash } });
    leader.run(&["tell", &keeper, &adopt.to_string()]).ok();
    eventually(SOON, "all four run", || Ok((actors_of(leader, &hash) == 4).then_some(()))).unwrap();

    let drained = cluster.node("web").run(&["image", "drain", "hello"]);
    assert!(drained.err.contains("error[OD-114]"), "a member's owner may not: {drained:?}");
    assert_eq!(actors_of(leader, &hash), 4);
    let drained = leader.json(&["image", "drain", "hello"]);
    assert_eq!(drained, json!({ "hash": hash, "actors": 4, "nodes": 3 }));
    assert_eq!(actors_of(leader, &hash), 0, "before the command has ended");
    let exits = eventually(SOON, "the parent is told", || {
        let exits = leader.ask(&keeper, "exits");
        Ok((exits != "[]").then_some(exits))
    });
    assert_eq!(exits.unwrap().matches("it was asked to exit").count(), 1);
    let refused = leader.run(&["create", "hello", "Goodbye"]);
    assert!(refused.err.contains("error[OD-126]"), "{refused:?}");
    let again = leader.json(&["image", "drain", &hash]);
    assert_eq!(again, json!({ "hash": hash, "actors": 0, "nodes": 0 }), "there is nothing left to do");
    let unknown = leader.run(&["image", "drain", "hello"]);
    assert!(unknown.err.contains("error[OD-126]"), "{unknown:?}");

    assert_eq!(cluster.push_hello(), hash);
    let (address, _) = cluster.leader().create(&["hello", "Goodbye", "--on", "gpu"]);
    assert_eq!(cluster.leader().ask(&address, "leaving?"), "Goodbye");
}

#[test]
fn a_node_that_cannot_be_asked_is_named_and_a_drain_goes_on_where_it_ended() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("stuck", Start::with(&["slow=true"])).unwrap();
    let hash = cluster.push_hello();
    cluster.leader().create(&["hello", "Goodbye", "--on", "stuck"]);
    cluster.node("stuck").signal("-STOP");
    let drained = cluster.leader().run(&["image", "drain", "hello", "--timeout", "1s"]);
    assert_eq!(drained.code, 3, "{drained:?}");
    assert!(drained.err.contains("error[OD-142]") && drained.err.contains(" on stuck "), "{drained:?}");
    cluster.node("stuck").signal("-CONT");
    let refused = cluster.leader().run(&["create", "hello", "Goodbye"]);
    assert!(refused.err.contains("error[OD-126]"), "it gives no new actors all the same: {refused:?}");
    let drained = cluster.leader().json(&["image", "drain", &hash]);
    assert_eq!(drained["hash"], hash, "{drained}");
    assert_eq!(actors_of(cluster.leader(), &hash), 0);
}

/// Packs an image of so many bytes that cannot be made smaller, with the actors of the example.
fn packed(name: &str, bytes: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/hello");
    let manifest = std::fs::read_to_string(example.join("odeon.toml")).unwrap();
    let manifest = manifest.replacen("name = \"hello\"", &format!("name = \"{name}\"\ninclude = [\"ballast\"]"), 1);
    std::fs::write(file("odeon.toml"), manifest).unwrap();
    let code = odeon_sourceauth::Image::open(std::fs::read(hello()).unwrap()).unwrap().code().unwrap().to_vec();
    std::fs::write(file("hello.wasm"), code).unwrap();
    let mut state = bytes as u64 + 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::fs::write(file("ballast"), (0..bytes).map(|_| random()).collect::<Vec<u8>>()).unwrap();
    let path = folder.path().display().to_string();
    (folder, path)
}

fn hashes_on(node: &Node) -> Vec<String> {
    let files = std::fs::read_dir(node.data.join("images")).unwrap().map(|file| file.unwrap().file_name());
    let zips = files.filter_map(|name| name.into_string().unwrap().strip_suffix(".zip").map(str::to_owned));
    let mut zips: Vec<String> = zips.collect();
    zips.sort();
    zips
}

#[test]
fn an_image_is_prefetched_by_the_nodes_that_fit_and_placed_on_them_first() {
    let mut cluster = Cluster::new().unwrap();
    for (name, zone) in [("a", "zone=eu"), ("b", "zone=eu"), ("c", "zone=us"), ("d", "zone=us")] {
        cluster.member(name, Start::with(&[zone])).unwrap();
    }
    let hash = cluster.push_hello();
    let leader = cluster.leader();
    let far = ["image", "prefetch", "hello", "--where", "zone == \"us\""];
    assert_eq!(leader.json(&far), json!({ "hash": hash, "nodes": 2, "missing": [] }));
    let held = |name: &str| hashes_on(cluster.node(name));
    assert_eq!(["a", "b", "c", "d"].map(|name| held(name).len()), [0, 0, 1, 1]);
    assert_eq!(leader.json(&far)["nodes"], 2, "again is the same");
    let spread = ["hello", "Goodbye", "--placement", "spread", "--where", "has(cap.zone)"];
    let mut placed = [leader.create(&spread).1, leader.create(&spread).1];
    placed.sort();
    assert_eq!(placed, ["c", "d"], "nothing has to be fetched there");
    let mut placed = [leader.create(&spread).1, leader.create(&spread).1];
    placed.sort();
    assert_eq!(placed, ["a", "b"], "whoever has fewer actors comes first all the same");
    for name in ["a", "b"] {
        let said = cluster.node(name).stderr();
        assert!(!said.contains("a source failed"), "they fetch from members that they had no link to: {said}");
    }

    for (arguments, code) in [
        (&["image", "prefetch", "nothing"][..], "OD-126"),
        (&["image", "prefetch", "hello", "--where", "zone =="], "OD-132"),
    ] {
        let refused = leader.run(arguments);
        assert!(refused.err.contains(&format!("error[{code}]")), "{refused:?}");
    }
    let none = leader.json(&["image", "prefetch", "hello", "--where", "zone == \"mars\""]);
    assert_eq!(none, json!({ "hash": hash, "nodes": 0, "missing": [] }));
}

#[test]
fn a_node_that_takes_no_images_is_missing_from_those_that_have_it() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("takes", Start::default()).unwrap();
    cluster.member("refuses", Start::default().and(&["--allow-remote-images", "no"])).unwrap();
    cluster.push_hello();
    let prefetched = cluster.leader().run(&["image", "prefetch", "hello", "--timeout", "2s", "--json"]);
    assert_eq!(prefetched.code, 3, "{prefetched:?}");
    assert!(prefetched.err.contains("error[OD-143]"), "{prefetched:?}");
    let told = prefetched.json();
    assert_eq!((&told["nodes"], &told["missing"][0]["name"]), (&json!(2), &json!("refuses")), "{told}");
    assert_eq!(told["missing"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn a_member_lets_go_of_what_it_used_longest_ago_and_never_of_what_runs() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("small", Start::with(&["small=true"]).and(&["--image-store-max", "3MiB"])).unwrap();
    let leader = cluster.leader();
    let mut hashes = Vec::new();
    for name in ["one", "two", "three"] {
        let (_folder, path) = packed(name, 1 << 20);
        hashes.push(leader.json(&["image", "push", &path])["hash"].as_str().unwrap().to_owned());
    }
    let held = || hashes_on(cluster.node("small"));
    let holds = |n: usize| held().contains(&hashes[n]);
    let (runs, _) = leader.create(&["one", "Goodbye", "--on", "small"]);
    let (ends, _) = leader.create(&["two", "Goodbye", "--on", "small"]);
    assert!(holds(0) && holds(1));
    let refused = leader.run(&["create", "three", "Goodbye", "--on", "small"]);
    assert!(refused.code == 4 && refused.err.contains("--image-store-max"), "both run: {refused:?}");
    leader.run(&["stop", &ends]).ok();
    eventually(SOON, "the second has exited", || Ok((actors_of(leader, &hashes[1]) == 0).then_some(()))).unwrap();
    leader.create(&["three", "Goodbye", "--on", "small"]);
    assert!(holds(0) && !holds(1) && holds(2), "{:?}", held());
    assert_eq!(leader.ask(&runs, "leaving?"), "Goodbye");
    let nodes = eventually(SOON, "the leader knows that it is gone", || {
        let images = leader.json(&["image", "list"]);
        let images = images.as_array().unwrap().iter();
        let nodes: Vec<u64> = images.map(|image| image["nodes"].as_u64().unwrap()).collect();
        Ok((nodes.iter().sum::<u64>() == 5).then_some(nodes))
    });
    nodes.unwrap();
}

#[test]
fn a_leader_keeps_every_image_and_refuses_one_that_it_has_no_room_for() {
    let cluster = Cluster::led_by(Start::default().and(&["--authority", "accept-all", "--image-store-max", "2MiB"]));
    let cluster = cluster.unwrap();
    let (_one, one) = packed("one", 1 << 20);
    let (_two, two) = packed("two", 1 << 20);
    let pushed = cluster.leader().json(&["image", "push", &one]);
    let refused = cluster.leader().run(&["image", "push", &two]);
    assert!(refused.code == 1 && refused.err.contains("error[OD-144]"), "{refused:?}");
    assert_eq!(hashes_on(cluster.leader()), [pushed["hash"].as_str().unwrap()]);
    cluster.leader().json(&["image", "push", &one]);
    cluster.leader().run(&["image", "unload", "one"]).ok();
    eventually(SOON, "its bytes are gone", || Ok(hashes_on(cluster.leader()).is_empty().then_some(()))).unwrap();
    cluster.leader().json(&["image", "push", &two]);
}

#[test]
fn a_folder_that_is_watched_is_pushed_whenever_what_is_in_its_image_changes() {
    let cluster = Cluster::new().unwrap();
    let leader = cluster.leader();
    let (folder, path) = packed("edited", 10);
    let data = leader.data.display().to_string();
    let mut watching = std::process::Command::new(odeon())
        .args(["--data", &data, "image", "push", &path, "--watch", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pushes = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(watching.stderr.take().unwrap()).lines();
    let mut pushed = || {
        let line: serde_json::Value = serde_json::from_str(&pushes.next().unwrap().unwrap()).unwrap();
        line["hash"].as_str().unwrap().to_owned()
    };
    let first = pushed();
    let (runs, _) = leader.create(&["edited", "Goodbye"]);
    std::fs::write(folder.path().join("unrelated"), "is not in the image").unwrap();
    std::fs::write(folder.path().join("ballast"), "another one").unwrap();
    let second = pushed();
    assert_ne!(first, second);
    let listed = || {
        let images = leader.json(&["image", "list"]);
        images.as_array().unwrap().iter().map(|image| image["hash"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    eventually(SOON, "only the last build is there", || Ok((listed() == [second.clone()]).then_some(()))).unwrap();
    assert_eq!(leader.ask(&runs, "leaving?"), "Goodbye", "who runs keeps its own");
    leader.create(&["edited", "Goodbye"]);

    let manifest = folder.path().join("odeon.toml");
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, good.replace("runtime", "runtim")).unwrap();
    let error = errors.next().unwrap().unwrap();
    assert!(error.starts_with("error[OD-120]: ") && error.contains("runtim"), "{error}");
    std::fs::write(&manifest, good.replace("1.0.0", "1.0.1")).unwrap();
    let third = pushed();
    eventually(SOON, "it goes on", || Ok((listed() == [third.clone()]).then_some(()))).unwrap();
    watching.kill().unwrap();
    watching.wait().unwrap();
    let no_folder = leader.run(&["image", "push", &hello(), "--watch"]);
    assert!(no_folder.code == 2 && no_folder.err.contains("is no folder"), "{no_folder:?}");
}

/// The same on a terminal of its own; all that comes to it is the output. Needs `script` of util-linux.
fn on_a_terminal(node: &Node, arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| format!(" '{argument}'")).collect::<String>();
    let ran = Command::new("script")
        .args(["-qec", &format!("{}{quoted}", odeon().display()), "/dev/null"])
        .envs([("ODEON_DATA", node.data.as_os_str()), ("TERM", "xterm".as_ref())])
        .stdin(Stdio::null())
        .output()
        .expect("`script` runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{text}");
    text
}

#[test]
fn progress_is_drawn_on_a_terminal_only_and_a_fetch_is_in_the_log() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("fetches", Start::default()).unwrap();
    let leader = cluster.leader();
    let zip = padded_hello(cluster.dir(), 3_000_000).display().to_string();

    let drawn = on_a_terminal(leader, &["image", "push", &zip]);
    // Who judges is there for too short a time to be drawn for sure.
    for part in ["sent ", " of 2.", "approved"] {
        assert!(drawn.contains(part), "{part:?} is not in {drawn:?}");
    }
    // The line is taken away before the result is printed.
    let last = drawn.rsplit("\u{1b}[2K").next().unwrap();
    assert!(last.contains("approved") && !last.contains("sent"), "{last:?}");

    let drawn = on_a_terminal(leader, &["image", "prefetch", "hello"]);
    assert!(drawn.contains("2 of 2 nodes have it"), "{drawn:?}");
    let said = cluster.node("fetches").stderr();
    let line = said.lines().find(|line| line.contains("an image was fetched")).expect("it is logged");
    let fields = &serde_json::from_str::<serde_json::Value>(line).unwrap()["fields"];
    assert_eq!(fields["bytes"], std::fs::metadata(&zip).unwrap().len(), "{line}");
    assert!(fields["chunks_from"].as_str().unwrap().starts_with(&leader.id), "{line}");

    let drawn = on_a_terminal(leader, &["image", "push", &zip, "--json"]);
    assert!(drawn.starts_with("{\"hash\"") && drawn.trim_end().ends_with('}'), "JSON and nothing else: {drawn:?}");
    let piped = leader.run(&["image", "push", &zip]).ok();
    assert_eq!(piped.err, "", "stderr is no terminal");
}
