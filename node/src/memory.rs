//! Memory that a crowd of links has left behind goes back to the system.
//!
//! A handshake takes several times what its link keeps. What thousands of them gave back lies between what stays, where
//! the allocator keeps it for those that come next. Once no more come it looks for whole pages of it.
#![allow(unsafe_code)]

use crate::link::Links;
use std::time::Duration;

/// How often it is looked at how many links there are. Twice the same is a rest.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Links that came or went since memory was given back, before it is worth it again.
const LINKS_MIN: usize = 1_000;

/// Gives memory back after each crowd, until the node ends.
pub(crate) async fn give_back(links: Links) {
    let (mut given_back, mut before) = (0_usize, 0);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = links.count();
        let rests = std::mem::replace(&mut before, now) == now;
        if rests && now.abs_diff(given_back) >= LINKS_MIN {
            given_back = now;
            // It takes a moment, in which the allocator serves nobody from the part that is being looked through.
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    let began = std::time::Instant::now();
    // SAFETY: it takes no pointer and may be called at any time from any thread.
    let any = unsafe { libc::malloc_trim(0) } != 0;
    tracing::debug!(any, ms = began.elapsed().as_millis() as u64, "unused memory is given back");
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
