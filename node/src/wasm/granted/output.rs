//! What an instance prints: kept until its call ends, when it becomes lines of the log.

use crate::wasm::guest::{Breach, Stream, size};
use bytes::Bytes;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes that an instance may print in one call.
const PRINTED_BYTES_MAX: usize = 1 << 20;
/// Bytes that it may write at once.
const WRITABLE_BYTES: usize = 64 << 10;

#[derive(Default)]
struct Kept {
    bytes: usize,
    parts: Vec<(Stream, Bytes)>,
}

/// What was printed and is not logged yet.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Kept>>);

impl Printed {
    /// What was printed since the last time, in its order.
    pub(super) fn take(&self) -> Vec<(Stream, Bytes)> {
        mem::take(&mut *self.0.lock()).parts
    }

    /// Where one of the streams goes.
    pub(super) fn stream(&self, stream: Stream) -> Pen {
        Pen { stream, printed: self.clone() }
    }
}

/// Standard output or standard error of an instance.
#[derive(Clone)]
pub(super) struct Pen {
    stream: Stream,
    printed: Printed,
}

impl StdoutStream for Pen {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // For WASI 0.3, which no component is given.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl IsTerminal for Pen {
    fn is_terminal(&self) -> bool {
        false
    }
}

#[async_trait]
impl Pollable for Pen {
    async fn ready(&mut self) {}
}

impl OutputStream for Pen {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut kept = self.printed.0.lock();
        kept.bytes += bytes.len();
        if kept.bytes > PRINTED_BYTES_MAX {
            let breach = Breach(format!("printed more than {} for one message", size(PRINTED_BYTES_MAX)));
            return Err(StreamError::Trap(breach.into()));
        }
        kept.parts.push((self.stream, bytes));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITABLE_BYTES)
    }
}
