//! Images: pushed at the leader, approved, fetched where they are needed, checked everywhere.
#![allow(clippy::unwrap_used)]

use odeon_convention::limits::CARRIED_BYTES_MAX;
use odeon_tests::cluster::{Cluster, Start, eventually, files_of, padded_hello};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn hello() -> String {
    repository().join("examples/hello/hello.zip").display().to_string()
}

/// The example, too large to be sent along with a creation.
fn large(cluster: &Cluster) -> String {
    padded_hello(cluster.dir(), 2 * CARRIED_BYTES_MAX as usize).display().to_string()
}

/// The stored zip of an image on a node.
fn stored(data: &Path, hash: &str) -> Option<PathBuf> {
    files_of(data, hash).into_iter().find(|p| std::fs::read(p).is_ok_and(|b| b.starts_with(b"PK")))
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn an_image_pushed_at_the_leader_is_fetched_by_the_member_that_needs_it_and_answers_across_the_network() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("gpu", Start::with(&["gpu=2"])).unwrap();
    cluster.member("web", Start::default()).unwrap();
    let pushed = cluster.leader().json(&["image", "push", &hello()]);
    let hash = pushed["hash"].as_str().unwrap();
    assert_eq!(pushed["state"], "approved", "{pushed}");
    assert!(stored(&cluster.node("gpu").data, hash).is_none(), "nobody asked for it yet");
    let (address, node) = cluster.node("web").create(&["hello", "Hello", "--where", "gpu > 1"]);
    assert_eq!(node, "gpu");
    assert_eq!(cluster.node("web").ask(&address, "are you there?"), "Hello, world!");
    let fetched = stored(&cluster.node("gpu").data, hash).expect("the member has it now");
    assert_eq!(std::fs::read(fetched).unwrap(), std::fs::read(hello()).unwrap(), "byte for byte");
    assert!(stored(&cluster.node("web").data, hash).is_none(), "who does not need it does not fetch it");
    let listed = eventually(SOON, "the leader knows who has it", || {
        let images = cluster.node("web").json(&["image", "list"]);
        Ok((images[0]["nodes"] == 2).then_some(images))
    })
    .unwrap();
    assert!(listed[0]["actors"].as_u64().unwrap() >= 1, "{listed}");
}

#[test]
fn a_small_image_comes_with_the_creation_that_needs_it_and_is_not_fetched() {
    const CAME: &str = "an image came with what needs it";
    let before = ["env", "ODEON_LOG=info,odeon_node::transfer=debug"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::new().unwrap();
    for name in ["one", "two"] {
        cluster.member(name, Start { before: before.clone(), ..Start::default() }).unwrap();
    }
    cluster.leader().run(&["image", "push", &hello()]).ok();
    let (address, _) = cluster.leader().create(&["hello", "Goodbye", "--on", "one"]);
    assert_eq!(cluster.leader().ask(&address, "are you there?"), "Goodbye");
    eventually(SOON, "it says so", || Ok(cluster.node("one").stderr().contains(CAME).then_some(()))).unwrap();
    // The other one, which nobody asked for it, was sent nothing.
    assert!(
        stored(&cluster.node("two").data, cluster.leader().json(&["image", "list"])[0]["hash"].as_str().unwrap())
            .is_none()
    );
    assert!(!cluster.node("two").stderr().contains(CAME));
}

#[test]
fn a_warning_of_an_actor_on_a_member_is_in_the_leaders_log_with_its_origin() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("db", Start::with(&["Has DB access=true"])).unwrap();
    let (address, _) = cluster.leader().create(&["odeon.TestActor", "--require", "Has DB access"]);
    assert_eq!(cluster.leader().ask(&address, "warn the disk is nearly full"), "logged");
    assert_eq!(cluster.leader().ask(&address, "info all is well"), "logged");
    let line = eventually(SOON, "the warning is there", || {
        let ran = cluster.leader().run(&["logs", "--node", "db", "--actor", &address, "--json"]).ok();
        Ok(ran.out.lines().next().map(str::to_owned))
    })
    .unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["message"], "the disk is nearly full", "{line}");
    assert_eq!(line["level"], "warn", "{line}");
    assert_eq!(line["node"], "db", "{line}");
    assert_eq!(line["actor"], address.as_str(), "{line}");
    let all = cluster.leader().run(&["logs", "--node", "db", "--actor", &address, "--json"]).ok().out;
    assert_eq!(all.lines().count(), 1, "below warning stays at its node: {all}");
}

