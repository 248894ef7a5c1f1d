//! Gives memory that a rush of peers left free back to the kernel.
//!
//! Ten thousand handshakes at once leave holes that the C library keeps for the next rush; a node that may lead keeps
//! them for good otherwise. Where another allocator than glibc's runs there is nothing to do.

// A call of the C library.
#![allow(unsafe_code)]

use crate::link::Links;
use std::time::Duration;

/// How often the sessions are counted.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What makes a rush: so many sessions more or fewer since memory was last given back.
const RUSH_SESSIONS: usize = 1000;
/// Fewer than this within one look is rest.
const REST_SESSIONS: usize = 10;

/// Looks for the end of each rush, until it is aborted.
pub(crate) async fn tend(links: Links) {
    let mut rush = Rush::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if rush.is_over(links.sessions()) {
            // It holds the allocator's locks, one arena's after another, and may take some time.
            let _ = tokio::task::spawn_blocking(give_back).await;
        }
    }
}

/// How much has come and gone since memory was last given back.
#[derive(Default)]
struct Rush {
    sessions: usize,
    moved: usize,
}

impl Rush {
    /// Whether a rush has just come to rest.
    fn is_over(&mut self, sessions: usize) -> bool {
        let moved = self.sessions.abs_diff(sessions);
        self.sessions = sessions;
        self.moved += moved;
        let over = self.moved >= RUSH_SESSIONS && moved < REST_SESSIONS;
        if over {
            self.moved = 0;
        }
        over
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    let began = std::time::Instant::now();
    // SAFETY: it takes a number and looks at the allocator's own books only, under its locks.
    let gave = unsafe { libc::malloc_trim(0) } == 1;
    tracing::debug!(gave, ms = began.elapsed().as_millis() as u64, "memory given back after a rush of peers");
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_over_once_it_rests() {
        let mut rush = Rush::default();
        assert!(!rush.is_over(600));
        assert!(!rush.is_over(1200));
        assert!(rush.is_over(1205));
        // Given back once.
        assert!(!rush.is_over(1205));
        // Those that leave count as those that come.
        assert!(!rush.is_over(100));
        assert!(rush.is_over(100));
    }

    #[test]
    fn few_that_come_and_go_are_no_rush() {
        let mut rush = Rush::default();
        assert!((0..500).all(|look| !rush.is_over(look % 2)));
        // They add up.
        assert!((0..600).any(|look| rush.is_over(look % 2)));
    }
}
