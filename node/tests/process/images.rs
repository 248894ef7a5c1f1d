//! A node's runtime of processes, and images for it.

use odeon::{Actor, Definition, Failure};
use odeon_node::grants::Allowed;
use odeon_node::process::{ProcessError, ProcessLimits, ProcessRuntime, ProcessSettings};
use odeon_sourceauth::{Grants, Image};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

/// The languages that the same actors are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    Rust,
    Python,
}

static RUST: LazyLock<Image> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_BIN_EXE_odeon")).with_file_name("test_guest");
    assert!(program.exists(), "{} is missing: run `cargo build` first", program.display());
    let folder = tempfile::tempdir().unwrap();
    let wasm = fs::read_to_string(repository().join("tests/guest/odeon.toml")).unwrap();
    let manifest = wasm.replace("runtime = \"wasm\"", "runtime = \"process\"").replace("guest.wasm", "guest");
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    fs::copy(program, folder.path().join("guest")).unwrap();
    odeon_deploy::assemble(folder.path()).unwrap()
});

static PYTHON: LazyLock<Image> = LazyLock::new(|| python_that_asks(""));

/// The actors in Python, in an image with these lines at the end of its manifest.
pub(crate) fn python_that_asks(grants: &str) -> Image {
    let of = |file: &str| fs::read_to_string(repository().join("tests/guest_python").join(file)).unwrap();
    with_library(&format!("{}{grants}", of("odeon.toml")), "guest.py", &of("guest.py"))
}

impl Guest {
    pub(crate) fn image(self) -> &'static Image {
        match self {
            Self::Rust => &RUST,
            Self::Python => &PYTHON,
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An image of one script with these actors, and the library for it.
pub(crate) fn script(script: &str, actors: &str) -> Image {
    let manifest = format!(
        "name = \"script\"\nruntime = \"process\"\ncode = \"script.py\"\ninterpreter = \"python3\"\n\
         include = [\"odeon\"]\n[[actor]]\nname = {actors}\n"
    );
    with_library(&manifest, "script.py", script)
}

fn with_library(manifest: &str, name: &str, script: &str) -> Image {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("odeon.toml"), manifest).unwrap();
    fs::write(folder.path().join(name), script).unwrap();
    let library = folder.path().join("odeon");
    fs::create_dir(&library).unwrap();
    for file in fs::read_dir(repository().join("python/odeon")).unwrap() {
        let file = file.unwrap();
        if file.path().extension().is_some_and(|extension| extension == "py") {
            fs::copy(file.path(), library.join(file.file_name())).unwrap();
        }
    }
    odeon_deploy::assemble(folder.path()).unwrap()
}

/// Tight ones, where nothing is to be waited for.
pub(crate) fn limits() -> ProcessLimits {
    ProcessLimits { linger_ms: 60_000, ..ProcessLimits::default() }
}

/// Lets every user into a folder, or at a file.
pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}

pub(crate) struct Node {
    /// Where its folder is: everybody may pass through to it.
    outer: TempDir,
    pub(crate) runtime: Arc<ProcessRuntime>,
}

impl Node {
    pub(crate) fn new(limits: ProcessLimits) -> Self {
        Self::that_allows(limits, |_| Grants::default())
    }

    /// One that allows what is said of the folder around its own.
    pub(crate) fn that_allows(limits: ProcessLimits, grants: impl FnOnce(&Path) -> Grants) -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::set_permissions(outer.path(), Permissions::from_mode(0o711)).unwrap();
        let data = outer.path().join("data");
        fs::create_dir(&data).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        let user = is_root.then(|| "nobody".to_owned());
        // Not that of whoever runs the tests, which others may not enter.
        let path = "/usr/local/bin:/usr/bin:/bin".into();
        let launcher = PathBuf::from(env!("CARGO_BIN_EXE_odeon"));
        let allowed = Allowed::new(grants(outer.path()), &data);
        let settings = ProcessSettings { data, node: "test".into(), user, launcher, path, limits, allowed };
        Self { outer, runtime: ProcessRuntime::new(settings).unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        fs::canonicalize(self.outer.path()).unwrap().join("data")
    }

    pub(crate) fn process_folder(&self) -> PathBuf {
        self.data().join("process")
    }

    pub(crate) fn load(&self, image: &Image) -> Result<Vec<Definition>, ProcessError> {
        self.runtime.load(&image.hash().to_string(), image)
    }

    pub(crate) fn definition(&self, guest: Guest, name: &str) -> Definition {
        let definitions = self.load(guest.image()).unwrap();
        definitions.iter().find(|d| &*d.name == name).unwrap().clone()
    }

    pub(crate) fn build(&self, guest: Guest, name: &str) -> Result<Box<dyn Actor>, Failure> {
        (self.definition(guest, name).build)()
    }

    /// Processes that work in this node's folder: those of images, their guards, and what they left behind.
    pub(crate) fn count_below(&self) -> usize {
        count_in(&self.data())
    }

    /// Ends the runtime; its folder stays.
    pub(crate) fn stop(self) -> TempDir {
        self.outer
    }
}

/// Processes whose folder is below this one.
pub(crate) fn count_in(folder: &Path) -> usize {
    let works_there =
        |entry: &fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    fs::read_dir("/proc").unwrap().flatten().filter(works_there).count()
}
