//! The host's side of one instance: what it is doing, what it has used, and why it failed.

use super::accounts::Accounts;
use super::limits::{LINE_BYTES_MAX, PARTS_MAX, REASON_BYTES_MAX, WasmLimits};
use odeon::Level;
use odeon::host::Host;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use wasmtime::ResourceLimiter;

/// What an instance is doing, and so what it may ask.
pub(super) enum Phase {
    /// Saying which actors there are, or building one.
    Apart,
    /// Handling a message.
    Message(Arc<dyn Host>),
    /// Checking a node's capabilities: keys go one way, their encoded values come back.
    Check(SyncSender<String>, Receiver<Option<Vec<u8>>>),
}

/// A bound or rule that an instance broke. As an error of a host call it traps the instance.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Breach(pub(super) String);

/// The data of an instance's store.
pub(super) struct Guest {
    /// The image, for log lines that no actor's address can be given to.
    pub(super) image: Arc<str>,
    pub(super) limits: WasmLimits,
    pub(super) phase: Phase,
    /// What the instance itself said before it trapped.
    pub(super) failure: Option<String>,
    /// Whether it was refused memory in this call.
    pub(super) memory_refused: bool,
    /// Whether it called the node too often in this call, or handed it too much.
    pub(super) overspent: bool,
    pub(super) accounts: Arc<Accounts>,
    memory_bytes: usize,
    table_elements: usize,
    calls_left: u64,
    bytes_left: usize,
    /// What was written to standard output and error, up to the end of the line.
    lines: [Vec<u8>; 2],
}

/// One of the streams that an instance may write to.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Output = 0,
    Error = 1,
}

impl Guest {
    pub(super) fn new(image: Arc<str>, limits: WasmLimits, accounts: Arc<Accounts>, phase: Phase) -> Self {
        Self {
            image,
            limits,
            phase,
            failure: None,
            memory_refused: false,
            overspent: false,
            accounts,
            memory_bytes: 0,
            table_elements: 0,
            calls_left: limits.host_calls_max,
            bytes_left: limits.outgoing_bytes_max,
            lines: [Vec::new(), Vec::new()],
        }
    }

    /// Starts the accounts of a call anew.
    pub(super) fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.failure = None;
        self.memory_refused = false;
        self.overspent = false;
        self.calls_left = self.limits.host_calls_max;
        self.bytes_left = self.limits.outgoing_bytes_max;
    }

    /// Ends a call: what was written without an end of line is logged, and the host is let go.
    pub(super) fn end(&mut self) {
        for stream in [Stream::Output, Stream::Error] {
            self.flush_line(stream);
        }
        self.phase = Phase::Apart;
    }

    /// Counts a call of the host with `bytes` of data.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Breach> {
        let WasmLimits { host_calls_max, outgoing_bytes_max, .. } = self.limits;
        let Some(calls_left) = self.calls_left.checked_sub(1) else {
            return Err(self.overspend(format!("called the node more than {host_calls_max} times for one message")));
        };
        let Some(bytes_left) = self.bytes_left.checked_sub(bytes) else {
            let max = size(outgoing_bytes_max);
            return Err(self.overspend(format!("handed the node more than {max} for one message")));
        };
        (self.calls_left, self.bytes_left) = (calls_left, bytes_left);
        Ok(())
    }

    /// That the instance wants more of its node than it may have.
    pub(super) fn overspend(&mut self, reason: String) -> Breach {
        self.overspent = true;
        Breach(reason)
    }

    /// The host of the message that is being handled.
    pub(super) fn host(&self, function: &str) -> Result<&Arc<dyn Host>, Breach> {
        match &self.phase {
            Phase::Message(host) => Ok(host),
            Phase::Check(..) => Err(Breach(format!("called {function} in a check, which may only read capabilities"))),
            Phase::Apart => Err(Breach(format!("called {function} in a constructor, which has no address yet"))),
        }
    }

    /// Logs a line in the actor's name, or in the image's where there is no actor.
    pub(super) fn log(&self, level: Level, line: &str) {
        let line = cut(line, LINE_BYTES_MAX);
        match &self.phase {
            Phase::Message(host) => host.log(level, line),
            _ => tracing::debug!(image = &*self.image, ?level, "{line}"),
        }
    }

    /// Takes bytes that were written to a stream; each line is logged.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Breach> {
        self.spend(bytes.len())?;
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let line = &mut self.lines[stream as usize];
            line.extend_from_slice(part);
            if line.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
                self.flush_line(stream);
            }
        }
        Ok(())
    }

    fn flush_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.lines[stream as usize]);
        let text = String::from_utf8_lossy(&line);
        if !text.trim_end().is_empty() {
            let level = match stream {
                Stream::Output => Level::Info,
                Stream::Error => Level::Warn,
            };
            self.log(level, text.trim_end());
        }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.limits.memory_bytes_max {
            self.memory_refused = true;
            return Ok(false);
        }
        self.accounts.grew(total - self.memory_bytes);
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > self.limits.table_elements_max {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.accounts.shrank(self.memory_bytes);
    }
}

/// A reason that came from an instance, of a bounded length.
pub(super) fn reason(text: &str) -> &str {
    cut(text, REASON_BYTES_MAX)
}

/// At most `bytes` of a text, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A number of bytes as people read it: in the largest unit that divides it.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        b if b > 0 && b.is_multiple_of(1 << 20) => format!("{} MiB", b >> 20),
        b if b > 0 && b.is_multiple_of(1 << 10) => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}
