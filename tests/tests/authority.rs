//! An actor that is the Source Authority, in real nodes: what it lets in, and what it cannot do whatever it does.
#![allow(clippy::unwrap_used)]

use odeon_example_rot13::rotated;
use odeon_tests::cluster::{Cluster, Node, Ran, Start, beside, eventually, files_of};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
/// Long enough for every test that gets a verdict, short where none comes.
const SILENCE: &str = "5s";

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn hello() -> String {
    repository("examples/hello/hello.zip").display().to_string()
}

fn with_test_actors(arguments: &[&str]) -> Start {
    Start { program: Some(beside("test_node")), ..Start::default() }.and(arguments)
}

/// A leader whose own actors may be the authority, with this one.
fn judged_by(does: &str) -> (Cluster, String) {
    let cluster = Cluster::led_by(with_test_actors(&[])).unwrap();
    cluster.leader().run(&["authority", "set", "actor", "--timeout", SILENCE]).ok();
    let judge = a_judge(cluster.leader(), does);
    (cluster, judge)
}

/// Creates a judge on this node that does so, and has it register.
fn a_judge(node: &Node, does: &str) -> String {
    let (judge, on) = node.create(&["Judge", "--on", &node.name]);
    assert_eq!(on, node.name);
    assert_eq!(node.ask(&judge, does), does);
    register(node, &judge);
    judge
}

fn register(node: &Node, judge: &str) {
    node.run(&["tell", judge, "true"]).ok();
    until_decides(node, Some(judge));
}

/// Waits until an actor is the authority, or nobody is.
fn until_decides(node: &Node, who: Option<&str>) {
    eventually(SOON, &format!("{who:?} is the authority"), || {
        let shown = node.json(&["authority", "show"]);
        assert_eq!(shown["authority"], "actor", "{shown}");
        Ok((shown["actor"]["address"].as_str() == who).then_some(()))
    })
    .unwrap();
}

fn asked(node: &Node, judge: &str) -> Vec<String> {
    let asked = node.json(&["ask", judge, "asked"]);
    asked.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn images(node: &Node) -> Vec<Value> {
    node.json(&["image", "list"]).as_array().unwrap().clone()
}

fn push(node: &Node, image: &str) -> Ran {
    node.run(&["image", "push", image, "--json"])
}

/// Pushes while the test goes on.
fn push_meanwhile(node: &Node, image: &str) -> JoinHandle<Ran> {
    let (data, image) = (node.data.clone(), image.to_owned());
    std::thread::spawn(move || odeon_tests::cluster::run_at(&data, &["image", "push", &image, "--json"]))
}

/// The hash of the only image that waits, once it does.
fn pending(node: &Node) -> String {
    eventually(SOON, "an image is pending", || {
        let pending = images(node).into_iter().find(|image| image["state"] == "pending");
        Ok(pending.map(|image| image["hash"].as_str().unwrap().to_owned()))
    })
    .unwrap()
}

/// The example with another greeting and version: what somebody makes who edits it.
fn edited(folder: &Path, version: &str, greets: &str) -> String {
    assert_eq!(greets.len(), " world!".len(), "in the place of the text that is there");
    let project = folder.join(format!("project-{version}"));
    std::fs::create_dir(&project).unwrap();
    let mut zip = code_of(&hello());
    let at = zip.windows(7).position(|text| text == b" world!").expect("the greeting is in the code");
    zip[at..at + 7].copy_from_slice(greets.as_bytes());
    std::fs::write(project.join("hello.wasm"), zip).unwrap();
    let manifest = std::fs::read_to_string(repository("examples/hello/odeon.toml")).unwrap();
    std::fs::write(project.join("odeon.toml"), manifest.replace("1.0.0", version)).unwrap();
    project.display().to_string()
}

/// The code in an image.
fn code_of(file: &str) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    odeon_sourceauth::Image::open(bytes).unwrap().code().unwrap()
}