#[test]
fn warnings_that_were_made_while_the_leader_was_away_arrive_when_it_is_back() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("db", Start::default()).unwrap();
    let (address, _) = cluster.node("db").create(&["odeon.TestActor"]);
    cluster.node_mut("leader").kill();
    assert_eq!(cluster.node("db").ask(&address, "warn nobody listens"), "logged");
    cluster.node_mut("leader").restart().unwrap();
    eventually(SOON, "the warning is there", || {
        let out = cluster.leader().run(&["logs", "--actor", &address, "--json"]).ok().out;
        Ok(out.contains("nobody listens").then_some(()))
    })
    .unwrap();
}

#[test]
fn a_flipped_byte_in_the_leaders_store_is_noticed_and_nothing_is_fetched_from_it() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("gpu", Start::with(&["gpu=true"])).unwrap();
    let large = large(&cluster);
    let pushed = cluster.leader().json(&["image", "push", &large]);
    let hash = pushed["hash"].as_str().unwrap().to_owned();
    flip(&stored(&cluster.leader().data, &hash).unwrap());
    let refused = cluster.leader().run(&["create", "hello", "Hello", "--require", "gpu"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains(&hash), "says which image: {refused:?}");
    assert!(files_of(&cluster.node("gpu").data, &hash).is_empty(), "neither the image nor its code is at the member");
    let said = logged_until(&cluster, "leader", "moved to");
    assert!(said.contains(&hash), "the leader says which file was damaged: {said}");
    // Pushed again it is whole again.
    cluster.leader().run(&["image", "push", &large]).ok();
    runs_on_gpu(&cluster);
}

#[test]
fn a_flipped_byte_in_a_members_store_is_noticed_and_the_image_fetched_anew() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("gpu", Start::with(&["gpu=true"])).unwrap();
    let pushed = cluster.leader().json(&["image", "push", &hello()]);
    let hash = pushed["hash"].as_str().unwrap().to_owned();
    runs_on_gpu(&cluster);
    cluster.node_mut("gpu").kill();
    flip(&stored(&cluster.node("gpu").data, &hash).unwrap());
    cluster.node_mut("gpu").restart().unwrap();
    cluster.until_state("gpu", "alive", SOON).unwrap();
    logged_until(&cluster, "gpu", "moved to");
    runs_on_gpu(&cluster);
    let whole = stored(&cluster.node("gpu").data, &hash).unwrap();
    assert_eq!(std::fs::read(whole).unwrap(), std::fs::read(hello()).unwrap());
}

#[test]
fn a_flipped_byte_in_compiled_code_is_noticed_and_the_code_compiled_anew() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("gpu", Start::with(&["gpu=true"])).unwrap();
    let pushed = cluster.leader().json(&["image", "push", &hello()]);
    let hash = pushed["hash"].as_str().unwrap().to_owned();
    runs_on_gpu(&cluster);
    let compiled = |cluster: &Cluster| {
        let image = stored(&cluster.node("gpu").data, &hash).unwrap();
        let files: Vec<_> = files_of(&cluster.node("gpu").data, &hash).into_iter().filter(|f| *f != image).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    };
    let (file, whole) = (compiled(&cluster), std::fs::read(compiled(&cluster)).unwrap());
    cluster.node_mut("gpu").kill();
    flip(&file);
    cluster.node_mut("gpu").restart().unwrap();
    cluster.until_state("gpu", "alive", SOON).unwrap();
    runs_on_gpu(&cluster);
    logged_until(&cluster, "gpu", "compiled code is damaged");
    assert_eq!(std::fs::read(compiled(&cluster)).unwrap(), whole, "compiled anew, to the same code");
}

fn runs_on_gpu(cluster: &Cluster) {
    runs_on_gpu_of(cluster, "gpu");
}

