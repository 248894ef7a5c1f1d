//! The process runtime: the code of an image is a program or a script, which hosts the image's actors in a process of its
//! own and talks to the node over a socket (docs/process.md).
//!
//! Owns the processes and what shuts them in: a guard each, limits, Landlock, seccomp, a folder of the image's files. It
//! never decides whether an image may be used. A process that is slow or hangs takes no worker of the node: a message
//! is handed over, and its actor waits without one. Start with [`ProcessRuntime::load`], then `image`, then `serving`.

mod accounts;
mod actor;
mod cage;
mod calls;
mod child;
mod denied;
mod descendants;
mod descriptors;
mod enter;
mod error;
mod flight;
mod floor;
mod folder;
mod guard;
mod hearing;
mod image;
mod limits;
mod output;
mod program;
mod serving;
mod user;
mod work;

pub use accounts::ProcessUsage;
pub use cage::CageKind;
pub use error::ProcessError;
pub use limits::ProcessLimits;

use crate::grants::Allowed;
use cage::{Bounds, CAGE_VARIABLE, Cage, ENTER, GUARD, PROBE};
use folder::Folders;
use hashbrown::HashMap;
use image::Process;
use odeon::Definition;
use odeon_sourceauth::Image;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Weak};
use std::thread;
use tokio::sync::oneshot;
use user::User;

/// How a node runs processes.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// The node's folder; processes have `process` in it.
    pub data: PathBuf,
    /// What the processes know of their node.
    pub node: String,
    /// Whom they run as; none as the node does, which has to be said where that is root.
    pub user: Option<String>,
    /// The program that guards them: the node's own.
    pub launcher: PathBuf,
    /// Where the interpreters of scripts are looked for, as in `PATH`.
    pub path: OsString,
    /// What each may use.
    pub limits: ProcessLimits,
    /// What those whose image asks for it may reach besides.
    pub allowed: Arc<Allowed>,
}

impl ProcessSettings {
    /// With the program that runs now, its PATH, and the usual limits.
    pub fn new(data: &Path, node: &str, user: Option<String>, allowed: Arc<Allowed>) -> Self {
        let launcher = PathBuf::from("/proc/self/exe");
        let (path, limits) = (std::env::var_os("PATH").unwrap_or_default(), ProcessLimits::default());
        Self { data: data.to_owned(), node: node.to_owned(), user, launcher, path, limits, allowed }
    }
}

/// Runs images' processes. One for a node; they end with it.
pub struct ProcessRuntime {
    engine: Arc<Engine>,
    cage: CageKind,
    processes: Mutex<HashMap<String, Weak<Process>>>,
}

/// What all processes of a node share.
struct Engine {
    folders: Folders,
    data: PathBuf,
    node: String,
    user: Option<User>,
    launcher: PathBuf,
    path: OsString,
    limits: ProcessLimits,
    allowed: Arc<Allowed>,
    /// Of the one thread that serves them all.
    handle: tokio::runtime::Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Engine {
    /// Runs a task, unless the node stops: then it is dropped.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if self.stop.lock().is_some() {
            self.handle.spawn(task);
        }
    }
}

impl ProcessRuntime {
    /// Whether these settings can be had, without changing anything.
    ///
    /// # Errors
    /// When there is no such user, or none is said and the node is run by root.
    pub fn check_user(user: Option<&str>) -> Result<(), ProcessError> {
        user::user(user).map(drop)
    }

