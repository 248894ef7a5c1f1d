//! Images with grants on real nodes: hosted where what they ask for is allowed, refused elsewhere, and held to it.
#![allow(clippy::unwrap_used)]

use odeon_sourceauth::Image;
use odeon_tests::cluster::{Cluster, Start, eventually};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// A folder that can be pushed: the actor that reaches out, asking for this.
fn project(name: &str, grants: &str) -> tempfile::TempDir {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest_granted/guest.zip");
    let code = Image::open(fs::read(kept).unwrap()).unwrap().code().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("guest.wasm"), code).unwrap();
    let manifest = format!(
        "name = \"{name}\"\nversion = \"1\"\nruntime = \"wasm\"\ncode = \"guest.wasm\"\n\
         [[actor]]\nname = \"Reacher\"\n[[actor]]\nname = \"Reader\"\n[grants]\n{grants}\n"
    );
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    folder
}

fn push(cluster: &Cluster, folder: &tempfile::TempDir) {
    let pushed = cluster.leader().json(&["image", "push", &folder.path().display().to_string()]);
    assert_eq!(pushed["state"], "approved", "{pushed}");
}

/// A place beside the nodes' folders.
fn shared(cluster: &Cluster) -> PathBuf {
    let shared = cluster.dir().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "what is in it").unwrap();
    fs::canonicalize(shared).unwrap()
}

/// Answers each line on every connection; none where it is `silent`. Gives where.
fn listener(silent: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut connection in listener.incoming().map_while(Result::ok) {
            if silent {
                kept.push(connection);
                continue;
            }
            std::thread::spawn(move || {
                let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
                for line in lines {
                    let _ = writeln!(connection, "heard {line}");
                }
            });
        }
    });
    address
}

#[test]
fn an_image_is_hosted_where_all_that_it_asks_for_is_allowed_and_reaches_that_and_nothing_else() {
    let mut cluster = Cluster::new().unwrap();
    let (shared, address) = (shared(&cluster), listener(false));
    let folder = format!("{}:rw", shared.display());
    let before = vec!["env".to_owned(), "ZONE=eu-1".to_owned(), "SECRET=x".to_owned()];
    // Preferred by being asked for by name elsewhere, but it allows less.
    cluster.member("some", Start::default().and(&["--allow-environment", "ZONE"])).unwrap();
    let all = ["--allow-environment", "ZONE", "--allow-folder", &folder, "--allow-outbound", "127.0.0.0/8:*"];
    cluster.member("all", Start { before, ..Start::default() }.and(&all)).unwrap();
    let grants = format!("outbound = [\"{address}\"]\nfolders = [\"{folder}\"]\nenvironment = [\"ZONE\"]\n");
    push(&cluster, &project("reacher", &grants));

    let shown = cluster.leader().json(&["image", "show", "reacher"]);
    assert_eq!(
        shown["grants"],
        json!({"outbound": [address], "folders": [folder], "environment": ["ZONE"]}),
        "{shown}"
    );
    assert_eq!(shown["types"][0], json!({"name": "Reacher", "require": ["odeon.grants"]}));
    let text = cluster.node("some").run(&["image", "show", "reacher"]).ok().out;
    assert!(text.contains(&format!("  asks for outbound {address}\n")), "{text}");

    for _ in 0..4 {
        let (_, node) = cluster.leader().create(&["reacher", "Reacher"]);
        assert_eq!(node, "all");
    }
    let (actor, _) = cluster.leader().create(&["reacher", "Reacher"]);
    let says = |what: &str| cluster.leader().ask(&actor, what);
    assert_eq!(says("variable ZONE"), "eu-1");
    assert_eq!(says("variable SECRET"), "absent");
    assert_eq!(says(&format!("read {}/file", shared.display())), "what is in it");
    assert_eq!(says(&format!("write {}/new", shared.display())), "written");
    assert_eq!(fs::read_to_string(shared.join("new")).unwrap(), "written");
    assert_eq!(says(&format!("ask {address}")), "heard are you there?");
    assert_eq!(says(&format!("ask {}", cluster.leader().listen)), "failed: PermissionDenied");
    assert!(says("read /etc/hostname").starts_with("failed: "));
}

#[test]
fn where_it_is_not_allowed_the_refusal_names_it_and_the_flag_for_it() {
    let mut cluster = Cluster::new().unwrap();
    let shared = shared(&cluster);
    let grants = format!("outbound = [\"db.example.org:5432\"]\nfolders = [\"{}\"]", shared.display());
    push(&cluster, &project("reacher", &grants));
    cluster.member("other", Start::default()).unwrap();
    let refused = cluster.leader().run(&["create", "reacher", "Reacher"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("lacks capability \"odeon.grants\""), "{refused:?}");
    // One that allows something else is asked, and refuses.
    cluster.member("half", Start::default().and(&["--allow-outbound", "*.example.org:*"])).unwrap();
    let refused = cluster.leader().run(&["create", "reacher", "Reacher"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let flag = format!("(--allow-folder {}), OD-173", shared.display());
    assert!(refused.err.contains(&flag) && !refused.err.contains("--allow-outbound"), "{refused:?}");
    // What is allowed and not there is another matter.
    let allows = ["--allow-outbound", "db.example.org:5432", "--allow-folder", shared.to_str().unwrap()];
    cluster.member("gone", Start::default().and(&allows)).unwrap();
    fs::remove_dir_all(&shared).unwrap();
    let refused = cluster.leader().run(&["create", "reacher", "Reacher", "--on", "gone"]);
    assert!(refused.code == 4 && refused.err.contains("OD-174"), "{refused:?}");
    // It comes back, and the image is hosted.
    fs::create_dir(&shared).unwrap();
    let (_, node) = cluster.leader().create(&["reacher", "Reacher", "--on", "gone"]);
    assert_eq!(node, "gone");
}

#[test]
fn connections_that_never_answer_hold_up_no_actor_of_the_node() {
    let mut cluster = Cluster::new().unwrap();
    let address = listener(true);
    cluster.member("net", Start::default().and(&["--allow-outbound", &address])).unwrap();
    push(&cluster, &project("reacher", &format!("outbound = [\"{address}\"]")));
    let waiting: Vec<String> = (0..16).map(|_| cluster.leader().create(&["reacher", "Reacher"]).0).collect();
    let (other, node) = cluster.leader().create(&["odeon.TestActor", "--on", "net"]);
    assert_eq!(node, "net");
    let asked = format!("ask {address}");
    std::thread::scope(|scope| {
        let cluster = &cluster;
        let ends: Vec<_> =
            waiting.iter().map(|actor| scope.spawn(|| cluster.leader().run(&["ask", actor, &asked]))).collect();
        let started = Instant::now();
        assert_eq!(cluster.leader().run(&["ask", &other, "ping"]).code, 0);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        for end in ends {
            let ended = end.join().unwrap();
            assert!(ended.err.contains("OD-141") && ended.err.contains("took longer than 1000 ms"), "{ended:?}");
        }
    });
    // They were built anew, and go on.
    eventually(SOON, "they answer", || {
        Ok(waiting.iter().all(|actor| cluster.leader().ask(actor, "count") == "1").then_some(()))
    })
    .unwrap();
}