fn runs_on_gpu_of(cluster: &Cluster, name: &str) {
    let (address, node) = cluster.leader().create(&["hello", "Hello", "--require", "gpu"]);
    assert_eq!(node, name);
    assert_eq!(cluster.leader().ask(&address, "are you there?"), "Hello, world!");
}

/// The first line in the leader's log of a node that has this text, once it is there.
fn logged_until(cluster: &Cluster, node: &str, text: &str) -> String {
    eventually(SOON, &format!("{text:?} is in the log of {node}"), || {
        let lines = cluster.leader().run(&["logs", "--node", node, "--json"]).ok().out;
        Ok(lines.lines().find(|line| line.contains(text)).map(str::to_owned))
    })
    .unwrap()
}

#[test]
fn without_an_authority_a_push_exits_5_and_says_why() {
    let cluster = Cluster::led_by(Start::default()).unwrap();
    let refused = cluster.leader().run(&["image", "push", &hello()]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("error[OD-122]"), "{refused:?}");
    assert!(refused.err.contains("odeon authority set"), "says what to do: {refused:?}");
    let unknown = cluster.leader().run(&["create", "hello", "Hello"]);
    assert_ne!(unknown.code, 0, "nothing runs from it: {unknown:?}");
}

#[test]
fn a_keyring_takes_what_an_allowed_key_signed_and_refuses_the_rest() {
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = keys.path().join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
        assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
        path
    };
    let (allowed, other) = (key("allowed"), key("other"));
    let public = std::fs::read_to_string(allowed.with_extension("pub")).unwrap();
    let signers = keys.path().join("allowed_signers");
    std::fs::write(&signers, format!("ops@example.org namespaces=\"odeon-image\" {public}")).unwrap();
    let signed_by = |key: &Path| {
        let image = keys.path().join("hello.zip");
        std::fs::copy(hello(), &image).unwrap();
        let signature = image.with_extension("zip.sig");
        let _ = std::fs::remove_file(&signature);
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", "odeon-image", "-f"]).arg(key).arg(&image);
        assert!(sign.status().unwrap().success());
        let kept = key.with_extension("sig");
        std::fs::rename(signature, &kept).unwrap();
        kept.display().to_string()
    };
    let cluster = Cluster::led_by(Start::default()).unwrap();
    let leader = cluster.leader();
    leader.run(&["authority", "set", "keyring", "--allowed-signers", &signers.display().to_string()]).ok();
    let shown = leader.json(&["authority", "show"]);
    assert_eq!(shown["authority"], "keyring", "{shown}");
    for (arguments, code) in [
        (vec!["image", "push", &hello()], "OD-123"),
        (vec!["image", "push", &hello(), "--signature", &signed_by(&other)], "OD-125"),
    ] {
        let refused = leader.run(&arguments);
        assert_eq!(refused.code, 5, "{refused:?}");
        assert!(refused.err.contains(code), "{refused:?}");
    }
    let signature = signed_by(&allowed);
    let flipped = keys.path().join("flipped.zip");
    let whole = std::fs::read(hello()).unwrap();
    for at in [0, 12, whole.len() / 3, whole.len() / 2, whole.len() - 30, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&flipped, bytes).unwrap();
        let refused = leader.run(&["image", "push", &flipped.display().to_string(), "--signature", &signature]);
        // Either it is no image any more, or it is not the one that was signed.
        let told = (refused.code, refused.err.contains("OD-120"), refused.err.contains("OD-124"));
        assert!(matches!(told, (1, true, false) | (5, false, true)), "byte {at}: {refused:?}");
    }
    let other_image = format!("{}/guest/guest.zip", env!("CARGO_MANIFEST_DIR"));
    let refused = leader.run(&["image", "push", &other_image, "--signature", &signature]);
    assert!(
        refused.code == 5 && refused.err.contains("OD-124"),
        "a whole image under another's signature: {refused:?}"
    );
    let listed = leader.json(&["image", "list"]);
    assert!(listed.as_array().unwrap().iter().all(|image| image["state"] == "rejected"), "{listed}");
    assert_ne!(leader.run(&["create", "hello", "Hello"]).code, 0, "nothing runs from any of them");
    leader.run(&["image", "push", &hello(), "--signature", &signature]).ok();
    let (address, _) = leader.create(&["hello", "Hello"]);
    assert_eq!(leader.ask(&address, "are you there?"), "Hello, world!");
}