/// An image that was put through ROT13.
fn rot13(folder: &Path, image: &str) -> String {
    let file = folder.join("image.rot13");
    let bytes: Vec<u8> = std::fs::read(image).unwrap().into_iter().map(rotated).collect();
    std::fs::write(&file, bytes).unwrap();
    file.display().to_string()
}

fn hash_of(file: &str) -> String {
    odeon_sourceauth::hash(&std::fs::read(file).unwrap()).to_string()
}

fn greeting(node: &Node, image: &str) -> String {
    let (hello, _) = node.create(&[image, "Hello"]);
    node.ask(&hello, "are you there?")
}

/// The seed's transcript: an authority is registered by a message, an image loaded and run, edited, loaded and run.
#[test]
fn an_authority_is_registered_by_a_message_and_each_edit_of_an_image_runs_once_it_is_loaded() {
    let mut cluster = Cluster::led_by(with_test_actors(&[])).unwrap();
    cluster.member("far", Start::with(&["far=true"])).unwrap();
    let refused = push(cluster.leader(), &hello());
    assert!(refused.code == 5 && refused.err.contains("error[OD-122]"), "nothing loads without one: {refused:?}");
    cluster.leader().run(&["authority", "set", "actor"]).ok();
    let refused = push(cluster.leader(), &hello());
    assert!(refused.code == 5 && refused.err.contains("error[OD-170]"), "nor while nobody is it: {refused:?}");
    assert!(refused.err.contains("register_source_authority"), "says what to do: {refused:?}");

    let judge = a_judge(cluster.leader(), "approve");
    let pushed = push(cluster.leader(), &hello()).ok().json();
    assert_eq!((&pushed["state"], &pushed["hash"]), (&"approved".into(), &hash_of(&hello()).into()), "{pushed}");
    assert!(pushed.get("pushed").is_none(), "it is what was pushed: {pushed}");
    let listed = &images(cluster.leader())[0];
    assert!(listed["by"].as_str().unwrap().contains(&judge), "says who approved it: {listed}");
    assert_eq!(greeting(cluster.leader(), "hello"), "Hello, world!");

    let folder = tempfile::tempdir().unwrap();
    let universe = edited(folder.path(), "1.0.1", " there!");
    let pushed = push(cluster.leader(), &universe).ok().json();
    assert_eq!(greeting(cluster.leader(), pushed["hash"].as_str().unwrap()), "Hello, there!");
    assert_eq!(greeting(cluster.leader(), "hello@1.0.0"), "Hello, world!", "both are there, side by side");
    let (there, on) = cluster.leader().create(&["hello", "Hello", "--require", "far"]);
    assert_eq!((on.as_str(), cluster.leader().ask(&there, "are you there?")), ("far", "Hello, there!".to_owned()));
    assert_eq!(push(cluster.leader(), &universe).ok().json()["hash"], pushed["hash"], "the same bytes again");
    assert_eq!(asked(cluster.leader(), &judge).len(), 3, "it is asked each time");
}

