//! Images in Python on real nodes: pushed, created, asked, edited, killed, and held in their cage.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside, eventually, hello};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A folder that can be pushed: a script of the repository, its manifest, and the library.
fn project(of: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        for file in fs::read_dir(from).unwrap().flatten().filter(|file| file.path().is_file()) {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    copy(&repository().join(of), folder.path());
    fs::create_dir(folder.path().join("odeon")).unwrap();
    copy(&repository().join("python/odeon"), &folder.path().join("odeon"));
    folder
}

/// How a node is started that runs processes. The interpreter is that of the system: nobody else's can be entered.
fn allows() -> Start {
    let path = ["env".to_owned(), "PATH=/usr/local/bin:/usr/bin:/bin".to_owned()];
    let start = Start { before: path.into(), ..Start::default() }.and(&["--allow-process", "yes"]);
    match is_root() {
        true => start.and(&["--process-user", "nobody"]),
        false => start,
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A leader that runs no processes, and a member that does.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new().unwrap();
    // Whom processes run as has to get to the member's folder.
    fs::set_permissions(cluster.dir(), Permissions::from_mode(0o711)).unwrap();
    cluster.member("py", allows()).unwrap();
    cluster
}

fn push(cluster: &Cluster, folder: &Path) -> Value {
    cluster.leader().json(&["image", "push", &folder.display().to_string()])
}

/// Processes that work below a node's folder.
fn below(cluster: &Cluster, node: &str) -> Vec<u32> {
    let folder = fs::canonicalize(&cluster.node(node).data).unwrap().join("process");
    let works_there = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(works_there).collect()
}

#[test]
fn a_hello_in_python_is_pushed_created_asked_edited_and_pushed_again() {
    let cluster = cluster();
    let folder = project("examples/hello_python");
    let pushed = push(&cluster, folder.path());
    assert_eq!(pushed["state"], "approved", "{pushed}");
    let (address, node) = cluster.leader().create(&["hello-python", "Hello"]);
    assert_eq!(node, "py", "the only node that runs processes");
    assert_eq!(cluster.leader().ask(&address, "are you there?"), "Hello, world!");
    let script = folder.path().join("hello.py");
    let edited = fs::read_to_string(&script).unwrap().replace(" world!", " new world!");
    fs::write(&script, edited).unwrap();
    let manifest = folder.path().join("odeon.toml");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("1.0.0", "1.0.1")).unwrap();
    assert_ne!(push(&cluster, folder.path())["hash"], pushed["hash"]);
    let (newer, _) = cluster.leader().create(&["hello-python", "Hello"]);
    assert_eq!(cluster.leader().ask(&newer, "are you there?"), "Hello, new world!");
    assert_eq!(cluster.leader().ask(&address, "are you there?"), "Hello, world!", "the old one keeps its image");
    let processes = &cluster.node("py").json(&["status"])["processes"];
    assert_eq!(processes["images"], 2, "{processes}");
    assert!(cluster.leader().json(&["status"])["processes"].is_null());
}

#[test]
fn where_nobody_allows_processes_nothing_is_created_and_the_reason_is_said() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("other", Start::default()).unwrap();
    push(&cluster, project("examples/hello_python").path());
    let refused = cluster.leader().run(&["create", "hello-python", "Hello"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("lacks capability \"odeon.process\""), "{refused:?}");
    // One that only says so is asked, and refuses.
    cluster.node("other").run(&["capability", "set", "odeon.process=true"]).ok();
    let refused = eventually(SOON, "it is asked", || {
        let refused = cluster.leader().run(&["create", "hello-python", "Hello"]);
        Ok(refused.err.contains("OD-166").then_some(refused))
    })
    .unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
}

#[test]
fn a_process_that_is_killed_is_started_again_and_its_actors_go_on() {
    let cluster = cluster();
    let pushed = push(&cluster, project("tests/guest_python").path());
    let (address, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    assert_eq!(cluster.leader().ask(&address, "count"), "1");
    let pid = cluster.leader().ask(&address, "pid");
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    // A message that finds it dead before the node has seen that would be given twice.
    eventually(Duration::from_secs(10), "the node has seen its end", || {
        Ok(cluster.node("py").stderr().contains("ended").then_some(()))
    })
    .unwrap();
    assert_eq!(cluster.leader().ask(&address, "count"), "1", "built again, in another process");
    assert_ne!(cluster.leader().ask(&address, "pid"), pid);
    let used = &cluster.node("py").json(&["status"])["images"][pushed["hash"].as_str().unwrap()];
    assert_eq!((&used["image"], &used["runtime"]), (&"test-guest-python@1.0.0".into(), &"process".into()), "{used}");
    assert_eq!((&used["actors"], &used["messages"]), (&1.into(), &4.into()), "{used}");
    assert_eq!((&used["failures"], &used["restarts"]), (&0.into(), &1.into()), "{used}");
    assert!(used["memory_bytes"].as_u64().unwrap() > 1 << 20, "{used}");
}

#[test]
fn a_message_that_kills_its_process_twice_comes_back_as_poison_and_others_are_answered() {
    let cluster = cluster();
    push(&cluster, project("tests/guest_python").path());
    let (address, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    let (other, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    let poisoned = cluster.leader().run(&["ask", &address, "kill yourself"]);
    assert_eq!(poisoned.code, 1, "{poisoned:?}");
    assert!(poisoned.err.contains("OD-141") && poisoned.err.contains("signal 9"), "{poisoned:?}");
    assert_eq!(cluster.leader().ask(&other, "hello"), "told hello");
    assert_eq!(cluster.leader().ask(&address, "hello"), "told hello");
}

#[test]
fn many_actors_of_a_slow_process_hold_up_no_other_actor() {
    let cluster = cluster();
    push(&cluster, project("tests/guest_python").path());
    let slow: Vec<String> = (0..16).map(|_| cluster.node("py").create(&["test-guest-python", "Rogue"]).0).collect();
    let (other, _) = cluster.node("py").create(&["odeon.TestActor", "--on", "py"]);
    for address in &slow {
        cluster.node("py").run(&["tell", address, "sleep"]).ok();
        cluster.node("py").run(&["tell", address, "sleep"]).ok();
    }
    let waiting = cluster.node("py").json(&["actors"]);
    let waiting = waiting.as_array().unwrap().iter().filter(|actor| actor["state"] == "waiting").count();
    assert!(waiting > 4, "{waiting} wait");
    let asked = std::time::Instant::now();
    assert!(cluster.node("py").ask(&other, "still there?").contains("still there?"));
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
}

#[test]
fn a_child_of_a_process_is_created_there_and_one_that_cannot_be_is_told_to_its_parent() {
    let cluster = cluster();
    push(&cluster, project("tests/guest_python").path());
    let (address, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    cluster.leader().run(&["tell", &address, "child"]).ok();
    eventually(SOON, "the child is there", || {
        let actors = cluster.leader().json(&["actors"]);
        Ok(actors.as_array().unwrap().iter().any(|actor| actor["parent"] == address.as_str()).then_some(()))
    })
    .unwrap();
    cluster.leader().run(&["tell", &address, "failing child"]).ok();
    eventually(SOON, "the parent is told", || {
        let out = cluster.leader().run(&["logs", "--actor", &address, "--json"]).ok().out;
        Ok((out.contains("child exited") && out.contains("not today")).then_some(()))
    })
    .unwrap();
}

#[test]
fn when_a_node_is_killed_nothing_of_its_processes_is_left() {
    let mut cluster = cluster();
    push(&cluster, project("tests/guest_python").path());
    let (address, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    cluster.leader().ask(&address, "children");
    assert!(below(&cluster, "py").len() >= 4, "the guard, the process, and two that it has left behind");
    cluster.node_mut("py").kill();
    eventually(SOON, "all are gone", || Ok(below(&cluster, "py").is_empty().then_some(()))).unwrap();
    cluster.node_mut("py").restart().unwrap();
    cluster.until_state("py", "alive", SOON).unwrap();
    let folder = cluster.node("py").data.join("process/images");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "what the start before has unpacked is removed");
    let (again, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    assert_eq!(cluster.leader().ask(&again, "count"), "1");
}

#[test]
fn a_revoked_image_leaves_no_file_and_its_process_ends_with_its_actors() {
    let cluster = cluster();
    let hash = push(&cluster, project("tests/guest_python").path())["hash"].as_str().unwrap().to_owned();
    let (address, _) = cluster.leader().create(&["test-guest-python", "Rogue"]);
    assert_eq!(cluster.leader().ask(&address, "count"), "1");
    cluster.leader().run(&["image", "revoke", &hash, "--end"]).ok();
    assert!(odeon_tests::cluster::files_of(&cluster.node("py").data, &hash).is_empty());
    let left = fs::read_dir(cluster.node("py").data.join("process/images")).unwrap().count();
    assert_eq!(left, 0, "the unpacked files are gone");
    eventually(SOON, "the process has ended", || Ok(below(&cluster, "py").is_empty().then_some(()))).unwrap();
}

#[test]
fn a_push_whose_process_and_manifest_disagree_is_refused_by_a_leader_that_can_try_it() {
    let mut cluster = Cluster::new().unwrap();
    fs::set_permissions(cluster.dir(), Permissions::from_mode(0o711)).unwrap();
    cluster.node_mut("leader").terminate().unwrap();
    cluster.replace("leader", allows()).unwrap();
    let folder = project("examples/hello_python");
    let manifest = folder.path().join("odeon.toml");
    let renamed = fs::read_to_string(&manifest).unwrap().replace("\"World\"", "\"Moon\"");
    fs::write(&manifest, &renamed).unwrap();
    let refused = cluster.leader().run(&["image", "push", &folder.path().display().to_string()]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("OD-167") && refused.err.contains("Moon"), "{refused:?}");
    fs::write(&manifest, renamed.replace("\"Moon\"", "\"World\"")).unwrap();
    assert_eq!(push(&cluster, folder.path())["state"], "approved");
    let missing = fs::read_to_string(&manifest).unwrap().replace("\"python3\"", "\"odeon-no-such\"");
    fs::write(&manifest, missing.replace("1.0.0", "2.0.0")).unwrap();
    assert_eq!(push(&cluster, folder.path())["state"], "approved", "another node may have it");
    let refused = cluster.leader().run(&["create", "hello-python@2.0.0", "Hello"]);
    assert!(refused.code == 4 && refused.err.contains("odeon-no-such"), "{refused:?}");
}

#[test]
fn a_node_of_root_names_a_user_for_its_processes() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let up = ["up", "--data", &data, "--listen", "127.0.0.1:0", "--allow-process", "yes"];
    let refused = std::process::Command::new(odeon_tests::cluster::odeon()).args(up).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("OD-168"), "{said}");
    assert!(!Path::new(&data).exists(), "nothing was begun");
}

#[test]
fn an_actor_in_python_has_an_image_loaded_and_is_told_that_it_may_not_unload_it() {
    let leads = Start { program: Some(beside("test_node")), ..Start::default() };
    let mut cluster = Cluster::led_by(leads.and(&["--authority", "accept-all"])).unwrap();
    fs::set_permissions(cluster.dir(), Permissions::from_mode(0o711)).unwrap();
    cluster.member("py", allows()).unwrap();
    let folder = project("tests/guest_python");
    push(&cluster, folder.path());
    let leader = cluster.leader();
    let (loader, _) = leader.create(&["test-guest-python", "Loader"]);
    let (librarian, _) = leader.create(&["Librarian", "--on", "leader"]);
    let hash = odeon_sourceauth::hash(&fs::read(hello()).unwrap()).to_string();
    let bring = json!({ "Bring": { "path": hello(), "to": loader } }).to_string();
    assert_eq!(leader.ask(&librarian, &bring), format!("approved {hash}"));
    let unload = json!({ "Unload": { "hash": hash } }).to_string();
    let refused = leader.ask(&loader, &unload);
    assert!(refused.starts_with(&format!("unloaded {hash}: [175, ")), "{refused}");
}
