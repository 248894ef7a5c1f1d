//! An image in Rust that is built by `odeon image build`: the same everywhere, and a word where it cannot be.
#![allow(clippy::unwrap_used)]

use odeon_tests::cluster::{Ran, odeon};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn repository() -> PathBuf {
    std::fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// Without a network, and with what a user may have in his environment.
fn command(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR");
    command.env("ODEON_DATA", folder);
    command
}

fn build(project: &Path, set: &[(&str, &str)]) -> Ran {
    let mut build = command(odeon(), project);
    let ran = build.args(["image", "build", ".", "-o", "image.zip", "--json"]).envs(set.iter().copied());
    let ran = ran.output().unwrap();
    Ran {
        code: ran.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
        err: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

/// A project as `image new` writes it, with the SDK of this repository and the versions of its lock file.
fn project(folder: &Path) {
    odeon_deploy::new_with_sdk(folder, "twice", &repository().join("actor")).unwrap();
    std::fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let toolchain = folder.join("rust-toolchain.toml");
    std::fs::copy(repository().join("rust-toolchain.toml"), toolchain).unwrap();
    // A place in the code, which a panic names.
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("cx.reply(", "assert!(text.len() < 100);\n        cx.reply(")).unwrap();
    // Leaves out what the project does not need.
    let pruned = command("cargo", folder)
        .args(["metadata", "--format-version", "1", "--filter-platform", "wasm32-wasip2"])
        .stdout(Stdio::null())
        .status();
    assert!(pruned.unwrap().success());
}

#[test]
fn a_project_has_one_hash_in_every_folder_and_with_any_flags_around_it() {
    let parent = tempfile::tempdir().unwrap();
    let (first, second) = (parent.path().join("first"), parent.path().join("deeper/than/the/first"));
    project(&first);
    std::fs::create_dir_all(second.join("src")).unwrap();
    for file in ["Cargo.toml", "Cargo.lock", "odeon.toml", "rust-toolchain.toml", "src/lib.rs"] {
        std::fs::copy(first.join(file), second.join(file)).unwrap();
    }
    let one = build(&first, &[]).ok().json();
    let flags = [("RUSTFLAGS", "-C debuginfo=2"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")];
    let other = build(&second, &flags).ok().json();
    assert_eq!(one["hash"], other["hash"]);
    assert_eq!((&one["name"], &one["version"]), (&"twice".into(), &"0.1.0".into()));

    let image = odeon_sourceauth::Image::open(std::fs::read(first.join("image.zip")).unwrap()).unwrap();
    let code = image.code().unwrap();
    let has = |text: &str| code.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(has("src/lib.rs"), "the place is in the code");
    for folder in [parent.path(), &repository(), Path::new(&std::env::var("HOME").unwrap())] {
        assert!(!has(&format!("{}/", folder.display())), "{} is in the code", folder.display());
    }
    let packed = command(odeon(), &first).args(["image", "pack", ".", "-o", "packed.zip"]).status().unwrap();
    assert!(packed.success(), "what was built is where the manifest has it");
    assert_eq!(std::fs::read(first.join("packed.zip")).unwrap(), std::fs::read(first.join("image.zip")).unwrap());
}

#[test]
fn what_cannot_be_built_says_why_and_what_is_not_rust_is_packed() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("project");
    project(&folder);
    let missing = build(&folder, &[("PATH", "/nowhere")]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.err.starts_with("error[OD-176]: ") && missing.err.contains("https://rustup.rs"), "{missing:?}");

    // A compiler that knows of no target, before the real one.
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("rustc"), "#!/bin/sh\necho /nowhere\n").unwrap();
    std::fs::set_permissions(bin.join("rustc"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let missing = build(&folder, &[("PATH", &path)]);
    assert!(missing.err.contains("error[OD-176]") && missing.err.contains("rustup target add"), "{missing:?}");

    std::fs::write(folder.join("Cargo.lock"), "version = 4\n").unwrap();
    let stale = build(&folder, &[]);
    assert!(stale.code == 1 && stale.err.contains("error[OD-178]") && stale.err.contains("--locked"), "{stale:?}");

    let python = parent.path().join("python");
    odeon_deploy::new_python(&python, "snake").unwrap();
    assert_eq!(build(&python, &[("PATH", "/nowhere")]).ok().json()["name"], "snake");
}
