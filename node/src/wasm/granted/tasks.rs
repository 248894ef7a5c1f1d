//! The threads that serve the calls of images with grants.

use crate::wasm::WasmError;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tokio::runtime::{Builder, Runtime};

/// Threads that may be in a call of the kernel's that takes long: for files and names. What waits behind them is within
/// the time of its own message.
const WAITING_THREADS_MAX: usize = 64;

/// Where calls run until they wait. Its end is the end of all that run.
pub(super) struct Tasks(Option<Runtime>);

impl Tasks {
    pub(super) fn start() -> Result<Arc<Self>, WasmError> {
        // Two, so that one that computes does not keep another from being cut off.
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(WAITING_THREADS_MAX)
            .thread_name("odeon-granted")
            .enable_all()
            .build()
            .map_err(|e| WasmError::Engine { reason: format!("no threads for images with grants: {e}") })?;
        Ok(Arc::new(Self(Some(runtime))))
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }

    /// Waits for a task, in whatever thread. None where it ended without a result.
    pub(super) fn wait<R: Send + 'static>(&self, task: impl Future<Output = R> + Send + 'static) -> Option<R> {
        let (ends, ended) = sync_channel(1);
        // Whoever waits is there.
        self.spawn(async move { drop(ends.send(task.await)) });
        ended.recv().ok()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // The last holder may be a task, or a thread that must not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
