//! The files of the store: named by number, the highest is written to.

use super::StoreLimits;
use super::cursors::Cursors;
use super::row::{Header, Row};
use crate::durable;
use crate::logs::LOCAL_TARGET;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const VERSION: u32 = 1;
/// How often an append makes what is written survive a power cut.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Bytes of one line of a file at most: a header with all cursors, or a row.
const FILE_LINE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A file as a reader sees it: what is appended later is not for it.
pub(in crate::logs) struct Part {
    pub(in crate::logs) path: PathBuf,
    pub(in crate::logs) bytes: u64,
}

pub(super) struct Files {
    folder: PathBuf,
    limits: StoreLimits,
    /// In order, with their sizes; the last is `current`.
    parts: VecDeque<(u64, u64)>,
    current: File,
    synced: Instant,
}

impl Files {
    pub(super) fn open(folder: &Path, limits: StoreLimits, cursors: &mut Cursors) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut parts = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(number) = parse_name(&entry.file_name().to_string_lossy()) {
                parts.push((number, entry.metadata()?.len()));
            }
        }
        parts.sort_unstable();
        if let Some((number, bytes)) = parts.last_mut() {
            *bytes = cut_torn_end(&path_of(folder, *number))?;
        }
        recover(folder, &parts, cursors)?;
        let current = match parts.last() {
            Some((number, _)) => open_file(&path_of(folder, *number))?,
            None => {
                parts.push((1, 0));
                open_file(&path_of(folder, 1))?
            }
        };
        let mut files =
            Self { folder: folder.to_owned(), limits, parts: parts.into(), current, synced: Instant::now() };
        if files.parts.back().is_some_and(|(_, bytes)| *bytes == 0) {
            files.write_header(cursors)?;
            durable::sync_dir(folder)?;
        }
        files.drop_oldest();
        Ok(files)
    }

    /// Writes rows in one go. When it fails nothing counts as written: the next write goes over it.
    pub(super) fn append(&mut self, rows: &[Row], cursors: &Cursors) -> io::Result<()> {
        if self.parts.back().is_some_and(|(_, bytes)| *bytes >= self.limits.file_bytes_max) {
            self.rotate(cursors)?;
        }
        let mut text = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut text, row)?;
            text.push(b'\n');
        }
        self.write(&text)?;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.synced = Instant::now();
        self.current.sync_data()
    }

    pub(super) fn snapshot(&self) -> io::Result<Vec<Part>> {
        Ok(self
            .parts
            .iter()
            .map(|(number, bytes)| Part { path: path_of(&self.folder, *number), bytes: *bytes })
            .collect())
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let Some((_, bytes)) = self.parts.back_mut() else {
            return Err(io::Error::other("the store has no file"));
        };
        if let Err(e) = self.current.write_all_at(text, *bytes) {
            // Best effort: whatever is left over is cut at the next start, or written over.
            let _ = self.current.set_len(*bytes);
            return Err(e);
        }
        *bytes += text.len() as u64;
        Ok(())
    }

    fn write_header(&mut self, cursors: &Cursors) -> io::Result<()> {
        let mut text = serde_json::to_vec(&Header { odeon_logs: VERSION, cursors: cursors.all() })?;
        text.push(b'\n');
        self.write(&text)?;
        self.current.flush()?;
        self.current.sync_data()
    }

    fn rotate(&mut self, cursors: &Cursors) -> io::Result<()> {
        self.current.sync_data()?;
        let number = self.parts.back().map_or(1, |(number, _)| number + 1);
        let path = path_of(&self.folder, number);
        let old = std::mem::replace(&mut self.current, open_file(&path)?);
        self.parts.push_back((number, 0));
        if let Err(e) = self.write_header(cursors) {
            // Back to the old file: a file without a header would have to be explained at every start.
            self.parts.pop_back();
            self.current = old;
            let _ = std::fs::remove_file(&path);
            return Err(e);
        }
        durable::sync_dir(&self.folder)?;
        self.drop_oldest();
        Ok(())
    }

    /// Removes files until the rest and a full current one are within the limit.
    fn drop_oldest(&mut self) {
        let older = |parts: &VecDeque<(u64, u64)>| parts.iter().rev().skip(1).map(|(_, bytes)| bytes).sum::<u64>();
        while older(&self.parts) + self.limits.file_bytes_max > self.limits.total_bytes_max && self.parts.len() > 1 {
            let Some((number, _)) = self.parts.pop_front() else { return };
            let path = path_of(&self.folder, number);
            if let Err(e) = std::fs::remove_file(&path) {
                tracing::warn!(target: LOCAL_TARGET, path = %path.display(), error = %e, "an old log file cannot be removed");
            }
        }
    }
}

/// Reads how far every node has come: from the newest file that has a header, and the rows from there on.
fn recover(folder: &Path, parts: &[(u64, u64)], cursors: &mut Cursors) -> io::Result<()> {
    let mut first = 0;
    for (at, (number, bytes)) in parts.iter().enumerate().rev() {
        let mut lines = lines_of(&path_of(folder, *number), *bytes)?;
        let header = lines.next().transpose()?.and_then(|line| serde_json::from_slice::<Header>(&line).ok());
        if let Some(header) = header {
            for (id, incarnation, seq) in header.cursors {
                if let Ok(id) = id.parse() {
                    cursors.advance(id, incarnation, seq);
                }
            }
            first = at;
            break;
        }
    }
    for (number, bytes) in &parts[first..] {
        for line in lines_of(&path_of(folder, *number), *bytes)? {
            if let Ok(row) = serde_json::from_slice::<Row>(&line?)
                && let Ok(id) = row.node_id.parse()
            {
                cursors.advance(id, row.incarnation, row.range().1);
            }
        }
    }
    Ok(())
}

/// The lines of a file, without loading it; one that is too long ends the file.
pub(in crate::logs) fn lines_of(
    path: &Path,
    bytes: u64,
) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
    let mut reader = BufReader::with_capacity(64 * 1024, File::open(path)?.take(bytes));
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.by_ref().take(FILE_LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.pop() == Some(b'\n') => Some(Ok(line)),
            Ok(_) => None,
            Err(e) => Some(Err(e)),
        }
    }))
}

/// Cuts what comes after the last whole line; gives the size that is left.
fn cut_torn_end(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    let size = end;
    while end > 0 {
        let length = end.min(block.len() as u64) as usize;
        let from = end - length as u64;
        file.read_exact_at(&mut block[..length], from)?;
        if let Some(at) = block[..length].iter().rposition(|b| *b == b'\n') {
            end = from + at as u64 + 1;
            break;
        }
        end = from;
    }
    if end < size {
        tracing::warn!(target: LOCAL_TARGET, path = %path.display(), from = end, to = size, "cutting off a log line that was not written whole");
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(end)
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("log-{number:012}.jsonl"))
}

fn parse_name(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".jsonl")?.parse().ok()
}