    /// Starts a runtime in the node's folder, where nothing is left of an earlier one.
    pub fn new(settings: ProcessSettings) -> Result<Arc<Self>, ProcessError> {
        let ProcessSettings { data, node, user, launcher, path, limits, allowed } = settings;
        let user = user::user(user.as_deref())?;
        // What the kernel compares are real paths.
        let data = std::fs::canonicalize(&data).map_err(|source| ProcessError::Folder { path: data, source })?;
        if let Some(barrier) = user.and_then(|user| folder::barrier(&data, user)) {
            let path = barrier.display();
            tracing::warn!(%path, "whom processes run as may not enter this folder by its mode: they cannot start");
        }
        let folders = Folders::open(&data, &data.join("process"), user)?;
        let cage = probe(&launcher, &data)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProcessError::Thread)?;
        let handle = runtime.handle().clone();
        // Its processes are told to end with the thread that began them, so it lives as long as they may.
        let serve = move || {
            // Either a word or the end of the sender.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        thread::Builder::new().name("odeon-process".into()).spawn(serve).map_err(ProcessError::Thread)?;
        let stop = Mutex::new(Some(stop));
        let engine = Engine { folders, data, node, user, launcher, path, limits, allowed, handle, stop };
        Ok(Arc::new(Self { engine: Arc::new(engine), cage, processes: Mutex::default() }))
    }

    /// What shuts the processes in on this machine.
    pub fn cage(&self) -> &CageKind {
        &self.cage
    }

    /// How many images have a process, or would have one as soon as it is needed.
    pub fn count(&self) -> usize {
        self.processes.lock().values().filter(|process| process.strong_count() > 0).count()
    }

    /// What the process of each image has done and uses, in no order.
    pub fn usage(&self) -> Vec<ProcessUsage> {
        let processes: Vec<_> = self.processes.lock().values().filter_map(Weak::upgrade).collect();
        processes.iter().map(|process| process.usage()).collect()
    }

    /// The actors of an image. Unpacks its files, starts its process and asks it, which takes long: not for a thread that
    /// must not wait. It is safe to repeat, and leaves nothing behind when it fails.
    pub fn load(&self, hash: &str, image: &Image) -> Result<Vec<Definition>, ProcessError> {
        let known = self.processes.lock().get(hash).and_then(Weak::upgrade).filter(|known| known.retired().is_none());
        let process = match known {
            Some(process) => process,
            None => Process::new(&self.engine, hash, image)?,
        };
        let definitions = process.definitions(image.manifest())?;
        let mut processes = self.processes.lock();
        processes.retain(|_, process| process.strong_count() > 0);
        processes.insert(hash.to_owned(), Arc::downgrade(&process));
        Ok(definitions)
    }

    /// Removes the files of an image; a process that runs goes on with what it has, and none is started any more.
    pub fn forget(&self, hash: &str) -> Result<(), ProcessError> {
        let Some(process) = self.processes.lock().remove(hash).and_then(|process| process.upgrade()) else {
            return Ok(());
        };
        process.retire().map_err(|source| ProcessError::Folder { path: process.folder.image.clone(), source })
    }
}

impl Drop for ProcessRuntime {
    fn drop(&mut self) {
        // The thread ends, and with it every task; the guards see that and end the processes.
        self.engine.stop.lock().take();
    }
}

/// What a cage is on this machine, as a process finds that has shut itself into one.
fn probe(launcher: &Path, data: &Path) -> Result<CageKind, ProcessError> {
    let cage = Cage {
        program: PathBuf::new(),
        title: None,
        arguments: Vec::new(),
        variables: Vec::new(),
        folder: data.to_owned(),
        scratch: data.to_owned(),
        readable: Vec::new(),
        granted: Vec::new(),
        user: None,
        bounds: Bounds::of(&ProcessLimits::default()),
        guard: 0,
    };
    let probe = |reason: String| ProcessError::Probe { reason };
    let cage = serde_json::to_string(&cage).map_err(|error| probe(error.to_string()))?;
    let said = Command::new(launcher).arg(PROBE).env(CAGE_VARIABLE, cage).output();
    let said = said.map_err(|error| probe(error.to_string()))?;
    serde_json::from_slice(&said.stdout).map_err(|_| probe(String::from_utf8_lossy(&said.stderr).trim().to_owned()))
}

/// Does what a node starts its own program for, when this is such a start.
pub(crate) fn inner() -> Option<ExitCode> {
    match std::env::args_os().nth(1)?.to_str()? {
        GUARD => Some(guard::run()),
        ENTER => Some(enter::run()),
        PROBE => Some(enter::probe()),
        _ => None,
    }
}