#[test]
fn an_authority_of_an_image_decrypts_what_is_pushed_and_every_node_checks_the_hash_of_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new().unwrap();
    cluster.member("a", Start::with(&["a=true"])).unwrap();
    cluster.member("b", Start::with(&["b=true"]).and(&["--allow-remote-images", "leader-only"])).unwrap();
    let rot13_image = repository("examples/rot13/rot13.zip").display().to_string();
    push(cluster.leader(), &rot13_image).ok();
    let (authority, _) = cluster.leader().create(&["rot13", "Rot13", "--on", "leader"]);
    cluster.leader().run(&["authority", "set", "actor"]).ok();
    register(cluster.leader(), &authority);

    let encrypted = rot13(folder.path(), &hello());
    let pushed = push(cluster.node("a"), &encrypted);
    assert!(pushed.code == 5, "the owner of a member's folder may not: {pushed:?}");
    let pushed = push(cluster.leader(), &encrypted).ok().json();
    assert_eq!(pushed["hash"], hash_of(&hello()), "it is known by what was made out of it: {pushed}");
    assert_eq!(pushed["pushed"], hash_of(&encrypted), "and by what was pushed");
    let shown = cluster.node("a").json(&["image", "show", &hash_of(&encrypted)]);
    assert_eq!((&shown["hash"], &shown["pushed"]), (&pushed["hash"], &pushed["pushed"]), "{shown}");
    assert!(cluster.leader().run(&["image", "show", "hello"]).ok().out.contains("made out of"));
    for node in ["a", "b"] {
        let (actor, on) = cluster.leader().create(&[&hash_of(&encrypted)[..12], "Hello", "--require", node]);
        assert_eq!((on.as_str(), cluster.leader().ask(&actor, "are you there?")), (node, "Hello, world!".to_owned()));
        let stored = files_of(&cluster.node(node).data, &hash_of(&hello()));
        assert!(!stored.is_empty(), "it has what was made");
        assert!(files_of(&cluster.node(node).data, &hash_of(&encrypted)).is_empty(), "and not what was pushed");
    }

    // What it makes out of what is no image's ROT13 is no image.
    let refused = push(cluster.leader(), &hello());
    assert!(refused.code == 1 && refused.err.contains("error[OD-120]"), "{refused:?}");
    assert!(refused.err.contains("made out of it"), "{refused:?}");

    let revoked = cluster.leader().json(&["image", "revoke", &hash_of(&encrypted)]);
    assert_eq!(revoked["hash"], pushed["hash"], "what was made is revoked: {revoked}");
    let again = push(cluster.leader(), &encrypted);
    assert!(again.code == 5 && again.err.contains("error[OD-138]"), "what was made is what is revoked: {again:?}");
}

#[test]
fn the_largest_image_goes_through_an_authority_with_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new().unwrap();
    let guest = repository("tests/guest/guest.zip").display().to_string();
    push(cluster.leader(), &guest).ok();
    let (judge, _) = cluster.leader().create(&["test-guest", "Judge", "--on", "leader"]);
    assert_eq!(cluster.leader().ask(&judge, "read"), "read");
    cluster.leader().run(&["authority", "set", "actor"]).ok();
    register(cluster.leader(), &judge);
    // Nearly as many bytes as an image may have, and more than the instance may.
    let project = edited(folder.path(), "2.0.0", " giant!");
    let mut noise = vec![0_u8; 63 << 20];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
    std::fs::write(Path::new(&project).join("noise"), noise).unwrap();
    let manifest = Path::new(&project).join("odeon.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replacen("code =", "include = [\"noise\"]\ncode =", 1)).unwrap();
    let pushed = push(cluster.leader(), &project).ok().json();
    let size = pushed["size"].as_u64().unwrap();
    assert!(size > 63 << 20, "{pushed}");
    let asked = asked(cluster.leader(), &judge);
    assert_eq!(asked, [format!("hello of {size} bytes with 0 signatures"), format!("read {size} bytes")]);
    assert_eq!(greeting(cluster.leader(), "hello@2.0.0"), "Hello, giant!");
}

#[test]
fn a_rejection_says_why_and_those_who_watch_are_told_of_what_is_approved_only() {
    let (cluster, judge) = judged_by("approve");
    let (watcher, _) = cluster.leader().create(&["Watcher"]);
    cluster.leader().ask(&watcher, "watch");
    let told = |what: &str| {
        let told = cluster.leader().json(&["ask", &watcher, "told"]);
        let told = told.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        told.filter(|line| line.starts_with(what)).collect::<Vec<_>>()
    };
    push(cluster.leader(), &hello()).ok();
    let available = format!("available hello 1.0.0: {}", hash_of(&hello()));
    eventually(SOON, "it is told", || Ok((told("available") == [available.clone()]).then_some(()))).unwrap();
    assert_eq!(cluster.leader().ask(&judge, "reject"), "reject");
    let refused = push(cluster.leader(), &hello());
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("error[OD-128]") && refused.err.contains("hello is not wanted"), "{refused:?}");
    assert!(!refused.err.contains('\u{1b}'), "an actor's text does not reach the terminal as it is: {refused:?}");
    eventually(SOON, "it is told", || Ok((told("unavailable").len() == 1).then_some(()))).unwrap();
    let listed = &images(cluster.leader())[0];
    assert_eq!(listed["state"], "rejected", "{listed}");
    assert_eq!(cluster.leader().ask(&judge, "reject at length"), "reject at length");
    let refused = push(cluster.leader(), &hello());
    assert!(refused.code == 5 && refused.err.len() < 4_096, "{} bytes", refused.err.len());
}

