//! What a process prints: lines in the log, cut where they are long, dropped and counted where there are too many.

use super::limits::{LINE_BYTES_MAX, LINES_PER_SECOND_MAX};
use odeon::Level;
use odeon::host::Host;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Whose lines these are.
#[derive(Clone)]
pub(super) struct Printed {
    pub(super) image: Arc<str>,
    /// The actor that the process works for, or has worked for last, where it is only one.
    pub(super) actor: Arc<Mutex<Option<Arc<dyn Host>>>>,
}

impl Printed {
    fn log(&self, level: Level, line: &str) {
        let actor = self.actor.lock().clone();
        match (actor, level) {
            (Some(actor), level) => actor.log(level, line),
            (None, Level::Warn) => tracing::warn!(image = &*self.image, "{line}"),
            (None, _) => tracing::info!(image = &*self.image, "{line}"),
        }
    }

    fn say_dropped(&self, lines: u64) {
        if lines > 0 {
            self.log(Level::Warn, &format!("{lines} lines that the process printed are not shown"));
        }
    }

    /// Logs everything that comes from a stream, line by line, to its end.
    pub(super) async fn follow(self, level: Level, mut from: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut lines = Lines::default();
        let mut rate = Rate::new(Instant::now());
        let mut buffer = vec![0; LINE_BYTES_MAX];
        loop {
            let reading = from.read(&mut buffer);
            let read = match rate.dropped {
                0 => reading.await?,
                // What is not shown is said, also where nothing follows it.
                _ => match timeout(Duration::from_secs(1), reading).await {
                    Ok(read) => read?,
                    Err(_) => {
                        self.say_dropped(std::mem::take(&mut rate.dropped));
                        continue;
                    }
                },
            };
            let found = if read == 0 { Vec::from_iter(lines.rest()) } else { lines.add(&buffer[..read]) };
            for line in found {
                let (admitted, dropped) = rate.admit(Instant::now());
                self.say_dropped(dropped);
                if admitted {
                    self.log(level, &line);
                }
            }
            if read == 0 {
                self.say_dropped(rate.dropped);
                return Ok(());
            }
        }
    }
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.0.extend_from_slice(part);
            if self.0.ends_with(b"\n") || self.0.len() >= LINE_BYTES_MAX {
                lines.extend(self.rest());
            }
        }
        lines
    }

    fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// How many lines are let through.
struct Rate {
    since: Instant,
    admitted: u32,
    dropped: u64,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self { since: now, admitted: 0, dropped: 0 }
    }

    /// Whether one more line is shown, and how many were not since that was last said.
    fn admit(&mut self, now: Instant) -> (bool, u64) {
        let mut dropped = 0;
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.admitted) = (now, 0);
            dropped = std::mem::take(&mut self.dropped);
        }
        let admits = self.admitted < LINES_PER_SECOND_MAX;
        if admits {
            self.admitted += 1;
        } else {
            self.dropped += 1;
        }
        (admits, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_long_ones_cut() {
        let mut lines = Lines::default();
        assert!(lines.add(b"one\ntw").iter().eq(["one"]));
        assert!(lines.add(b"o\n\n").iter().eq(["two"]));
        let long = lines.add("x".repeat(LINE_BYTES_MAX).as_bytes());
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX]);
        assert!(lines.add(b"no end").is_empty());
        assert_eq!(lines.rest().as_deref(), Some("no end"));
    }

    #[test]
    fn more_lines_than_a_second_may_have_are_counted_and_said() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let shown = (0..LINES_PER_SECOND_MAX + 7).filter(|_| rate.admit(start).0).count();
        assert_eq!(shown as u32, LINES_PER_SECOND_MAX);
        assert_eq!(rate.admit(start + Duration::from_secs(1)), (true, 7));
    }
}
