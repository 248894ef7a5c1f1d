//! A socket that serves a backend, and the command run against it.

use odeon_node::admin::protocol::{Failed, Request};
use odeon_node::admin::{AdminSocket, Backend, BoxFuture, Caller, Replies};
use odeon_node::cli::{self, UpOptions};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A backend from a function.
pub(crate) struct Answering<F>(pub(crate) F);

impl<F, R> Backend for Answering<F>
where
    F: Fn(Caller, Request, Replies) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    fn handle(&self, caller: Caller, request: Request, replies: Replies) -> BoxFuture<'static, ()> {
        Box::pin(self.0(caller, request, replies))
    }
}

/// A served socket in a folder of its own.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new(backend: impl Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let socket = AdminSocket::bind(&data).await.unwrap();
                ready.send(()).unwrap();
                socket.serve(Arc::new(backend), async { drop(stopped.await) }).await;
            });
        });
        is_ready.recv().unwrap();
        Self { folder, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Ends serving, and waits for that.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

thread_local! {
    static STARTED: RefCell<Option<UpOptions>> = const { RefCell::new(None) };
}

/// What the last `up` of this thread was asked for.
pub(crate) fn started() -> Option<UpOptions> {
    STARTED.take()
}

fn remember(options: UpOptions, _: odeon::Registry) -> Result<(), Failed> {
    STARTED.set(Some(options));
    Ok(())
}

/// Runs `odeon` with these arguments.
pub(crate) fn odeon(arguments: &[&str]) -> Ran {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let all = std::iter::once("odeon").chain(arguments.iter().copied()).map(Into::into);
    let code = cli::run(all, &mut stdout, &mut stderr, odeon::Registry::new(), remember);
    Ran { code, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

/// Runs `odeon` against the node of a folder.
pub(crate) fn odeon_at(data: &Path, arguments: &[&str]) -> Ran {
    odeon(&[&["--data", data.to_str().unwrap()], arguments].concat())
}
