//! Images that mean harm, pushed at a real node: each is refused by name, in little time and memory, and leaves nothing.
#![allow(clippy::unwrap_used)]

#[path = "hostile/cases.rs"]
mod cases;
#[path = "hostile/component.rs"]
mod component;
#[path = "hostile/deflate.rs"]
mod deflate;
#[path = "../../sourceauth/tests/hostile/raw_zip.rs"]
mod raw_zip;

use cases::{CASES, Case};
use odeon_convention::codes;
use odeon_node::admin::Route;
use odeon_node::admin::protocol::{PushImage, Request};
use odeon_sourceauth::limits::IMAGE_BYTES_MAX;
use odeon_tests::cluster::{Cluster, Ran, Start, files_of, run_at};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a node may take of memory to refuse an image, beyond what it had, whatever that would unpack to.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// How often it may have the pushed bytes themselves: as a frame, as a request, as an image.
const COPIES_MAX: u64 = 3;
/// How long a refusal may take on a busy machine.
const REFUSAL_MAX: Duration = Duration::from_secs(10);

/// A node whose temporary files have a folder of their own, and files to push at it.
struct Scene {
    cluster: Cluster,
    temporary: tempfile::TempDir,
    files: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let before = ["env".to_owned(), format!("TMPDIR={}", temporary.path().display())].into();
        let start = Start { before, ..Start::default() }.and(&["--authority", "accept-all"]);
        Self { cluster: Cluster::led_by(start).unwrap(), temporary, files: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.cluster.leader().run(arguments)
    }

    /// Every file that the node has.
    fn kept(&self) -> BTreeSet<PathBuf> {
        let folders = [self.cluster.leader().data.as_path(), self.temporary.path()];
        folders.into_iter().flat_map(|folder| files_of(folder, "")).collect()
    }

    /// Has the node refuse something, and gives what was said; the node is as before, and took little.
    fn refuses(&self, name: &str, bytes: usize, why: Why<'_>, what: impl FnOnce() -> (i32, String)) -> String {
        let pid = self.cluster.leader().pid();
        let (kept, memory, began) = (self.kept(), Memory::of(pid), Instant::now());
        let (exit, said) = what();
        let (took, growth) = (began.elapsed(), memory.growth_bytes());
        println!("{name}: {took:.0?}, {} MiB more, {said}", growth >> 20);
        why.is(name, exit, &said);
        assert!(took < REFUSAL_MAX, "{name}: {took:?}");
        assert!(growth < GROWTH_BYTES_MAX + COPIES_MAX * bytes as u64, "{name}: {growth} bytes more");
        assert_eq!(self.kept(), kept, "{name}");
        said
    }
}

/// The code of a refusal, and some of what it says.
#[derive(Clone, Copy)]
struct Why<'a>(&'a str, &'a str);

impl Why<'_> {
    fn is(self, name: &str, exit: i32, said: &str) {
        let Self(code, says) = self;
        let expected = codes::exit_code(code.trim_start_matches("OD-").parse().unwrap());
        let fits = exit == i32::from(expected) && said.starts_with(code) && said.contains(says);
        assert!(fits, "{name}: expected {code} with {says:?}, found exit {exit}: {said}");
    }
}

/// What a process had of memory when it was looked at, from when on its peak counts.
struct Memory {
    pid: u32,
    had_bytes: u64,
}

impl Memory {
    fn of(pid: u32) -> Self {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        Self { pid, had_bytes: of_status(pid, "VmRSS:") }
    }

    fn growth_bytes(&self) -> u64 {
        of_status(self.pid, "VmHWM:").saturating_sub(self.had_bytes)
    }
}

fn of_status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The code and the text of what a command was refused with.
fn refusal(ran: &Ran) -> (i32, String) {
    assert!(ran.out.is_empty(), "{ran:?}");
    let error = ran.err.lines().next().unwrap_or_default();
    (ran.code, error.strip_prefix("error[").unwrap_or(error).replacen("]: ", ": ", 1))
}

