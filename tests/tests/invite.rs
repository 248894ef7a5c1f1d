//! Nodes that wait until a leader dials them.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, odeon, run_at};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);

/// A node that was started without a token, and the lines that it prints.
struct Guest {
    child: Child,
    data: PathBuf,
    lines: Receiver<String>,
}

impl Guest {
    fn start(folder: &Path, name: &str, listen: &str) -> Self {
        let data = folder.join(name);
        let mut child = Command::new(odeon())
            .args(["up", "--json", "--await-invite", "--name", name, "--listen", listen, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, data, lines }
    }

    fn line(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(WITHIN).unwrap()).unwrap()
    }

    /// Where it waits, and with which code.
    fn waits(&self) -> (String, String) {
        let line = self.line();
        assert_eq!(line["waiting"], true, "{line}");
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("listen"), text("code"))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hosts_an_actor(cluster: &Cluster, guest: &Guest, name: &str) {
    assert_eq!(guest.line()["ready"], true);
    cluster.until_state(name, "alive", WITHIN).unwrap();
    let (tester, node) = cluster.leader().create(&["odeon.TestActor", "--on", name]);
    assert_eq!(node, name);
    let answer = run_at(&guest.data, &["ask", &tester, "are you there?"]).ok().out;
    assert!(answer.contains("are you there?"), "{answer}");
}

#[test]
fn a_node_that_waits_is_invited_and_hosts_actors_and_comes_back_by_itself() {
    let cluster = Cluster::new().unwrap();
    let mut guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (listen, code) = guest.waits();
    let slip = format!("{}{}", &code[..code.len() - 1], if code.ends_with('A') { 'B' } else { 'A' });
    let other = Guest::start(cluster.dir(), "other", "127.0.0.1:0");
    let (_, other_code) = other.waits();
    for (wrong, exit, error) in [(slip.as_str(), 5, "OD-110"), ("x", 5, "OD-110"), (&other_code, 5, "OD-156")] {
        let refused = cluster.leader().run(&["invite", &listen, "--code", wrong]);
        assert!(refused.code == exit && refused.err.contains(error), "{refused:?}");
    }
    cluster.leader().run(&["invite", &listen, "--code", &code]).ok();
    hosts_an_actor(&cluster, &guest, "guest");

    // What is a member does not wait, and a code is used once.
    let at = run_at(&guest.data, &["status", "--json"]).ok().json()["listen"].as_str().unwrap().to_owned();
    let again = cluster.leader().run(&["invite", &at, "--code", &code, "--timeout", "1s"]);
    assert!(again.code == 5 && again.err.contains("OD-156"), "{again:?}");

    // It belongs to a convention now: the flag changes nothing.
    guest.kill();
    let guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    hosts_an_actor(&cluster, &guest, "guest");
}

#[test]
fn a_node_that_is_not_up_yet_is_waited_for_and_one_that_never_comes_is_given_up() {
    let cluster = Cluster::new().unwrap();
    let mut guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (listen, code) = guest.waits();
    guest.kill();
    let nobody = cluster.leader().run(&["invite", &listen, "--code", &code, "--timeout", "1s"]);
    assert!(nobody.code == 6 && nobody.err.contains("OD-100"), "{nobody:?}");
    let guest = std::thread::scope(|scope| {
        let invites = scope.spawn(|| cluster.leader().run(&["invite", &listen, "--code", &code]));
        let guest = Guest::start(cluster.dir(), "guest", &listen);
        assert_eq!(guest.waits(), (listen.clone(), code.clone()), "it waits with the code that it had");
        invites.join().unwrap().ok();
        guest
    });
    hosts_an_actor(&cluster, &guest, "guest");
}

#[test]
fn only_who_may_change_the_convention_may_invite() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("member", odeon_tests::cluster::Start::default()).unwrap();
    let guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (listen, code) = guest.waits();
    let refused = cluster.node("member").run(&["invite", &listen, "--code", &code]);
    assert!(refused.code == 5 && refused.err.contains("OD-114"), "{refused:?}");
}
