//! What a node says when it cannot begin or go on, and what it leaves behind: the folder as it was.
#![allow(clippy::unwrap_used)]

use odeon::Value;
use odeon_node::admin::Route;
use odeon_node::admin::protocol::{Reply, Request};
use odeon_tests::cluster::{Cluster, Ran, Start, eventually, odeon};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Runs `odeon up`, which is expected to end by itself.
fn up(data: &Path, further: &[&str]) -> Ran {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60"]).arg(odeon()).arg("up").arg("--data").arg(data).args(further);
    let ran = command.env_remove("ODEON_JOIN").stdin(Stdio::null()).output().expect("timeout starts");
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
        err: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

/// It did not become ready, and the last thing that it said is this error about this thing.
fn refused(ran: &Ran, code: i32, error: &str, about: &str) {
    let said = ran.err.lines().find(|line| line.starts_with("error"));
    let fits = said.is_some_and(|line| line.starts_with(error) && line.contains(about));
    assert!(ran.code == code && ran.out.is_empty() && fits, "expected {error} about {about}: {ran:?}");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp starts");
    assert!(done.success());
}

#[test]
fn a_start_that_is_refused_leaves_no_identity_so_that_the_folder_can_still_join() {
    let mut cluster = Cluster::new().unwrap();
    let folder = cluster.dir().join("m");
    let taken = cluster.leader().listen.clone();
    refused(&up(&folder, &["--listen", &taken]), 1, "error[OD-153]", &taken);
    refused(&up(&folder, &["--listen", "192.0.2.1:5340"]), 1, "error[OD-153]", "192.0.2.1:5340");
    refused(&up(&folder, &["--listen", "127.0.0.1:0", "--join", "@/nowhere/token"]), 2, "error: ", "/nowhere/token");
    let token = cluster.leader().run(&["token", "create", "--uses", "1"]).ok().out.trim().to_owned();
    refused(&up(&folder, &["--listen", &taken, "--join", &token]), 1, "error[OD-153]", &taken);
    assert!(!folder.join("identity").exists());
    // The one use of the token is still there.
    cluster.up("m", Start::default().and(&["--join", &token])).unwrap();
    refused(&up(&folder, &["--listen", "127.0.0.1:0"]), 1, "error[OD-150]", &cluster.node("m").pid().to_string());
    let long = cluster.dir().join("x".repeat(120));
    refused(&up(&long, &["--listen", "127.0.0.1:0"]), 1, "error[OD-151]", "longer than 107");
    assert!(!long.join("identity").exists());
}

#[test]
fn a_token_goes_through_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let mut cluster = Cluster::new().unwrap();
    let file = cluster.dir().join("token").display().to_string();
    let made = cluster.leader().run(&["token", "create", "--out", &file]).ok();
    assert!(made.out.is_empty(), "{made:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    cluster.up("m", Start::default().and(&["--join", &format!("@{file}")])).unwrap();
    let nowhere = cluster.leader().run(&["token", "create", "--out", "/nowhere/token"]);
    assert!(nowhere.code == 2 && nowhere.err.starts_with("error: /nowhere/token cannot be written"), "{nowhere:?}");
}

#[test]
fn the_original_of_a_copied_folder_ends_when_the_copy_takes_its_place() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("original", Start::default()).unwrap();
    copy(&cluster.node("original").data, &cluster.dir().join("copy"));
    fs::remove_file(cluster.dir().join("copy/odeon.sock")).unwrap();
    cluster.up("copy", Start::default()).unwrap();
    assert_eq!(cluster.node("copy").id, cluster.node("original").id);
    let code = cluster.node_mut("original").wait(SOON).unwrap();
    let said = cluster.node("original").stderr();
    assert!(code == 1 && said.contains("error[OD-117]"), "{code}: {said}");
    cluster.until_state("copy", "alive", SOON).unwrap();
}

