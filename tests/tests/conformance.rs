//! Promises of docs/conformance.md on a real node, asked for from another one: for an actor that is linked into the node, one
//! in WebAssembly and one in a process of its own. Their code is the same program.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Cluster, Start, beside, eventually};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A folder with the guest in Python that can be pushed.
fn python() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("odeon")).unwrap();
    for (from, to) in [("tests/guest_python", ""), ("python/odeon", "odeon")] {
        for file in fs::read_dir(repository().join(from)).unwrap().flatten().filter(|file| file.path().is_file()) {
            fs::copy(file.path(), folder.path().join(to).join(file.file_name())).unwrap();
        }
    }
    folder
}

/// A leader, and a member that runs processes.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new().unwrap();
    // Whom processes run as has to get to the member's folder.
    fs::set_permissions(cluster.dir(), Permissions::from_mode(0o711)).unwrap();
    let path = ["env".to_owned(), "PATH=/usr/local/bin:/usr/bin:/bin".to_owned()];
    let program = Some(beside("test_node"));
    let start = Start { before: path.into(), program, ..Start::default() }.and(&["--allow-process", "yes"]);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let start = if is_root { start.and(&["--process-user", "nobody"]) } else { start };
    cluster.member("far", start).unwrap();
    let folder = python();
    for image in [repository().join("tests/guest/guest.zip"), folder.path().to_owned()] {
        let pushed = cluster.leader().json(&["image", "push", &image.display().to_string()]);
        assert_eq!(pushed["state"], "approved", "{pushed}");
    }
    cluster
}

const KINDS: [&[&str]; 3] = [
    &["Rogue", "--on", "far"],
    &["test-guest", "Rogue", "--on", "far"],
    &["test-guest-python", "Rogue", "--on", "far"],
];

#[test]
fn on_another_node_an_actor_of_each_kind_keeps_count_fails_twice_begins_anew_and_is_gone_when_it_is_stopped() {
    let cluster = cluster();
    let leader = cluster.leader();
    for kind in KINDS {
        let ((rogue, node), (other, _)) = (leader.create(kind), leader.create(kind));
        assert_eq!(node, "far", "{kind:?}");
        for counted in ["1", "2", "3"] {
            assert_eq!(leader.ask(&rogue, "count"), counted, "{kind:?}");
        }
        assert_eq!(leader.ask(&other, "count"), "1", "{kind:?}: an actor has its own state");
        let failed = leader.run(&["ask", &rogue, "fail"]);
        assert!(failed.code == 1 && failed.err.contains("OD-141") && failed.err.contains("told to fail"), "{failed:?}");
        assert_eq!(leader.ask(&rogue, "count"), "1", "{kind:?}: built anew, and the next message is handled");
        assert_eq!(leader.ask(&other, "count"), "2", "{kind:?}: the other one has not noticed");
        leader.run(&["stop", &rogue]).ok();
        eventually(SOON, "it is gone", || {
            let gone = leader.run(&["ask", &rogue, "count"]);
            Ok((gone.code == 1 && gone.err.contains("OD-140")).then_some(()))
        })
        .unwrap();
        assert_eq!(leader.ask(&other, "count"), "3", "{kind:?}");
    }
}