#[test]
fn while_the_authority_is_silent_an_image_is_pending_and_others_wait_in_their_order() {
    let (cluster, judge) = judged_by("silent");
    let leader = cluster.leader();
    // Time for all that follows until the first of them is given up.
    leader.run(&["authority", "set", "actor", "--timeout", "8s"]).ok();
    register(leader, &judge);
    let folder = tempfile::tempdir().unwrap();
    let second = edited(folder.path(), "1.0.1", " there!");
    let first = push_meanwhile(leader, &hello());
    assert_eq!(pending(leader), hash_of(&hello()));
    let listed = &images(leader)[0];
    assert_eq!((&listed["name"], &listed["version"]), (&"hello".into(), &"1.0.0".into()), "{listed}");
    let refused = leader.run(&["create", "hello", "Hello"]);
    assert_ne!(refused.code, 0, "nothing runs from it: {refused:?}");
    let waits = push_meanwhile(leader, &second);
    eventually(SOON, "both are pending", || {
        Ok((images(leader).iter().filter(|image| image["state"] == "pending").count() == 2).then_some(()))
    })
    .unwrap();
    assert_eq!(asked(leader, &judge).len(), 1, "one at a time");
    let first = first.join().unwrap();
    assert_eq!(first.code, 3, "{first:?}");
    assert!(first.err.contains("error[OD-169]") && first.err.contains("within 8 s"), "{first:?}");
    assert_eq!(leader.ask(&judge, "approve"), "approve");
    // It was asked while it was silent, or hears of it after.
    let second = waits.join().unwrap();
    assert!([0, 3].contains(&second.code), "{second:?}");
    assert_eq!(asked(leader, &judge).len(), 2);
    assert!(images(leader).iter().all(|image| image["state"] != "pending"), "{:?}", images(leader));
    assert!(images(leader).iter().all(|image| image["version"] != "1.0.0"), "silence is no verdict");
}

#[test]
fn the_sdk_and_the_leader_mean_the_same_piece() {
    assert_eq!(odeon::SOURCE_PIECE_BYTES_MAX, odeon_sourceauth::limits::PIECE_BYTES_MAX);
}

/// Nothing of all this approves an image, and none of it harms the node.
#[test]
fn an_authority_that_does_not_keep_to_the_rules_approves_nothing_and_harms_nobody() {
    let (cluster, judge) = judged_by("silent");
    let leader = cluster.leader();
    for (does, code, says) in [
        ("read for ever", "OD-170", "more than"),
        ("flood", "OD-170", "more than"),
        ("say too much", "OD-170", "messages"),
        ("hand over nothing", "OD-120", "made out of it"),
        ("hand over no image", "OD-120", "made out of it"),
        ("hand over too much", "OD-170", "handed over more than"),
        ("leave a gap", "OD-170", "begins at 1"),
        // It is rebuilt, and does not know any more what it was to do.
        ("fail", "OD-169", "has not spoken"),
        ("have others answer", "OD-169", "has not spoken"),
        ("answer for another", "OD-128", "the last word is on this image"),
    ] {
        assert_eq!(leader.ask(&judge, does), does);
        let refused = push(leader, &hello());
        assert!(refused.code != 0 && refused.err.contains(&format!("error[{code}]")), "{does}: {refused:?}");
        assert!(refused.err.contains(says), "{does}: {refused:?}");
    }
    let (clumsy, _) = leader.create(&["Clumsy", "--on", "leader"]);
    register(leader, &clumsy);
    let refused = push(leader, &hello());
    assert!(refused.code == 5 && refused.err.contains("failed twice on the image: all thumbs"), "{refused:?}");
    register(leader, &judge);
    assert_eq!(leader.ask(&judge, "answer twice"), "answer twice");
    push(leader, &hello()).ok();
    assert_eq!(leader.ask(&judge, "approve"), "approve");
    push(leader, &hello()).ok();
    let approved = images(leader).iter().filter(|image| image["state"] == "approved").count();
    assert_eq!(approved, 1, "the first word counted: {:?}", images(leader));
}

