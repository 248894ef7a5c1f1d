//! A file that lines are written to, rotated by its size.

use parking_lot::Mutex;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// How often it is said that a file cannot be written.
const COMPLAIN_PAUSE: Duration = Duration::from_secs(60);

/// Appends to `path`; before that would have more bytes than it may, it becomes `path.1`, and that `path.2`. Where
/// somebody else has taken the file away, the next rotation makes a new one.
#[derive(Clone)]
pub(super) struct LogFile(Arc<Mutex<Rotated>>);

struct Rotated {
    path: PathBuf,
    bytes_max: u64,
    keep: u32,
    file: File,
    written: u64,
    complained: Option<Instant>,
}

impl LogFile {
    pub(super) fn open(path: &Path, bytes_max: u64, keep: u32) -> io::Result<Self> {
        let (file, written) = open(path)?;
        let rotated = Rotated { path: path.to_owned(), bytes_max, keep, file, written, complained: None };
        Ok(Self(Arc::new(Mutex::new(rotated))))
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let written = file.metadata()?.len();
    Ok((file, written))
}

impl Rotated {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.written > 0 && self.written + line.len() as u64 > self.bytes_max {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..self.keep).rev() {
            missing_is_fine(fs::rename(self.older(n), self.older(n + 1)))?;
        }
        missing_is_fine(match self.keep {
            0 => fs::remove_file(&self.path),
            _ => fs::rename(&self.path, self.older(1)),
        })?;
        (self.file, self.written) = open(&self.path)?;
        Ok(())
    }

    fn older(&self, n: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{n}"));
        name.into()
    }

    /// Standard error is what is left to say it.
    fn complain(&mut self, error: &io::Error, now: Instant) {
        if self.complained.is_some_and(|before| now.duration_since(before) < COMPLAIN_PAUSE) {
            return;
        }
        self.complained = Some(now);
        // Where that is closed as well, nobody can be told.
        let _ = writeln!(io::stderr(), "odeon: lines are lost: the log file {}: {error}", self.path.display());
    }
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

impl Write for LogFile {
    /// Takes a whole line. One that cannot be written is lost, and said to be: the node goes on.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut file = self.0.lock();
        if let Err(error) = file.append(line) {
            file.complain(&error, Instant::now());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_rotated_before_it_has_too_much_and_so_many_older_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "12345").unwrap();
        let mut file = LogFile::open(&path, 10, 2).unwrap();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        file.write_all(b"67890").unwrap();
        assert_eq!(text("a.log"), "1234567890", "it goes on where it was");
        for line in ["one\n", "two\n", "a line of its own\n", "three\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(text("a.log"), "three\n");
        assert_eq!(text("a.log.1"), "a line of its own\n");
        assert_eq!(text("a.log.2"), "one\ntwo\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn where_none_is_kept_it_begins_anew_and_a_file_that_was_taken_away_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = LogFile::open(&path, 4, 0).unwrap();
        file.write_all(b"one\n").unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::remove_file(&path).unwrap();
        file.write_all(b"six\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_disk_that_is_full_costs_lines_and_not_the_node() {
        let mut file = LogFile::open(Path::new("/dev/full"), 1 << 20, 1).unwrap();
        file.write_all(b"one\n").unwrap();
        assert!(file.0.lock().complained.is_some());
    }
}
