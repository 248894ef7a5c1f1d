//! The clock that cuts runaway instances off: a thread that moves the engine's epoch on.

use super::WasmError;
use super::limits::TICK_MS;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use wasmtime::Engine;

/// The running clock. It stops when this is dropped.
pub(super) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Result<Arc<Ticker>, WasmError> {
        let engine = engine.weak();
        let (stop, stopped) = sync_channel(0);
        let tick = move || {
            while stopped.recv_timeout(Duration::from_millis(TICK_MS)) == Err(RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        let thread = Builder::new()
            .name("odeon-wasm-clock".into())
            .spawn(tick)
            .map_err(|e| WasmError::Engine { reason: format!("no thread for its clock: {e}") })?;
        Ok(Arc::new(Ticker { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic, and holds nothing that the outcome would matter for.
            let _ = thread.join();
        }
    }
}
