//! Where nodes show their lines, and the levels of single actors.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, eventually};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn lines_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn outputs_show_what_their_file_says_and_an_actors_level_is_set_from_the_leader() {
    let mut cluster = Cluster::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("log.toml");
    let text = r#"
        [[output]]
        to = "file"
        path = "actors.log"
        lines = "actors"
        filter = "warn"

        [[output]]
        to = "stderr"
        format = "json"
        lines = "node"
    "#;
    std::fs::write(&config, text).unwrap();
    let start = Start::with(&["hosts=true"]).and(&["--log-config", config.to_str().unwrap()]);
    cluster.member("host", start).unwrap();
    let actors = folder.path().join("actors.log");
    let create = || cluster.leader().create(&["odeon.TestActor", "--require", "hosts"]).0;
    let (chosen, other) = (create(), create());

    let say = |words: &str| {
        for actor in [&chosen, &other] {
            assert_eq!(cluster.leader().ask(actor, words), "logged");
        }
    };
    say("info too quiet");
    say("warn both");
    let host = cluster.node("host");
    assert_eq!(lines_of(&actors).matches(": both").count(), 2, "{}", lines_of(&actors));
    assert!(!lines_of(&actors).contains("too quiet"));
    assert!(!host.stderr().contains("both"), "{}", host.stderr());
    assert!(host.stderr().lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()), "{}", host.stderr());

    cluster.leader().run(&["log-level", &chosen, "info"]).ok();
    assert_eq!(cluster.leader().json(&["status", &chosen])["log_level"], "info");
    say("info of one");
    let shown = lines_of(&actors);
    assert_eq!(shown.matches(": of one").count(), 1, "{shown}");
    assert!(shown.lines().last().unwrap().contains(&chosen), "{shown}");
    eventually(SOON, "the leader has the line as well", || {
        let logs = cluster.leader().run(&["logs", "--level", "info", "--actor", &chosen]).ok().out;
        Ok(logs.contains("of one").then_some(()))
    })
    .unwrap();

    host.run(&["log-level", &chosen, "default"]).ok();
    assert_eq!(cluster.leader().json(&["status", &chosen])["log_level"], serde_json::Value::Null);
    say("info silent again");
    assert!(!lines_of(&actors).contains("silent again"));

    let elsewhere = cluster.leader().create(&["odeon.TestActor", "--on", "leader"]).0;
    let refused = host.run(&["log-level", &elsewhere, "trace"]);
    assert!(refused.err.contains("OD-114"), "it is not for a member's owner: {refused:?}");
    cluster.leader().run(&["stop", &chosen]).ok();
    let gone = eventually(SOON, "the actor is gone", || {
        let ran = cluster.leader().run(&["log-level", &chosen, "debug"]);
        Ok((ran.code != 0).then_some(ran))
    });
    assert!(gone.unwrap().err.contains(&chosen));
}

#[test]
fn an_output_that_cannot_be_had_ends_the_start_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("log.toml");
    let refused = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let data = folder.path().join("data");
        let start = Start::default().and(&["--log-config", config.to_str().unwrap()]);
        let mut up = Command::new(odeon_tests::cluster::odeon());
        up.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(start.arguments);
        let ran = up.output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    let (code, said) = refused("[[output]]\nto = \"file\"\npath = \"no/such/folder/a.log\"");
    assert!(code == Some(1) && said.contains("OD-196") && said.contains("no/such/folder/a.log"), "{said}");
    let (code, said) = refused("[[output]]\nto = \"stderr\"\nlevel = \"info\"");
    assert!(code == Some(2) && said.contains("log.toml") && said.contains("level"), "{said}");
    let (code, said) = refused("");
    assert!(code == Some(2) && said.contains("no [[output]]"), "{said}");
}

/// The node runs where `/run/systemd` is a folder of the test, with a socket that it reads itself.
#[test]
fn journald_gets_an_actors_lines_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all("/run/systemd").unwrap();
    std::fs::create_dir(folder.path().join("journal")).unwrap();
    let journald = UnixDatagram::bind(folder.path().join("journal/socket")).unwrap();
    journald.set_read_timeout(Some(SOON)).unwrap();
    let config = folder.path().join("log.toml");
    std::fs::write(&config, "[[output]]\nto = \"journald\"").unwrap();

    let mut cluster = Cluster::new().unwrap();
    let mount = format!("mount --bind {} /run/systemd && exec \"$0\" \"$@\"", folder.path().display());
    let before = ["unshare", "--mount", "sh", "-c", &mount].map(str::to_owned).to_vec();
    let start = Start { before, ..Start::with(&["hosts=true"]) };
    cluster.member("host", start.and(&["--log-config", config.to_str().unwrap()])).unwrap();
    let (address, _) = cluster.leader().create(&["odeon.TestActor", "--require", "hosts"]);
    assert_eq!(cluster.leader().ask(&address, "warn something is up"), "logged");

    let mut buffer = vec![0; 64 * 1024];
    let entry = loop {
        let bytes = journald.recv(&mut buffer).unwrap();
        let entry = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
        if entry.contains("something is up") {
            break entry;
        }
    };
    assert!(entry.contains("ODEON_ACTOR\n") && entry.contains(&address), "{entry:?}");
    assert!(entry.contains("\0\x004\nTARGET\n") && entry.contains("ODEON_NODE\n"), "{entry:?}");
}
