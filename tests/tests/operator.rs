//! The command from elsewhere: `--connect` with an operator's token does what the command at the leader does.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Ran, Start, eventually, odeon};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);
const HELLO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hello/hello.zip");

/// Someone on another machine: no data folder, an address and, perhaps, a token.
struct Operator {
    address: String,
    token: Option<String>,
}

impl Operator {
    fn of(cluster: &Cluster, flags: &[&str]) -> Self {
        let token = cluster.leader().run(&[&["token", "create"], flags].concat()).ok().out.trim().to_owned();
        Self { address: cluster.leader().listen.clone(), token: Some(token) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(odeon());
        command.args(["--connect", &self.address]).args(arguments);
        // A folder that is never looked at: not even made.
        command.env("ODEON_DATA", "/nowhere").env_remove("ODEON_TOKEN").stdin(Stdio::null());
        if let Some(token) = &self.token {
            command.env("ODEON_TOKEN", token);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.command(arguments).output().expect("the command starts");
        Ran {
            code: ran.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&ran.stdout).into_owned(),
            err: String::from_utf8_lossy(&ran.stderr).into_owned(),
        }
    }
}

fn refused(ran: &Ran, code: i32, error: &str) {
    assert!(ran.code == code && ran.out.is_empty() && ran.err.starts_with(error), "expected {error}: {ran:?}");
}

#[test]
fn an_operator_elsewhere_gets_what_the_leaders_owner_gets() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("db", Start::with(&["Has DB access=true"])).unwrap();
    let operator = Operator::of(&cluster, &["--role", "operator"]);
    let (pushed, known) = (operator.run(&["image", "push", HELLO, "--json"]).ok(), ["image", "list", "--json"]);
    assert_eq!(pushed.json()["state"], "approved");
    let created = operator.run(&["create", "odeon.TestActor", "--require", "Has DB access", "--json"]).ok().json();
    assert_eq!(created["node"], "db");
    let address = created["address"].as_str().unwrap();
    assert!(operator.run(&["ask", address, "hi"]).ok().out.ends_with("got: hi\n"));
    operator.run(&["tell", address, "warn from afar"]).ok();
    eventually(SOON, "the warning is at the leader", || {
        Ok(operator.run(&["logs", "--json"]).ok().out.contains("from afar").then_some(()))
    })
    .unwrap();
    operator.run(&["capability", "set", "zone=eu-1", "--on", "db"]).ok();
    operator.run(&["authority", "set", "none"]).ok();
    for same in [
        &known[..],
        &["nodes", "--json"],
        &["nodes"],
        &["authority", "show"],
        &["actors", "--json"],
        &["explain", "odeon.TestActor", "--where", "zone == 'eu-1'", "--json"],
        &["logs", "--json"],
        &["create", "odeon.TestActor", "--require", "gpu"],
        &["status", "nosuch"],
        &["create", "nosuch", "X"],
        &["ask", address, "fail"],
        &["image", "push", HELLO],
    ] {
        let (there, here) = (operator.run(same), cluster.leader().run(same));
        assert_eq!((there.code, &there.out, &there.err), (here.code, &here.out, &here.err), "{same:?}");
    }
    let mut names: Vec<_> =
        cluster.leader().json(&["nodes"]).as_array().unwrap().iter().map(|n| n["name"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["db", "leader"]);
    operator.run(&["image", "unload", "hello"]).ok();
    operator.run(&["stop", address]).ok();
    let more = operator.run(&["token", "create", "--role", "operator"]).ok().out.trim().to_owned();
    let second = Operator { address: cluster.leader().listen.clone(), token: Some(more) };
    second.run(&["shutdown", "--on", "db"]).ok();
    cluster.until_state("db", "left", SOON).unwrap();
    second.run(&["shutdown"]).ok();
    let ended = cluster.node_mut("leader").wait(SOON).unwrap();
    assert_eq!(ended, 0, "the leader ends as it is told, after its answer has arrived");
}

#[test]
fn a_token_that_is_no_good_exits_5_and_a_leader_that_is_not_there_6() {
    let mut cluster = Cluster::new().unwrap();
    cluster.member("m", Start::default()).unwrap();
    let good = Operator::of(&cluster, &["--role", "operator"]);
    let with = |token: &str| Operator { address: good.address.clone(), token: Some(token.to_owned()) }.run(&["nodes"]);
    refused(&Operator { address: good.address.clone(), token: None }.run(&["nodes"]), 2, "error: --connect needs");
    refused(&with(""), 2, "error: --connect needs");
    refused(&with("nonsense"), 5, "error[OD-110]");
    refused(&with("@/nowhere/token"), 2, "error: /nowhere/token: ");
    refused(&Operator::of(&cluster, &["--role", "member"]).run(&["nodes"]), 5, "error[OD-114]");
    let short = Operator::of(&cluster, &["--role", "operator", "--ttl", "1s"]);
    eventually(SOON, "the token expires", || Ok((short.run(&["nodes"]).code != 0).then_some(()))).unwrap();
    refused(&short.run(&["nodes"]), 5, "error[OD-111]");
    let once = Operator::of(&cluster, &["--role", "operator", "--uses", "1"]);
    once.run(&["nodes"]).ok();
    refused(&once.run(&["nodes"]), 5, "error[OD-112]");
    let other = Cluster::new().unwrap();
    let foreign = Operator::of(&other, &["--role", "operator"]);
    refused(&with(foreign.token.as_deref().unwrap()), 5, "error[OD-118]");
    let member = Operator { address: cluster.node("m").listen.clone(), token: good.token.clone() }.run(&["nodes"]);
    refused(&member, 5, "error[OD-118]");
    assert!(member.err.contains("a node that does not lead"), "{member:?}");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = Operator { address: free.clone(), token: good.token.clone() }.run(&["nodes"]);
    refused(&nobody, 6, "error[OD-100]");
    assert!(nobody.err.contains(&free), "{nobody:?}");
    good.run(&["nodes"]).ok();
    cluster.node_mut("leader").kill();
    refused(&good.run(&["nodes"]), 6, "error[OD-100]");
}

/// A command that follows, ended with the test.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn logs_are_followed_from_elsewhere_by_a_slow_reader_until_the_leader_is_gone() {
    let mut cluster = Cluster::new().unwrap();
    let operator = Operator::of(&cluster, &["--role", "operator", "--uses", "1"]);
    let (actor, _) = cluster.leader().create(&["odeon.TestActor"]);
    let mut following = Following(
        operator
            .command(&["logs", "--follow", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(following.0.stdout.take().unwrap()).lines();
    cluster.leader().ask(&actor, "warn before anybody reads");
    assert!(lines.next().unwrap().unwrap().contains("before anybody reads"));
    // Longer than a link lives without a sign of life, while the command is stuck on a full pipe.
    let text = format!("warn {}", "x".repeat(100_000));
    let stuck = Instant::now();
    while stuck.elapsed() < Duration::from_secs(8) {
        cluster.leader().ask(&actor, &text);
        // Far fewer than the leader keeps for a slow reader, who else would get a gap in their place.
        std::thread::sleep(Duration::from_millis(50));
    }
    cluster.leader().ask(&actor, "warn the last line");
    let last = lines.by_ref().map(Result::unwrap).find(|line| line.contains("the last line"));
    assert!(last.is_some(), "the link did not survive a reader that takes its time");
    cluster.node_mut("leader").kill();
    let (mut said, code) = (String::new(), following.0.wait().unwrap().code());
    std::io::Read::read_to_string(&mut following.0.stderr.take().unwrap(), &mut said).unwrap();
    assert!(code == Some(6) && said.starts_with("error[OD-100]"), "{code:?} {said}");
}

/// A folder that packs into an image of nearly the largest size: the code of the example, and noise.
fn large_image(folder: &Path) {
    let unpacked = Command::new("unzip").args(["-q", HELLO, "-d"]).arg(folder).status().expect("unzip");
    assert!(unpacked.success(), "this test needs unzip");
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(60 * 1024 * 1024)
    .collect();
    std::fs::write(folder.join("noise.bin"), noise).unwrap();
    let mut manifest = std::fs::OpenOptions::new().append(true).open(folder.join("odeon.toml")).unwrap();
    let text = std::fs::read_to_string(folder.join("odeon.toml")).unwrap();
    assert!(!text.contains("include"), "{text}");
    // Top-level keys come before the first table.
    let with = format!("include = [\"noise.bin\"]\n{text}");
    manifest.set_len(0).unwrap();
    manifest.write_all(with.as_bytes()).unwrap();
}

#[test]
fn an_image_of_sixty_megabytes_is_pushed_from_elsewhere_and_a_push_that_is_cut_leaves_nothing() {
    let cluster = Cluster::new().unwrap();
    let operator = Operator::of(&cluster, &["--role", "operator"]);
    let folder = cluster.dir().join("large");
    large_image(&folder);
    let zip = cluster.dir().join("large.zip").display().to_string();
    let packed = cluster.leader().json(&["image", "pack", &folder.display().to_string(), "-o", &zip]);
    assert!(packed["size"].as_u64().unwrap() > 60 * 1024 * 1024, "{packed}");
    // Cut as soon as the leader has begun to take it.
    let (leader, mib) = (cluster.leader().pid(), 1024 * 1024);
    let idle = memory(leader);
    let mut cut = operator.command(&["image", "push", &zip]).stderr(Stdio::null()).spawn().unwrap();
    eventually(SOON, "the push is under way", || Ok((memory(leader) > idle + 8 * mib).then_some(()))).unwrap();
    cut.kill().unwrap();
    cut.wait().unwrap();
    assert_eq!(cluster.leader().json(&["image", "list"]), serde_json::json!([]), "half an image is none");
    let pushed = operator.run(&["image", "push", &zip, "--json"]).ok().json();
    assert_eq!((&pushed["hash"], &pushed["state"]), (&packed["hash"], &"approved".into()));
    let (address, _) = cluster.leader().create(&["hello", "Hello"]);
    assert_eq!(cluster.leader().ask(&address, "are you there?"), "Hello, world!");
}

/// Bytes of memory that a process holds.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kib.and_then(|n| n.parse::<u64>().ok()).expect("its resident memory") * 1024
}
