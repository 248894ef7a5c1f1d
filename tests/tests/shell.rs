//! `odeon shell`: scripts by a pipe, and somebody at a terminal.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Ran, odeon};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Gives a shell at a node these lines.
fn script(data: &Path, flags: &[&str], lines: &str) -> Ran {
    let mut command = Command::new(odeon());
    command.args(flags).arg("shell").env("ODEON_DATA", data);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut shell = piped.expect("the command starts");
    shell.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let ran = shell.wait_with_output().unwrap();
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
        err: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

#[test]
fn the_talk_of_the_original_works_line_by_line() {
    let cluster = Cluster::new().unwrap();
    let data = &cluster.leader().data;
    let lines = "# the test actor, as it has always been\n\
        create_testActor\n\
        ask 0 hello there\n\
        ask 0 create\n\
        address\n\
        ask 1 \"hi --timeout\" --timeout 20s\n\
        ask 1 {\"a\": 1}\n\
        tell 1 info nobody hears of this\n\
        set_thesplog 1 debug\n\
        status 0\n\
        actorCount\n\
        kill 1\n\
        exit\n\
        ask 0 this is not read any more\n";
    let ran = script(data, &[], lines).ok();
    let said: Vec<&str> = ran.out.lines().collect();
    let first = said[0].strip_prefix("Created new TestActor 0 @ ").expect(said[0]);
    assert_eq!(said[1], format!("Response: TestActor @ {first} got: hello there"));
    let second = said[2].strip_prefix("Response: ").expect(said[2]);
    assert_ne!(first, second);
    assert_eq!(said[3], format!("Actor Address 0:  {first}"));
    assert_eq!(said[4], format!("Actor Address 1:  {second}"));
    assert_eq!(said[5], format!("Response: TestActor @ {second} got: hi --timeout"));
    assert!(said[6].starts_with(&format!("Response: TestActor @ {second} got: ")), "{}", said[6]);
    assert!(said[7..].iter().any(|line| line.contains(first)), "the state of the first: {}", ran.out);
    let counted = said.iter().position(|line| line.starts_with("NODE")).expect("the census");
    assert!(said[counted + 1].starts_with("leader") && said[counted + 1].trim_end().ends_with('2'), "{}", ran.out);
    assert!(!ran.out.contains("not read any more"));
    assert_eq!(ran.err.trim_end(), format!("Actor Address 1:  {second}"), "met by the way");
}

#[test]
fn commands_are_those_of_the_command_line_and_what_fails_ends_a_script_with_its_code() {
    let cluster = Cluster::new().unwrap();
    let data = &cluster.leader().data;
    let ran = script(data, &["--json"], "nodes\ncreate odeon.TestActor\nask 0 hello\n").ok();
    let values: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values[0][0]["name"], "leader");
    let address = values[1]["address"].as_str().unwrap();
    assert_eq!(values[2], format!("TestActor @ {address} got: hello"));
    let one = script(data, &[], "nodes --json\nauthority show\n").ok();
    assert!(one.out.starts_with('[') && !one.out.lines().nth(1).unwrap().starts_with('{'), "for one line: {}", one.out);

    for (line, code, why) in [
        ("ask 0 hello", 2, "there is no address 0: 'address' shows all"),
        ("ask \"0", 2, "a quote is not closed"),
        ("create no.Such", 1, "error[OD-"),
        ("creat no.Such", 2, "unrecognized subcommand 'creat'"),
        ("ask act-2222 hello", 2, "act-2222"),
        ("address localhost 1900", 2, "takes one address"),
        ("nodes --token s3cret", 2, "--token is for the shell itself"),
        ("up", 2, "run this outside"),
        ("--json swarm --nodes 2", 2, "run this outside"),
        ("shell", 2, "run this outside"),
        ("actorCount a b", 2, "takes one node"),
        ("start multiprocTCPBase", 2, "run 'odeon up' outside"),
        ("report_exit 0 1", 2, "its node does"),
        ("python 1 + 1", 2, "evaluates nothing"),
    ] {
        let ran = script(data, &[], &format!("\n{line}\nnodes\n"));
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{line}: {ran:?}");
        assert!(ran.err.contains(why) && !ran.err.contains("s3cret"), "{line}: {}", ran.err);
    }
    let help = script(data, &[], "help\nhelp OD-100\nhelp ask\n").ok().out;
    for part in ["create_testActor", "Commands: up, token", "OD-100", "How long to wait for the reply"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    let nowhere = script(&data.join("nowhere"), &[], "help\nnodes\n");
    assert_eq!(nowhere.code, 6, "{nowhere:?}");
}

/// A shell at a terminal.
struct Terminal {
    shell: std::process::Child,
    screen: File,
    /// What is on it that was not waited for yet.
    seen: String,
}

impl Terminal {
    fn open(data: &Path, home: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let side = || File::options().read(true).write(true).open(&name).unwrap();
        // The terminal is its own, so that ^C reaches it.
        let shell = Command::new("setsid")
            .arg("--ctty")
            .arg(odeon())
            .arg("shell")
            .env("ODEON_DATA", data)
            .env("XDG_STATE_HOME", home)
            .env("TERM", "xterm")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        Self { shell, screen: File::from(master), seen: String::new() }
    }

    /// Types something, and waits until this is on the screen.
    fn types(&mut self, text: &str, until: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
        let begun = Instant::now();
        while !self.seen.contains(until) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{until:?} after {text:?}: {:?}", self.seen);
            let mut bytes = [0; 4096];
            match self.screen.read(&mut bytes) {
                Ok(count) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        if let Some(at) = self.seen.find(until) {
            self.seen.drain(..at + until.len());
        }
    }

    fn ends(mut self) {
        self.screen.write_all(b"\x04").unwrap();
        let begun = Instant::now();
        let ended = loop {
            match self.shell.try_wait().unwrap() {
                Some(ended) => break ended,
                None if begun.elapsed() > Duration::from_secs(20) => panic!("it does not end: {:?}", self.seen),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert_eq!(ended.code(), Some(0));
    }
}

#[test]
fn at_a_terminal_words_are_completed_a_failure_ends_nothing_and_what_was_typed_is_there_again() {
    let cluster = Cluster::new().unwrap();
    let (data, home) = (&cluster.leader().data, tempfile::tempdir().unwrap());
    let mut terminal = Terminal::open(data, home.path());
    terminal.types("", "odeon> ");
    terminal.types("create_\t\r", "Created new TestActor 0 @ act-");
    terminal.types("", "odeon> ");
    terminal.types("ask 7 hello\r", "there is no address 7");
    terminal.types("", "odeon> ");
    terminal.types("nodes --token s3cret\r", "is for the shell itself");
    terminal.types("", "odeon> ");
    terminal.types("logs --follow\r", "");
    std::thread::sleep(Duration::from_millis(500));
    terminal.types("\x03", "odeon> ");
    terminal.ends();

    let kept = std::fs::read_to_string(home.path().join("odeon/shell_history")).unwrap();
    assert!(kept.contains("ask 7 hello") && kept.contains("create_testActor"), "{kept}");
    assert!(!kept.contains("s3cret"), "{kept}");
    let mut next = Terminal::open(data, home.path());
    next.types("", "odeon> ");
    next.types("\x1b[A\x1b[A\r", "there is no address 7");
    next.ends();
}
