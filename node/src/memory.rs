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
/// What makes a rush: so many sessions more or fewer since the last one.
const RUSH_SESSIONS: usize = 1000;
/// Fewer than this within one look is rest.
const REST_SESSIONS: usize = 10;
/// What the connections of a rush leave is free at last when QUIC has forgotten them, and the last of those who tried in
/// vain. So memory is given back when this many looks of rest have followed, each time.
const AFTER_LOOKS: [u32; 5] = [1, 3, 6, 12, 24];

/// Looks for the end of each rush, until it is aborted.
pub(crate) async fn tend(links: Links) {
    let mut rush = Rush::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if rush.look(links.sessions()) {
            // It holds the allocator's locks, one arena's after another: five milliseconds for ten thousand peers.
            let _ = tokio::task::spawn_blocking(give_back).await;
        }
    }
}

/// How much has come and gone since a rush was over.
#[derive(Default)]
struct Rush {
    sessions: usize,
    moved: usize,
    rested_looks: u32,
}

impl Rush {
    /// Whether there is memory to give back.
    fn look(&mut self, sessions: usize) -> bool {
        let moved = self.sessions.abs_diff(sessions);
        self.sessions = sessions;
        self.moved += moved;
        self.rested_looks = if moved < REST_SESSIONS { self.rested_looks + 1 } else { 0 };
        let was_rush = self.moved >= RUSH_SESSIONS;
        if was_rush && AFTER_LOOKS.last() == Some(&self.rested_looks) {
            self.moved = 0;
        }
        was_rush && AFTER_LOOKS.contains(&self.rested_looks)
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

    fn looks(rush: &mut Rush, sessions: impl Iterator<Item = usize>) -> Vec<usize> {
        sessions.enumerate().filter_map(|(at, sessions)| rush.look(sessions).then_some(at)).collect()
    }

    #[test]
    fn after_a_rush_memory_is_given_back_a_few_times() {
        let mut rush = Rush::default();
        assert_eq!(looks(&mut rush, [600, 1200].into_iter()), Vec::<usize>::new());
        assert_eq!(looks(&mut rush, std::iter::repeat_n(1205, 100)), [0, 2, 5, 11, 23]);
        // Those that leave count as those that come, and the next rush begins anew.
        assert_eq!(looks(&mut rush, [100, 100, 1200, 1200, 1200, 1200].into_iter()), [1, 3, 5]);
    }

    #[test]
    fn few_that_come_and_go_are_no_rush() {
        let mut rush = Rush::default();
        assert_eq!(looks(&mut rush, (0..900).map(|look| look % 2)), Vec::<usize>::new());
    }
}
