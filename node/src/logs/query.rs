//! Which stored lines fit a query, and the reading of them from disk.

use super::LOCAL_TARGET;
use super::store::{Part, Row, lines_of};
use super::time;
use crate::admin::protocol::{Item, LogQuery};
use std::io;

/// What a query asks for, with its age turned into a time.
#[derive(Clone)]
pub(super) struct Filter {
    query: LogQuery,
    after_ms: Option<u64>,
}

impl Filter {
    pub(super) fn new(query: &LogQuery, now_ms: u64) -> Self {
        Self { query: query.clone(), after_ms: query.since_ms.map(|since| now_ms.saturating_sub(since)) }
    }

    pub(super) fn takes(&self, row: &Row) -> bool {
        let q = &self.query;
        let line = row.line();
        // A gap has the time at which it came in.
        let at = line.map_or(row.received.as_str(), |l| l.time.as_str());
        q.node.as_ref().is_none_or(|node| node == row.node() || *node == row.node_id)
            && self.after_ms.is_none_or(|after| time::parse(at).is_none_or(|at| at >= after))
            && line.is_none_or(|line| {
                line.level >= q.level
                    && q.actor.is_none_or(|actor| line.actor == Some(actor))
                    && q.image.as_ref().is_none_or(|image| line.image.as_ref() == Some(image))
            })
    }
}

type Lines = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>;

/// Stored lines and gaps that fit, in the order of arrival. Blocks on the disk as it goes.
pub struct Query {
    parts: std::vec::IntoIter<Part>,
    lines: Option<Lines>,
    filter: Filter,
    skipped: u64,
}

impl Query {
    pub(super) fn new(parts: Vec<Part>, filter: Filter) -> Self {
        Self { parts: parts.into_iter(), lines: None, filter, skipped: 0 }
    }

    /// Lines of the files that could not be read so far: damaged, not merely other.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.lines.as_mut().and_then(Iterator::next) {
                Some(Ok(line)) => return Some(line),
                Some(Err(e)) => {
                    tracing::warn!(target: LOCAL_TARGET, error = %e, "a log file cannot be read to its end");
                    self.skipped += 1;
                    self.lines = None;
                }
                None => {
                    let part = self.parts.next()?;
                    self.lines = match lines_of(&part.path, part.bytes) {
                        Ok(lines) => Some(Box::new(lines)),
                        // It was rotated away since the query began.
                        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                        Err(e) => {
                            tracing::warn!(target: LOCAL_TARGET, path = %part.path.display(), error = %e, "a log file cannot be opened");
                            self.skipped += 1;
                            None
                        }
                    };
                }
            }
        }
    }
}

impl Iterator for Query {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let line = self.next_line()?;
            match serde_json::from_slice::<Row>(&line) {
                Ok(row) if self.filter.takes(&row) => {
                    if let Some(item) = row.item() {
                        return Some(item);
                    }
                }
                Ok(_) => {}
                // The header of a file.
                Err(_) if line.starts_with(b"{\"odeon_logs\"") => {}
                Err(_) => self.skipped += 1,
            }
        }
    }
}
