//! What a process takes, as /proc says, and how many files this one may open.

use crate::admin::protocol::Failed;
use odeon_convention::codes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::time::Duration;

/// Ticks of /proc in a second: a constant of the kernel's interface on every architecture that this is built for.
const TICKS_PER_S: u64 = 100;

/// What a process holds and has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// Resident memory.
    pub(super) rss_bytes: u64,
    /// Processor time in its own code.
    pub(super) user: Duration,
    /// Processor time in the kernel for it.
    pub(super) system: Duration,
}

impl Usage {
    /// Of a process on this machine; none where it is gone or cannot be looked at.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Self::read(&status, &stat)
    }

    fn read(status: &str, stat: &str) -> Option<Self> {
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let rss_kib: u64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
        // The name, in parentheses, may hold anything; of what follows, the 12th and 13th are the times.
        let mut times = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let mut time =
            || times.next()?.parse().ok().map(|ticks: u64| Duration::from_millis(ticks * 1_000 / TICKS_PER_S));
        Some(Self { rss_bytes: rss_kib * 1024, user: time()?, system: time()? })
    }

    /// Processor time in all.
    pub(super) fn busy(&self) -> Duration {
        self.user + self.system
    }
}

/// Makes sure that this many files can be open at once: raises this process's limit as far as it may.
pub(super) fn may_open(files: u64) -> Result<(), Failed> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= files) {
        return Ok(());
    }
    if maximum.is_none_or(|limit| limit >= files)
        && setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum }).is_ok()
    {
        return Ok(());
    }
    let limit = maximum.or(current).unwrap_or_default();
    Err(Failed::new(
        codes::INTERNAL,
        format!(
            "the swarm needs {files} open files, and the limit is {limit}: raise it (ulimit -n {files}) and try again"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_name_looks_like_its_state_is_read_right() {
        let status = "Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t     123 kB\n";
        let stat = "7 (a) R 1 (b) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 8 9 20 0 3 0 100 200 30";
        let usage = Usage::read(status, stat).unwrap();
        assert_eq!(usage.rss_bytes, 123 * 1024);
        assert_eq!((usage.user, usage.system), (Duration::from_millis(2_500), Duration::from_millis(500)));
        assert_eq!(usage.busy(), Duration::from_secs(3));
    }

    #[test]
    fn what_is_no_process_has_no_usage() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.rss_bytes > 0));
        assert_eq!(Usage::of(u32::MAX), None);
        assert_eq!(Usage::read("VmRSS: 1 MB", ""), None);
    }

    #[test]
    fn more_files_than_the_hard_limit_are_refused_with_both_numbers() {
        let Some(maximum) = getrlimit(Resource::Nofile).maximum else { return };
        let refused = may_open(maximum + 1).unwrap_err();
        assert!(refused.message.contains(&(maximum + 1).to_string()), "{}", refused.message);
        assert!(refused.message.contains(&maximum.to_string()), "{}", refused.message);
        assert!(may_open(1).is_ok());
    }
}