#[test]
fn an_authority_that_exits_or_whose_node_is_lost_is_none_and_nothing_is_approved_then() {
    let mut cluster = Cluster::led_by(with_test_actors(&[])).unwrap();
    cluster.member("home", with_test_actors(&[])).unwrap();
    cluster.leader().run(&["authority", "set", "actor", "--from", "home", "--from", "leader"]).ok();
    let judge = a_judge(cluster.node("home"), "exit");
    let refused = push(cluster.leader(), &hello());
    assert!(refused.code == 5 && refused.err.contains("error[OD-170]"), "it exits in the middle: {refused:?}");
    until_decides(cluster.leader(), None);

    let judge_2 = a_judge(cluster.node("home"), "approve");
    assert_ne!(judge, judge_2);
    cluster.node("home").run(&["stop", &judge_2]).ok();
    until_decides(cluster.leader(), None);

    a_judge(cluster.node("home"), "silent");
    let pushing = push_meanwhile(cluster.leader(), &hello());
    pending(cluster.leader());
    cluster.node_mut("home").kill();
    let refused = pushing.join().unwrap();
    assert!(refused.code == 5 && refused.err.contains("error[OD-170]"), "its node is lost: {refused:?}");
    until_decides(cluster.leader(), None);
    assert!(images(cluster.leader()).is_empty(), "nobody rejected it: {:?}", images(cluster.leader()));
}

#[test]
fn one_that_takes_the_place_of_another_is_asked_for_what_is_pending() {
    let (cluster, silent) = judged_by("silent");
    let leader = cluster.leader();
    leader.run(&["authority", "set", "actor", "--timeout", "30s"]).ok();
    register(leader, &silent);
    let pushing = push_meanwhile(leader, &hello());
    pending(leader);
    let other = a_judge(leader, "approve");
    pushing.join().unwrap().ok();
    assert_eq!((asked(leader, &silent).len(), asked(leader, &other).len()), (1, 1));

    // And so is one of the node's own, whoever has set it.
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(leader.ask(&other, "silent"), "silent");
    let pushing = push_meanwhile(leader, &edited(folder.path(), "1.0.1", " there!"));
    pending(leader);
    leader.run(&["authority", "set", "accept-all"]).ok();
    pushing.join().unwrap().ok();
}

#[test]
fn an_image_that_is_unloaded_or_revoked_while_it_is_pending_is_not_approved() {
    let (cluster, judge) = judged_by("silent");
    let leader = cluster.leader();
    leader.run(&["authority", "set", "actor", "--timeout", "60s"]).ok();
    register(leader, &judge);
    let pushing = push_meanwhile(leader, &hello());
    let hash = pending(leader);
    leader.run(&["image", "unload", &hash]).ok();
    let unloaded = pushing.join().unwrap();
    assert!(unloaded.code == 5 && unloaded.err.contains("was unloaded"), "{unloaded:?}");
    assert!(images(leader).is_empty());
    assert_eq!(leader.run(&["image", "unload", &hash]).code, 1, "there is nothing to unload any more");

    let pushing = push_meanwhile(leader, &hello());
    pending(leader);
    leader.run(&["image", "revoke", "hello@1.0.0"]).ok();
    let revoked = pushing.join().unwrap();
    assert!(revoked.code == 5 && revoked.err.contains("error[OD-138]"), "{revoked:?}");
    assert_eq!(leader.ask(&judge, "approve"), "approve");
    let again = push(leader, &hello());
    assert!(again.code == 5 && again.err.contains("error[OD-138]"), "{again:?}");
    assert_eq!(asked(leader, &judge).len(), 2, "it is not even asked");
}