#[test]
fn an_image_that_means_harm_is_refused_by_name_in_little_time_and_memory_and_leaves_nothing() {
    let scene = Scene::new();
    // One with bombs for a file that nobody unpacks is an image like any other.
    let good = scene.file("good.zip");
    fs::write(&good, cases::hello_with_bombs()).unwrap();
    scene.run(&["image", "push", good.to_str().unwrap()]).ok();
    let [signature, signers] = ["signature", "signers"].map(|name| scene.file(name));
    fs::write(&signature, "none").unwrap();
    fs::write(&signers, "none").unwrap();
    let [signature, signers] = [&signature, &signers].map(|file| file.to_str().unwrap());
    let path = scene.file("evil.zip");
    let evil = path.to_str().unwrap();
    let check = |Case { name, bytes, code, says, is_well_formed }: &Case| {
        let bytes = bytes();
        fs::write(&path, &bytes).unwrap();
        let push = || refusal(&scene.run(&["image", "push", evil]));
        let said = scene.refuses(name, bytes.len(), Why(code, says), push);
        if !is_well_formed {
            let verify = ["image", "verify", evil, "--signature", signature, "--allowed-signers", signers];
            let (exit, verified) = refusal(&scene.run(&verify));
            let reason = said.split_once(": ").unwrap().1.trim_start_matches(evil);
            Why(code, reason).is(name, exit, &verified);
        }
    };
    // All of them are tried, whatever becomes of one.
    let is_wrong = |case: &&Case| catch_unwind(AssertUnwindSafe(|| check(case))).is_err();
    let wrong: Vec<_> = CASES.iter().filter(is_wrong).map(|case| case.name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let listed = scene.cluster.leader().json(&["image", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let (address, _) = scene.cluster.leader().create(&["hello", "Hello"]);
    assert_eq!(scene.cluster.leader().ask(&address, "are you there?"), "Hello, world!");
}

#[test]
fn a_file_of_ten_million_entries_is_not_even_read() {
    let scene = Scene::new();
    let path = scene.file("evil.zip");
    let end = cases::with_ten_million(raw_zip::zip(&[]));
    let file = File::create(&path).unwrap();
    file.write_all_at(&end, 10_000_000 * 77).unwrap();
    let path = path.to_str().unwrap();
    let push = || refusal(&scene.run(&["image", "push", path]));
    scene.refuses("ten million entries", 0, Why("OD-121", "larger than 67108864 bytes"), push);
}

#[test]
fn a_client_that_pushes_more_than_an_image_may_have_is_refused_by_the_node() {
    let scene = Scene::new();
    let route = Route::Socket { data: scene.cluster.leader().data.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = vec![0; IMAGE_BYTES_MAX + 1];
    let push =
        Request::PushImage(PushImage { bytes, signature: None, more_signatures: Vec::new(), allow_older: false });
    scene.refuses("too large", IMAGE_BYTES_MAX, Why("OD-121", "larger than 67108864 bytes"), || {
        let refused = runtime.block_on(async { route.ask(&push).await?.next().await }).unwrap_err();
        (1, format!("OD-{}: {}", refused.code, refused.message))
    });
}

#[test]
fn an_actor_that_traps_or_never_ends_when_it_is_built_is_no_actor_and_harms_no_other() {
    let scene = Scene::new();
    let guest = format!("{}/guest/guest.zip", env!("CARGO_MANIFEST_DIR"));
    scene.run(&["image", "push", &guest]).ok();
    let (rogue, _) = scene.cluster.leader().create(&["test-guest", "Rogue"]);
    for (actor, says) in [
        ("ConstructorPanics", "panicked: no ground to build on"),
        ("ConstructorLoops", "took longer than 1000 ms"),
        ("ConstructorFails", "not today"),
    ] {
        let create = || refusal(&scene.run(&["create", "test-guest", actor]));
        scene.refuses(actor, 0, Why("OD-133", says), create);
    }
    let actors = scene.cluster.leader().json(&["actors"]);
    let of_images = actors.as_array().unwrap().iter().filter(|actor| !actor["image"].is_null());
    assert_eq!(of_images.count(), 1, "{actors}");
    assert_eq!(scene.cluster.leader().ask(&rogue, "count"), "1");
}

/// A folder that would be packed but for what is done to it.
fn project(does: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        "name = \"evil\"\nruntime = \"wasm\"\ncode = \"evil.wasm\"\ninclude = [\"data\"]\n[[actor]]\nname = \"A\"\n";
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    fs::write(folder.path().join("evil.wasm"), "code").unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    does(folder.path());
    folder
}

/// A file of so many zeros that take no room.
fn sparse(path: &Path, bytes: u64) {
    File::create(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_folder_that_means_harm_is_packed_by_nobody() {
    let edited = |folder: &Path, from: &str, to: &str| {
        let manifest = fs::read_to_string(folder.join("odeon.toml")).unwrap();
        fs::write(folder.join("odeon.toml"), manifest.replace(from, to)).unwrap();
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let cases: &[(&str, Harm<'_>, &str, &str)] = &[
        ("link", &|at| symlink("/etc/passwd", at.join("data/x")).unwrap(), "OD-120", "is a symbolic link"),
        ("folder that is a link", &|at| symlink("/etc", at.join("data/x")).unwrap(), "OD-120", "is a symbolic link"),
        ("socket", &|at| drop(UnixListener::bind(at.join("data/x")).unwrap()), "OD-120", "neither a regular file"),
        ("climbs", &|at| edited(at, "[\"data\"]", "[\"../../../etc\"]"), "OD-120", "odeon.toml line 4, include"),
        ("absolute code", &|at| edited(at, "evil.wasm", "/etc/passwd"), "OD-120", "odeon.toml line 3, code"),
        ("drive", &|at| fs::write(at.join("data/c:x"), "").unwrap(), "OD-120", "has a colon"),
        ("backslash", &|at| fs::write(at.join("data/a\\x"), "").unwrap(), "OD-120", "has a backslash"),
        (
            "case",
            &|at| ["x", "X"].iter().for_each(|name| fs::write(at.join("data").join(name), "").unwrap()),
            "OD-120",
            "differ only in upper and lower case",
        ),
        ("bomb", &|at| sparse(&at.join("data/x"), 10 << 20), "OD-121", "expected at most 200 times"),
        ("file of 1 TiB", &|at| sparse(&at.join("data/x"), 1 << 40), "OD-121", "is larger than 67108864 bytes"),
        ("manifest of 1 GiB", &|at| sparse(&at.join("odeon.toml"), 1 << 30), "OD-121", "is larger than 65536 bytes"),
        (
            "many files",
            &|at| (0..1_100).for_each(|n| fs::write(at.join(format!("data/{n}")), "").unwrap()),
            "OD-121",
            "more than 1024 files",
        ),
    ];
    let nowhere = tempfile::tempdir().unwrap();
    for (name, harm, code, says) in cases {
        let folder = project(harm);
        let files = || files_of(folder.path(), "").into_iter().collect::<BTreeSet<_>>();
        let before = files();
        let (path, out) = (folder.path().to_str().unwrap(), folder.path().join("out.zip"));
        let pack = ["image", "pack", path, "-o", out.to_str().unwrap()];
        let (exit, said) = refusal(&run_at(nowhere.path(), &pack));
        println!("{name}: {said}");
        Why(code, says).is(name, exit, &said);
        assert_eq!(files(), before, "{name}");
        // It is refused before a node is asked.
        let (exit, pushed) = refusal(&run_at(nowhere.path(), &["image", "push", path]));
        assert_eq!((exit, pushed), (1, said), "{name}");
    }
}