#[test]
fn a_keyring_that_requires_two_signers_takes_an_image_that_both_signed() {
    let keys = tempfile::tempdir().unwrap();
    let image = keys.path().join("hello.zip");
    std::fs::copy(hello(), &image).unwrap();
    let mut signers = String::new();
    let signatures = ["alice", "bob"].map(|who| {
        let key = keys.path().join(who);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
        signers += &format!("{who}@example.org {}", std::fs::read_to_string(key.with_extension("pub")).unwrap());
        let signature = keys.path().join(format!("{who}.sig"));
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", "odeon-image", "-f"])
            .arg(&key)
            .stdin(std::fs::File::open(&image).unwrap());
        std::fs::write(&signature, sign.output().unwrap().stdout).unwrap();
        signature.display().to_string()
    });
    let file = keys.path().join("allowed_signers");
    std::fs::write(&file, signers).unwrap();
    let cluster = Cluster::led_by(Start::default()).unwrap();
    let leader = cluster.leader();
    let set = ["authority", "set", "keyring", "--allowed-signers", file.to_str().unwrap(), "--required"];
    let three = leader.run(&[&set[..], &["3"]].concat());
    assert!(three.code == 1 && three.err.contains("the allowed signers are 2"), "{three:?}");
    leader.run(&[&set[..], &["2"]].concat()).ok();
    assert_eq!(leader.json(&["authority", "show"])["required"], 2);
    let hello = hello();
    let push = ["image", "push", &hello];
    let twice = leader.run(&[&push[..], &["--signature", &signatures[0]].repeat(2)].concat());
    assert!(twice.code == 5 && twice.err.contains("error[OD-160]: 1 of 2 required signers"), "{twice:?}");
    assert!(twice.err.contains("the same signer as signature 1"), "{twice:?}");
    let both = [&push[..], &["--signature", &signatures[0], "--signature", &signatures[1]]].concat();
    leader.run(&both).ok();
    let by = leader.json(&["image", "list"])[0]["by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("alice@example.org and bob@example.org: "), "{by}");
    let (address, _) = leader.create(&["hello", "Hello"]);
    assert_eq!(leader.ask(&address, "are you there?"), "Hello, world!");
}

#[test]
fn an_image_that_was_approved_for_a_time_is_used_no_more_when_that_is_over() {
    let keys = tempfile::tempdir().unwrap();
    let at = |name: &str| keys.path().join(name).display().to_string();
    std::fs::copy(hello(), at("hello.zip")).unwrap();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at("key")]).status();
    assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
    let public = std::fs::read_to_string(at("key.pub")).unwrap();
    std::fs::write(at("signers"), format!("ops@example.org namespaces=\"odeon-approval/hello\" {public}")).unwrap();
    let mut cluster = Cluster::led_by(Start::default()).unwrap();
    cluster.member("gpu", Start::with(&["gpu=true"])).unwrap();
    let leader = cluster.leader();
    leader.run(&["authority", "set", "keyring", "--allowed-signers", &at("signers")]).ok();
    let state = |leader: &odeon_tests::cluster::Node| {
        let shown = leader.json(&["image", "show", "hello"]);
        shown["state"].as_str().unwrap().to_owned()
    };
    let approve_until = |unix_s: u64| {
        let until = odeon_sourceauth::format_unix_s(unix_s);
        let sign = ["image", "sign", &at("hello.zip"), "--statement", "--not-after", &until, "--key", &at("key")];
        leader.run(&sign).ok();
        leader.run(&["image", "push", &at("hello.zip"), "--signature", &at("hello.zip.approval")]).ok();
    };
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    approve_until(now() + 4);
    runs_on_gpu(&cluster);
    let shown = leader.json(&["image", "show", "hello"]);
    assert_eq!(shown["approvals"][0]["by"], "ops@example.org", "{shown}");
    assert_eq!(shown["approvals"][0]["signed"], "statement", "{shown}");
    assert_eq!(shown["approvals"][0]["not_after"], shown["until"], "{shown}");
    assert_eq!(shown["types"][0]["name"], "Hello", "{shown}");
    eventually(SOON, "the approval runs out", || Ok((state(leader) == "expired").then_some(()))).unwrap();
    let refused = leader.run(&["create", "hello", "Hello", "--require", "gpu"]);
    assert!(refused.code == 5 && refused.err.contains("error[OD-161]"), "{refused:?}");
    eventually(SOON, "the member has dropped it", || {
        let hash = shown["hash"].as_str().unwrap();
        Ok(stored(&cluster.node("gpu").data, hash).is_none().then_some(()))
    })
    .unwrap();
    let late = leader.run(&["image", "push", &at("hello.zip"), "--signature", &at("hello.zip.approval")]);
    assert!(late.code == 5 && late.err.contains("error[OD-161]"), "{late:?}");
    approve_until(now() + 3_600);
    assert_eq!(state(leader), "approved");
    runs_on_gpu(&cluster);
}