#[test]
fn an_actor_is_not_the_authority_without_permission_and_one_that_registers_for_ever_disturbs_nobody() {
    let mut cluster = Cluster::led_by(with_test_actors(&["--authority", "accept-all"])).unwrap();
    cluster.member("home", with_test_actors(&[])).unwrap();
    let (judge, _) = cluster.node("home").create(&["Judge", "--on", "home"]);
    let home = cluster.node("home");
    let refused = home.run(&["authority", "set", "actor"]);
    assert_eq!(refused.code, 5, "the owner of a member's folder may not allow it: {refused:?}");
    for setting in [&["authority", "set", "accept-all"][..], &["authority", "set", "actor"]] {
        cluster.leader().run(setting).ok();
        home.run(&["tell", &judge, "true"]).ok();
        eventually(SOON, "its refusal is in the log", || {
            let lines = cluster.leader().run(&["logs", "--actor", &judge, "--json"]).ok().out;
            Ok(lines.contains("is not the Source Authority").then_some(()))
        })
        .unwrap();
        assert!(cluster.leader().json(&["authority", "show"]).get("actor").is_none());
    }
    // One that may be it is not kept from it by another that may not, however often that asks.
    assert_eq!(home.ask(&judge, "register for ever"), "register for ever");
    let (other, _) = home.create(&["Judge", "--on", "home"]);
    assert_eq!(home.ask(&other, "approve"), "approve");
    cluster.leader().run(&["authority", "set", "actor", &other]).ok();
    until_decides(cluster.leader(), Some(&other));
    push(cluster.leader(), &hello()).ok();
    assert_eq!(home.ask(&judge, "silent"), "silent");

    let gone = cluster.leader().run(&["authority", "set", "actor", &judge.replace(&judge[4..8], "aaaa")]);
    assert_ne!(gone.code, 0, "nobody is there: {gone:?}");
}

#[test]
fn an_authority_outlives_its_leader_and_what_was_permitted_as_well() {
    let mut cluster = Cluster::led_by(with_test_actors(&[])).unwrap();
    cluster.member("home", with_test_actors(&[])).unwrap();
    cluster.leader().run(&["authority", "set", "actor", "--from", "home", "--timeout", "30s"]).ok();
    let judge = a_judge(cluster.node("home"), "approve");
    let encrypted_by_nobody = push(cluster.leader(), &hello()).ok().json();
    cluster.node_mut("leader").kill();
    cluster.node_mut("leader").restart().unwrap();
    cluster.until_state("home", "alive", SOON).unwrap();
    until_decides(cluster.leader(), Some(&judge));
    let shown = cluster.leader().json(&["authority", "show"]);
    assert_eq!((&shown["from"][0], &shown["answer_ms"]), (&"home".into(), &30_000.into()), "{shown}");
    let again = push(cluster.leader(), &hello()).ok().json();
    assert_eq!(again, encrypted_by_nobody);
    assert_eq!(asked(cluster.node("home"), &judge).len(), 2);

    // It exits while there is no leader: the next one hears of it.
    cluster.node_mut("leader").kill();
    cluster.node("home").run(&["stop", &judge]).ok();
    cluster.node_mut("leader").restart().unwrap();
    cluster.until_state("home", "alive", SOON).unwrap();
    until_decides(cluster.leader(), None);
}

#[test]
fn the_actor_of_a_revoked_image_decides_no_more_though_it_runs_on() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("home", Start::default()).unwrap();
    let guest = repository("tests/guest/guest.zip").display().to_string();
    push(cluster.leader(), &guest).ok();
    let (judge, _) = cluster.leader().create(&["test-guest", "Judge", "--on", "home"]);
    assert_eq!(cluster.leader().ask(&judge, "approve"), "approve");
    cluster.leader().run(&["authority", "set", "actor", "--from", "home"]).ok();
    register(cluster.leader(), &judge);
    push(cluster.leader(), &hello()).ok();
    cluster.leader().run(&["image", "revoke", "test-guest"]).ok();
    until_decides(cluster.leader(), None);
    assert_eq!(cluster.leader().ask(&judge, "approve"), "approve", "it runs on");
    cluster.leader().run(&["tell", &judge, "true"]).ok();
    eventually(SOON, "its refusal is in the log", || {
        let lines = cluster.leader().run(&["logs", "--actor", &judge, "--json"]).ok().out;
        Ok(lines.contains("was revoked").then_some(()))
    })
    .unwrap();
    assert!(cluster.leader().json(&["authority", "show"]).get("actor").is_none());
}

