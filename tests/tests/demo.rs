//! The demo, as a new user runs it.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::odeon;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_demo_runs_to_its_end_in_under_a_minute_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let ran = Command::new(odeon()).arg("demo").env("TMPDIR", scratch.path()).stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(out.contains("Hello, world!"), "{out}");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