#[test]
fn an_edited_image_has_another_hash_and_both_versions_run_side_by_side() {
    let edited = edited_hello();
    let cluster = Cluster::new().unwrap();
    let leader = cluster.leader();
    let first = leader.json(&["image", "push", &hello()]);
    let (old, _) = leader.create(&["hello", "Hello"]);
    assert_eq!(leader.ask(&old, "are you there?"), "Hello, world!");
    let second = leader.json(&["image", "push", &edited.path().join("hello").display().to_string()]);
    assert_ne!(first["hash"], second["hash"]);
    let (new, _) = leader.create(&[second["hash"].as_str().unwrap(), "Hello"]);
    assert_eq!(leader.ask(&new, "are you there?"), "Hello, universe!");
    assert_eq!(leader.ask(&old, "are you there?"), "Hello, world!", "a running actor keeps its image");
    let (by_hash, _) = leader.create(&[first["hash"].as_str().unwrap(), "Hello"]);
    assert_eq!(leader.ask(&by_hash, "are you there?"), "Hello, world!");
    let (newest, _) = leader.create(&["hello", "Hello"]);
    assert_eq!(leader.ask(&newest, "are you there?"), "Hello, universe!", "a name means the newest version");
    leader.run(&["image", "unload", first["hash"].as_str().unwrap()]).ok();
    eventually(SOON, "the image is gone from the node", || {
        Ok(stored(&leader.data, first["hash"].as_str().unwrap()).is_none().then_some(()))
    })
    .unwrap();
    assert_eq!(leader.ask(&old, "are you there?"), "Hello, world!", "a running actor can still create its World");
    let gone = leader.run(&["create", first["hash"].as_str().unwrap(), "Hello"]);
    assert!(gone.err.contains("OD-126"), "{gone:?}");
}

/// An image of this version with a file of this text in it, whose code is that of the example.
fn packed(version: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = Command::new("unzip").args(["-q", &hello(), "-d"]).arg(folder.path()).status().expect("unzip");
    assert!(unpacked.success(), "this test needs unzip");
    let manifest = folder.path().join("odeon.toml");
    let before = std::fs::read_to_string(&manifest).unwrap();
    assert!(before.contains("version = \"1.0.0\""), "{before}");
    let after = before.replace("1.0.0", version).replacen("\n[[actor]]", "\ninclude = [\"note\"]\n\n[[actor]]", 1);
    std::fs::write(manifest, after).unwrap();
    std::fs::write(folder.path().join("note"), text).unwrap();
    let path = folder.path().display().to_string();
    (folder, path)
}

