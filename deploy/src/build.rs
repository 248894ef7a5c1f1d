//! A project in Rust becomes the code of an image: the same bytes from the same sources, `Cargo.lock` and compiler, on
//! whatever machine and in whatever folder.
//!
//! Cargo builds it, with nothing of the surroundings that changes what comes out: paths get into panic messages, so every
//! place that a source may be in gets a fixed name, and variables that pass flags are taken away.

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What images are built for.
const TARGET: &str = "wasm32-wasip2";
/// Between flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: char = '\u{1f}';
/// Variables that would change what is built, beside those that begin with `CARGO_PROFILE_`.
const CHANGING: [&str; 10] = [
    "RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_TARGET",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "CARGO_TARGET_WASM32_WASIP2_LINKER",
];

/// How the code is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// A profile of the project.
    pub profile: String,
    /// How large the stack of the code is. Where it is no multiple of a page, its used end, the constants and the first
    /// allocations share pages.
    pub stack_bytes: u64,
}

/// The code of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The component.
    pub code: PathBuf,
    /// The project's `Cargo.lock`, if there was none before.
    pub new_lock: Option<PathBuf>,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BuildError {
    #[error(
        "{program} cannot be started ({source}): images in Rust are built with it; install it from https://rustup.rs"
    )]
    NoProgram { program: &'static str, source: io::Error },
    #[error("the Rust library for {TARGET} is missing: add it with `rustup target add {TARGET}`")]
    NoTarget,
    #[error("`{command}` failed; what it says is above")]
    Failed { command: String },
    #[error("`{command}` says something that is not understood: {reason}")]
    Answer { command: String, reason: String },
    #[error("the project has no library, which an image is made of: its Cargo.toml needs a [lib]")]
    NoLibrary,
}

/// Builds the project in a folder with a `Cargo.toml`.
pub fn build(folder: &Path, how: &Build) -> Result<Built, BuildError> {
    let tools = Tools { folder };
    let libraries = tools.line("rustc", &["--print", "target-libdir", "--target", TARGET])?;
    let has_target = std::fs::read_dir(libraries).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.file_name().as_encoded_bytes().starts_with(b"libstd-")))
    });
    if !has_target {
        return Err(BuildError::NoTarget);
    }
    let workspace =
        PathBuf::from(tools.line("cargo", &["locate-project", "--workspace", "--message-format", "plain"])?);
    let lock = workspace.with_file_name("Cargo.lock");
    let new_lock = (!lock.is_file()).then_some(lock);
    let locked: &[&str] = if new_lock.is_none() { &["--locked"] } else { &[] };
    // Writes the lock file, and fetches what there is to fetch.
    let metadata = [&["metadata", "--format-version", "1", "--filter-platform", TARGET], locked].concat();
    let packages = tools.text("cargo", &metadata)?;
    let packages = serde_json::from_str(&packages).map_err(|e| answer("cargo metadata", &e))?;

    let mut flags = vec![OsString::from(format!("-Clink-arg=-zstack-size={}", how.stack_bytes))];
    for (from, to) in renamed(&packages, &tools)? {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    }
    let mut encoded = OsString::new();
    for (n, flag) in flags.iter().enumerate() {
        encoded.push(if n == 0 { String::new() } else { SEPARATOR.to_string() });
        encoded.push(flag);
    }
    // The type is said here, as a static build of the same library for this machine cannot have it.
    let arguments = ["rustc", "--locked", "--lib", "--crate-type", "cdylib", "--target", TARGET];
    let rest = ["--profile", &how.profile, "--message-format", "json-render-diagnostics"];
    let mut cargo = tools.command("cargo", &[&arguments[..], &rest[..]].concat());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", encoded);
    let said = run(&mut cargo, "cargo")?;
    let code = said.lines().filter_map(component).next_back().ok_or(BuildError::NoLibrary)?;
    Ok(Built { code, new_lock })
}

/// The programs that build, as they are run in the project's folder: a `rust-toolchain.toml` there counts.
struct Tools<'a> {
    folder: &'a Path,
}

impl Tools<'_> {
    fn command(&self, program: &'static str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder).stdin(Stdio::null()).stderr(Stdio::inherit());
        let profiles = std::env::vars_os().map(|(name, _)| name);
        let profiles = profiles.filter(|name| name.as_encoded_bytes().starts_with(b"CARGO_PROFILE_"));
        for name in profiles.chain(CHANGING.map(OsString::from)) {
            command.env_remove(name);
        }
        command
    }

    fn text(&self, program: &'static str, arguments: &[&str]) -> Result<String, BuildError> {
        run(&mut self.command(program, arguments), program)
    }

    fn line(&self, program: &'static str, arguments: &[&str]) -> Result<String, BuildError> {
        Ok(self.text(program, arguments)?.trim_end().to_owned())
    }
}

/// Runs it, and gives what it prints.
fn run(command: &mut Command, program: &'static str) -> Result<String, BuildError> {
    let ran = command.output().map_err(|source| BuildError::NoProgram { program, source })?;
    let shown = || {
        let arguments = command.get_args().map(|argument| argument.to_string_lossy());
        std::iter::once(program.into()).chain(arguments).collect::<Vec<_>>().join(" ")
    };
    if !ran.status.success() {
        return Err(BuildError::Failed { command: shown() });
    }
    String::from_utf8(ran.stdout).map_err(|e| BuildError::Answer { command: shown(), reason: e.to_string() })
}

fn answer(command: &str, reason: &dyn std::fmt::Display) -> BuildError {
    BuildError::Answer { command: command.to_owned(), reason: reason.to_string() }
}

/// Every folder that sources are in, and the name that it has in what is built. Of two that fit the later one counts.
fn renamed(metadata: &Value, tools: &Tools<'_>) -> Result<Vec<(String, String)>, BuildError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let field = |name: &str| text(&metadata[name]).ok_or_else(|| answer("cargo metadata", &format!("no {name}")));
    let sysroot = tools.line("rustc", &["--print", "sysroot"])?;
    let version = tools.text("rustc", &["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let mut renamed = vec![
        (format!("{sysroot}/lib/rustlib/src/rust"), format!("/rustc/{commit}")),
        (field("workspace_root")?, "/project".to_owned()),
        (field("target_directory")?, "/target".to_owned()),
    ];
    let mut others = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = PathBuf::from(text(&package["manifest_path"]).unwrap_or_default());
        let Some(folder) = manifest.parent() else { continue };
        let name = package["name"].as_str().unwrap_or_default();
        match package["source"].as_str() {
            // Beside the others of its registry, or of a folder that has them all.
            Some(source) if !source.starts_with("git+") => {
                folder.parent().and_then(|all| others.insert(all.to_owned(), "/registry".to_owned()))
            }
            Some(_) => others.insert(folder.to_owned(), format!("/git/{name}")),
            None if folder.starts_with(&renamed[1].0) => None,
            None => others.insert(folder.to_owned(), format!("/path/{name}")),
        };
    }
    renamed.extend(others.into_iter().map(|(from, to)| (from.display().to_string(), to)));
    Ok(renamed)
}

/// The component, where a line of cargo's says that one was made.
fn component(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    files.map(PathBuf::from).find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_found_among_what_cargo_says() {
        let made = r#"{"reason":"compiler-artifact","filenames":["/t/libx.rlib","/t/x.wasm"]}"#;
        assert_eq!(component(made), Some("/t/x.wasm".into()));
        for other in [r#"{"reason":"build-finished","success":true}"#, "no json", &made.replace("/t/x.wasm", "/t/x.so")]
        {
            assert_eq!(component(other), None, "{other}");
        }
    }
}
