//! Nodes that wait until a leader dials them.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Node, Start, eventually, odeon, run_at};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
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
    cluster.member("member", Start::default()).unwrap();
    let guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (listen, code) = guest.waits();
    for asked in [&["invite", &listen, "--code", &code][..], &["invite", "--list"], &["invite", "--cancel", &listen]] {
        let refused = cluster.node("member").run(asked);
        assert!(refused.code == 5 && refused.err.contains("OD-114"), "{refused:?}");
    }
}

/// Where nobody answers, and what comes there is seen.
struct Nowhere {
    socket: UdpSocket,
    address: String,
}

impl Nowhere {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        Self { socket, address }
    }

    fn is_dialled_within(&self, at_most: Duration) -> bool {
        self.socket.set_read_timeout(Some(at_most)).unwrap();
        self.socket.recv(&mut [0; 2048]).is_ok()
    }

    /// A dial sends again after one, three and seven seconds; one that is broken off may say so once.
    fn is_not_dialled_any_more(&self) {
        while self.is_dialled_within(Duration::from_millis(1)) {}
        let heard = (0..3).take_while(|_| self.is_dialled_within(Duration::from_secs(3))).count();
        assert!(heard <= 1, "{} is still dialled", self.address);
    }
}

fn invitations(at: &Node) -> Vec<Value> {
    at.json(&["invite", "--list"]).as_array().unwrap().clone()
}

fn until_listed(at: &Node, address: &str) -> Value {
    let listed = || Ok(invitations(at).into_iter().find(|i| i["address"] == address));
    eventually(WITHIN, "the invitation is listed", listed).unwrap()
}

fn is_not_there(at: &Node, address: &str) {
    assert_eq!(invitations(at), Vec::<Value>::new());
    let refused = at.run(&["invite", "--cancel", address]);
    assert!(refused.code == 1 && refused.err.contains("OD-157") && refused.err.contains(address), "{refused:?}");
}

#[test]
fn an_invitation_is_listed_until_it_is_taken_back_and_is_not_dialled_any_more_also_after_a_restart() {
    let mut cluster = Cluster::new().unwrap();
    let guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (listen, code) = guest.waits();
    let nowhere = Nowhere::new();
    is_not_there(cluster.leader(), &nowhere.address);
    let arguments = ["invite", &nowhere.address, "--code", &code, "--claim", "gpu", "--timeout", "1h"];
    std::thread::scope(|scope| {
        let invites = scope.spawn(|| cluster.leader().run(&arguments));
        let item = until_listed(cluster.leader(), &nowhere.address);
        assert_eq!(item["claims"], json!(["gpu"]));
        assert!(item["since"].as_str() < item["until"].as_str(), "{item}");
        assert!(nowhere.is_dialled_within(WITHIN));
        cluster.leader().run(&["invite", "--cancel", &nowhere.address]).ok();
        let cancelled = invites.join().unwrap();
        assert!(cancelled.code == 1 && cancelled.err.contains("OD-158"), "{cancelled:?}");
    });
    is_not_there(cluster.leader(), &nowhere.address);
    nowhere.is_not_dialled_any_more();

    cluster.node_mut("leader").kill();
    cluster.node_mut("leader").restart().unwrap();
    is_not_there(cluster.leader(), &nowhere.address);
    nowhere.is_not_dialled_any_more();
    // The code was not used up by any of it.
    cluster.leader().run(&["invite", &listen, "--code", &code]).ok();
    hosts_an_actor(&cluster, &guest, "guest");
    is_not_there(cluster.leader(), &listen);
}

#[test]
fn an_invitation_goes_on_without_its_command_and_a_standby_has_it_listed_and_taken_back() {
    let mut cluster = Cluster::new().unwrap();
    let token = cluster.leader().run(&["token", "create", "--role", "leader"]).ok().out.trim().to_owned();
    cluster.up("second", Start::default().and(&["--join", &token])).unwrap();
    cluster.leader().run(&["leaders", "add", "second"]).ok();
    let (leader, standby) = (cluster.leader(), cluster.node("second"));
    let guest = Guest::start(cluster.dir(), "guest", "127.0.0.1:0");
    let (_, code) = guest.waits();
    let nowhere = Nowhere::new();
    let mut command = Command::new(odeon())
        .args(["invite", &nowhere.address, "--code", &code, "--timeout", "1h", "--data"])
        .arg(cluster.dir().join("second"))
        .spawn()
        .unwrap();
    until_listed(leader, &nowhere.address);
    command.kill().unwrap();
    command.wait().unwrap();
    assert_eq!(until_listed(standby, &nowhere.address)["claims"], Value::Null);
    standby.run(&["invite", "--cancel", &nowhere.address]).ok();
    is_not_there(leader, &nowhere.address);
    is_not_there(standby, &nowhere.address);
    nowhere.is_not_dialled_any_more();
}