#[test]
fn an_older_version_and_the_same_one_with_other_bytes_come_back_only_when_they_are_meant_to() {
    let cluster = Cluster::led_by(Start::default().and(&["--authority", "accept-all"])).unwrap();
    let leader = cluster.leader();
    let [first, second, other, third] =
        [packed("1.9", "a"), packed("1.10", "b"), packed("1.10", "c"), packed("2", "d")];
    let push = |image: &str, more: &[&str]| leader.run(&[&["image", "push", image, "--json"], more].concat());
    push(&first.1, &[]).ok();
    let newest = push(&second.1, &[]).ok().json();
    push(&second.1, &[]).ok();
    let same = push(&other.1, &[]);
    assert!(same.code == 5 && same.err.contains("error[OD-162]"), "{same:?}");
    assert!(same.err.contains(newest["hash"].as_str().unwrap()), "{same:?}");
    push(&first.1, &[]).ok();
    leader.run(&["image", "unload", "hello@1.9"]).ok();
    let older = push(&first.1, &[]);
    assert!(older.code == 5 && older.err.contains("error[OD-162]: ") && older.err.contains("1.10"), "{older:?}");
    assert_ne!(leader.run(&["create", "hello@1.9", "Hello"]).code, 0, "nothing runs from it");
    push(&first.1, &["--allow-older"]).ok();
    push(&other.1, &["--allow-older"]).ok();
    push(&third.1, &[]).ok();
    let (address, _) = leader.create(&["hello@1.9", "Hello"]);
    assert_eq!(leader.ask(&address, "are you there?"), "Hello, world!");
}

#[test]
fn a_node_with_signers_of_its_own_runs_only_what_they_signed_whatever_its_leader_approves() {
    let keys = tempfile::tempdir().unwrap();
    let at = |name: &str| keys.path().join(name).display().to_string();
    std::fs::copy(hello(), at("hello.zip")).unwrap();
    for name in ["ours", "theirs"] {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(name)]).status();
        assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
        let public = std::fs::read_to_string(at(&format!("{name}.pub"))).unwrap();
        std::fs::write(at(&format!("{name}.signers")), format!("{name}@example.org {public}")).unwrap();
    }
    let mut cluster = Cluster::new().unwrap();
    let careful = Start::with(&["gpu=true", "careful=true"]).and(&["--image-signers", &at("ours.signers")]);
    cluster.member("careful", careful).unwrap();
    cluster.member("trusting", Start::with(&["gpu=true"])).unwrap();
    let leader = cluster.leader();
    // The leader approves everything.
    let pushed = leader.json(&["image", "push", &hello()]);
    let hash = pushed["hash"].as_str().unwrap();
    let only_careful = ["create", "hello", "Hello", "--require", "careful"];
    let refused = leader.run(&only_careful);
    assert!(refused.code == 4 && refused.err.contains("error[OD-130]"), "{refused:?}");
    assert!(refused.err.contains("--image-signers"), "says why: {refused:?}");
    for _ in 0..3 {
        let (address, node) = leader.create(&["hello", "Hello", "--require", "gpu", "--placement", "spread"]);
        assert_eq!(node, "trusting", "the creation goes on to a node that does not ask");
        assert_eq!(leader.ask(&address, "are you there?"), "Hello, world!");
    }
    assert!(files_of(&cluster.node("careful").data.join("compiled"), hash).is_empty(), "its code was not looked at");
    // The leader believes somebody else.
    let push_signed = |by: &str| {
        leader.run(&["authority", "set", "keyring", "--allowed-signers", &at(&format!("{by}.signers"))]).ok();
        let signature = at(&format!("{by}.sig"));
        leader.run(&["image", "sign", &at("hello.zip"), "--key", &at(by), "-o", &signature]).ok();
        leader.run(&["image", "push", &at("hello.zip"), "--signature", &signature]).ok();
    };
    push_signed("theirs");
    let refused = leader.run(&only_careful);
    assert!(refused.code == 4 && refused.err.contains("not among the allowed signers"), "{refused:?}");
    push_signed("ours");
    let (address, node) = leader.create(&["hello", "Hello", "--require", "careful"]);
    assert_eq!((node.as_str(), leader.ask(&address, "are you there?").as_str()), ("careful", "Hello, world!"));
    // What it has verified it has also after another start.
    cluster.node_mut("careful").kill();
    cluster.node_mut("careful").restart().unwrap();
    cluster.until_state("careful", "alive", SOON).unwrap();
    let (_, node) = cluster.leader().create(&["hello", "Hello", "--require", "careful"]);
    assert_eq!(node, "careful");
    // Of what is revoked nothing is kept, and no signature either.
    cluster.leader().run(&["image", "revoke", hash]).ok();
    assert_eq!(files_of(&cluster.node("careful").data, hash), Vec::<PathBuf>::new());
    // A leader may have signers of its own too: it hands out what it does not run.
    let own = Start::default().and(&["--authority", "accept-all", "--image-signers", &at("ours.signers")]);
    let mut cluster = Cluster::led_by(own).unwrap();
    cluster.member("trusting", Start::with(&["gpu=true"])).unwrap();
    cluster.leader().run(&["image", "push", &hello()]).ok();
    let leader_only = cluster.leader().run(&["create", "hello", "Hello", "--on", "leader"]);
    assert!(leader_only.code == 4 && leader_only.err.contains("--image-signers"), "{leader_only:?}");
    runs_on_gpu_of(&cluster, "trusting");
}