#[test]
fn a_folder_with_something_missing_or_damaged_is_refused_by_the_name_of_that_thing() {
    let mut cluster = Cluster::new().unwrap();
    assert_eq!(cluster.node_mut("leader").terminate().unwrap(), 0);
    let whole = cluster.leader().data.clone();
    let damaged = cluster.dir().join("damaged");
    let remove = |path: &Path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    let garbage: Vec<u8> = (0..5_000u32).map(|n| (n * 37 % 251) as u8).collect();
    for part in [
        "ledger.redb",
        "identity",
        "identity/ca.key",
        "identity/ca.pem",
        "identity/node.key",
        "identity/node.pem",
        "identity/incarnation",
    ] {
        let damages: [&dyn Fn(&Path); 3] = [
            &|path| remove(path).unwrap(),
            &|path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(20).unwrap(),
            &|path| fs::write(path, &garbage).unwrap(),
        ];
        for (number, damage) in damages.iter().enumerate().take(if part == "identity" { 1 } else { 3 }) {
            copy(&whole, &damaged);
            damage(&damaged.join(part));
            let ran = up(&damaged, &["--name", "leader", "--listen", "127.0.0.1:0"]);
            refused(&ran, 1, "error[OD-151]", damaged.join(part).to_str().unwrap());
            assert!(number != 0 || !damaged.join(part).exists(), "{part} is not made anew");
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    cluster.node_mut("leader").restart().unwrap();
}

#[test]
fn a_leader_that_cannot_write_says_so_and_ends_and_has_everything_with_room_again() {
    let mut cluster = Cluster::new().unwrap();
    // Large ones, for the file has room in it that is used before it grows.
    let claims: Vec<String> = (0..100).map(|n| format!("--claim={n:0250}")).collect();
    let mut operator = vec!["token", "create", "--role", "operator"];
    operator.extend(claims.iter().map(String::as_str));
    let first = cluster.leader().run(&operator).ok().out.trim().to_owned();
    assert_eq!(cluster.node_mut("leader").terminate().unwrap(), 0);
    // A limit on the size of its files stands for a full disk: more than the ledger's first mebibyte, less than its next.
    let script = "trap '' XFSZ; ulimit -f 1536; exec \"$@\"";
    let before = ["bash", "-c", script, "bash"].map(str::to_owned).to_vec();
    let data = cluster.leader().data.clone();
    let listen = Some(cluster.leader().listen.clone());
    let full = Start { before, listen, ..Start::default() };
    cluster.replace("leader", full).unwrap();
    let mut made = Vec::new();
    let refused = loop {
        let ran = cluster.leader().run(&operator);
        if ran.code != 0 {
            break ran;
        }
        made.push(ran.out.trim().to_owned());
        assert!(made.len() < 1_000, "the limit is never met");
    };
    assert!(refused.code == 1 && refused.err.starts_with("error[OD-152]"), "after {}: {refused:?}", made.len());
    let code = cluster.node_mut("leader").wait(SOON).unwrap();
    assert!(code == 1 && cluster.leader().stderr().contains("error[OD-152]"), "{code}: {}", cluster.leader().stderr());
    cluster.replace("leader", Start { listen: Some(cluster.leader().listen.clone()), ..Start::default() }).unwrap();
    assert_eq!(cluster.leader().data, data);
    for token in [&first].into_iter().chain(made.last()) {
        let mut command = Command::new(odeon());
        command.args(["--connect", &cluster.leader().listen, "nodes"]).env("ODEON_TOKEN", token);
        let ran = command.output().unwrap();
        assert!(ran.status.success(), "an acknowledged token is known: {ran:?}");
    }
    assert_eq!(cluster.leader().json(&["authority", "show"])["authority"], "accept-all");
}

#[test]
fn a_message_that_is_too_large_is_refused_with_its_size_wherever_the_actor_lives() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("m", Start::default()).unwrap();
    let route = Route::Socket { data: cluster.leader().data.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for on in ["leader", "m"] {
        let (address, _) = cluster.leader().create(&["odeon.TestActor", "--on", on]);
        let ask = |bytes: usize| {
            let message = "x".repeat(bytes).into();
            let request = Request::Ask { address: address.parse().unwrap(), message, timeout_ms: 60_000 };
            runtime.block_on(async { route.ask(&request).await?.next().await })
        };
        let refused = ask(65 * 1024 * 1024).err().unwrap();
        assert_eq!(refused.code, 103, "on {on}: {}", refused.message);
        assert!(
            refused.message.starts_with("a message of 68157445 bytes is larger than 67043328 bytes"),
            "{refused:?}"
        );
        // Less of it comes back whole.
        let Some(Reply::Answer(Value::String(text))) = ask(20 * 1024 * 1024).ok().flatten() else {
            panic!("no answer")
        };
        assert!(text.ends_with("xxx") && text.len() > 20 * 1024 * 1024, "on {on}: {} bytes", text.len());
    }
}

#[test]
fn what_is_asked_of_a_node_that_is_gone_fails_at_once_and_names_it() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("m", Start::default()).unwrap();
    cluster.node_mut("m").kill();
    cluster.until_state("m", "dead", SOON).unwrap();
    for command in [
        &["status", "m"][..],
        &["actors", "--node", "m"],
        &["capability", "set", "x=1", "--on", "m"],
        &["create", "odeon.TestActor", "--on", "m"],
        &["explain", "odeon.TestActor", "--on", "m"],
        &["shutdown", "--on", "m"],
    ] {
        let ran = cluster.leader().run(command);
        let said = ran.err.starts_with("error[OD-100]: node m is dead\n");
        assert!(ran.code == 6 && ran.out.is_empty() && said, "{command:?}: {ran:?}");
    }
    cluster.node_mut("m").restart().unwrap();
    eventually(SOON, "m is asked again", || Ok((cluster.leader().run(&["status", "m"]).code == 0).then_some(())))
        .unwrap();
}
