//! What the process of an image has done and uses: counters for people to read.

use super::descendants;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// What the process of one image has done since its code was loaded, and uses now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessUsage {
    /// The image's source hash.
    pub hash: Arc<str>,
    /// Its name and version, for people.
    pub title: String,
    /// Actors that are there now.
    pub actors: u64,
    /// Messages that the process was given. One that is given twice is counted twice.
    pub messages: u64,
    /// Those that failed, also because the process ended.
    pub failures: u64,
    /// How often a process took the place of one that had ended without being meant to.
    pub restarts: u64,
    /// Bytes that the process and all below it have in memory now; none where nothing runs.
    pub memory_bytes: Option<u64>,
}

/// The counters of an image's process.
#[derive(Default)]
pub(super) struct Accounts {
    messages: AtomicU64,
    failures: AtomicU64,
    restarts: AtomicU64,
    has_died: AtomicBool,
    /// The guard of the process that runs; 0 where none does.
    guard: AtomicU32,
}

impl Accounts {
    pub(super) fn given(&self) {
        self.messages.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(super) fn started(&self, guard: Option<u32>) {
        if self.has_died.swap(false, Relaxed) {
            self.restarts.fetch_add(1, Relaxed);
        }
        self.guard.store(guard.unwrap_or(0), Relaxed);
    }

    pub(super) fn ended(&self) {
        self.guard.store(0, Relaxed);
    }

    pub(super) fn died(&self) {
        self.has_died.store(true, Relaxed);
    }

    pub(super) fn usage(&self, hash: &Arc<str>, title: &str, actors: usize) -> ProcessUsage {
        ProcessUsage {
            hash: hash.clone(),
            title: title.to_owned(),
            actors: actors as u64,
            messages: self.messages.load(Relaxed),
            failures: self.failures.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            memory_bytes: resident_below(self.guard.load(Relaxed)),
        }
    }
}

/// Bytes that all processes below one have in memory. One that ends meanwhile has none.
fn resident_below(guard: u32) -> Option<u64> {
    let below = descendants::below(i32::try_from(guard).ok().filter(|pid| *pid > 0)?)?;
    Some(below.into_iter().filter_map(resident).sum())
}

fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_process_is_in_memory() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut resident = 0;
        // It has next to nothing at its very start.
        while resident < 1 << 14 && std::time::Instant::now() < until {
            resident = resident_below(std::process::id()).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((1 << 14..1 << 30).contains(&resident), "{resident}");
        assert_eq!(resident_below(0), None, "nothing runs");
    }

    #[test]
    fn a_start_after_a_death_is_a_restart_and_one_after_rest_is_none() {
        let accounts = Accounts::default();
        let restarts = |accounts: &Accounts| accounts.usage(&"ab".into(), "hello@1", 0).restarts;
        accounts.started(None);
        accounts.ended();
        accounts.started(None);
        assert_eq!(restarts(&accounts), 0);
        accounts.died();
        accounts.ended();
        accounts.died();
        accounts.started(None);
        assert_eq!(restarts(&accounts), 1);
    }
}