#[test]
fn a_node_takes_images_only_from_those_that_it_is_told_to() {
    let mut cluster = Cluster::new().unwrap();
    let allow = |has: &str, whom: &str| Start::with(&[has]).and(&["--allow-remote-images", whom]);
    cluster.member("holder", Start::with(&["holder=true"])).unwrap();
    cluster.member("any", allow("any=true", "yes")).unwrap();
    cluster.member("careful", allow("careful=true", "leader-only")).unwrap();
    cluster.member("none", allow("none=true", "no")).unwrap();
    let large = large(&cluster);
    let leader = cluster.leader();
    let hash = leader.json(&["image", "push", &large])["hash"].as_str().unwrap().to_owned();
    let create_on = |has: &str| leader.run(&["create", "hello", "Hello", "--require", has]);
    let (actor, _) = leader.create(&["hello", "Hello", "--require", "holder"]);
    // All of them could have it from there.
    for node in ["any", "careful", "none"] {
        assert_eq!(cluster.node(node).ask(&actor, "are you there?"), "Hello, world!");
    }
    eventually(SOON, "the leader knows who has it", || {
        Ok((leader.json(&["image", "list"])[0]["nodes"] == 2).then_some(()))
    })
    .unwrap();
    // The leader does not have it whole: only a member does.
    flip(&stored(&leader.data, &hash).unwrap());
    let refused = create_on("careful");
    assert!(refused.code == 4 && stored(&cluster.node("careful").data, &hash).is_none(), "{refused:?}");
    create_on("any").ok();
    leader.run(&["image", "push", &large]).ok();
    create_on("careful").ok();
    let refused = create_on("none");
    assert!(refused.code == 4 && refused.err.contains("--allow-remote-images no"), "{refused:?}");
    assert!(stored(&cluster.node("none").data, &hash).is_none());
}

/// The hello example as its developer would edit it: another text, another version, built again.
fn edited_hello() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (repository, crate_folder) = (repository(), folder.path().join("hello"));
    std::fs::create_dir_all(crate_folder.join("src")).unwrap();
    let source = std::fs::read_to_string(repository.join("examples/hello/src/lib.rs")).unwrap();
    assert!(source.contains(" world!"), "the example says what it is known for");
    std::fs::write(crate_folder.join("src/lib.rs"), source.replace(" world!", " universe!")).unwrap();
    let manifest = std::fs::read_to_string(repository.join("examples/hello/odeon.toml")).unwrap();
    std::fs::write(crate_folder.join("odeon.toml"), manifest.replace("1.0.0", "1.1.0")).unwrap();
    let cargo = format!(
        "[package]\nname = \"hello\"\nversion = \"1.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nodeon = {{ path = \"{}\", default-features = false }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\n\
         [profile.release]\nopt-level = \"s\"\nlto = true\npanic = \"abort\"\nstrip = true\n\n[workspace]\n",
        repository.join("actor").display(),
    );
    std::fs::write(crate_folder.join("Cargo.toml"), cargo).unwrap();
    std::fs::copy(repository.join("Cargo.lock"), crate_folder.join("Cargo.lock")).unwrap();
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(folder.path().join("target"))
        .current_dir(&crate_folder)
        .status()
        .unwrap();
    assert!(built.success(), "the edited example builds");
    let component = folder.path().join("target/wasm32-wasip2/release/hello.wasm");
    std::fs::copy(component, crate_folder.join("hello.wasm")).unwrap();
    folder
}