#[test]
fn an_image_that_is_encrypted_for_the_leader_is_judged_once_it_is_decrypted() {
    use age::secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let identity = age::x25519::Identity::generate();
    let secret = identity.to_string().expose_secret().to_owned();
    std::fs::write(at("age.key"), format!("{secret}\n")).unwrap();
    std::fs::set_permissions(at("age.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at("key")]).status();
    assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
    let public = std::fs::read_to_string(at("key.pub")).unwrap();
    std::fs::write(at("signers"), format!("ops@example.org {public}")).unwrap();
    let zip = std::fs::read(hello()).unwrap();
    std::fs::write(at("hello.zip"), &zip).unwrap();
    std::fs::write(at("hello.zip.age"), age::encrypt(&identity.to_public(), &zip).unwrap()).unwrap();
    let stranger = age::x25519::Identity::generate().to_public();
    std::fs::write(at("stranger.age"), age::encrypt(&stranger, &zip).unwrap()).unwrap();
    std::fs::write(at("no-image.age"), age::encrypt(&identity.to_public(), b"no zip").unwrap()).unwrap();

    let mut cluster = Cluster::new().unwrap();
    let careful = Start::with(&["careful=true"]).and(&["--image-signers", &at("signers")]);
    cluster.member("careful", careful).unwrap();
    let leader = cluster.leader();
    let refused = push(leader, &at("hello.zip.age"));
    assert!(refused.code == 5 && refused.err.contains("error[OD-171]"), "no identity is set: {refused:?}");
    let (signers, key) = (at("signers"), at("age.key"));
    let set = ["authority", "set", "keyring", "--allowed-signers", &signers, "--age-identity", &key];
    let refused = leader.run(&set);
    assert!(refused.code == 5 && refused.err.contains("chmod 600"), "others may read it: {refused:?}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    leader.run(&set).ok();
    assert_eq!(leader.json(&["authority", "show"])["age_identity"], key.as_str());

    let unsigned = push(leader, &at("hello.zip.age"));
    assert!(unsigned.code == 5 && unsigned.err.contains("error[OD-123]"), "{unsigned:?}");
    leader.run(&["image", "sign", &at("hello.zip"), "--key", &at("key")]).ok();
    let signature = at("hello.zip.sig");
    let signed = |file: &str| leader.run(&["image", "push", &at(file), "--signature", &signature, "--json"]);
    for (file, code) in [("stranger.age", "OD-171"), ("no-image.age", "OD-120")] {
        let refused = signed(file);
        assert!(refused.err.contains(&format!("error[{code}]")), "{refused:?}");
    }
    let pushed = signed("hello.zip.age").ok().json();
    assert_eq!(pushed["hash"], hash_of(&hello()), "{pushed}");
    assert_eq!(pushed["pushed"], hash_of(&at("hello.zip.age")));
    signed("hello.zip").ok();
    let (actor, on) = leader.create(&["hello", "Hello", "--require", "careful"]);
    assert_eq!((on.as_str(), leader.ask(&actor, "are you there?")), ("careful", "Hello, world!".to_owned()));

    std::fs::remove_file(&key).unwrap();
    let refused = signed("hello.zip.age");
    assert!(refused.code == 5 && refused.err.contains("error[OD-171]"), "the leader has no key any more: {refused:?}");
    assert!(refused.err.contains(&key), "says which file: {refused:?}");
    for file in files_of(cluster.dir(), "") {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        assert!(!found, "the key is in {}", file.display());
    }
}
