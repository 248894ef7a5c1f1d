//! An allocator for programs with a node: the system's, where the kernel is told of large blocks that large pages will do.
//!
//! A message of 50 MB is in fresh memory where it is made, encoded, put together and decoded, and what the kernel does to
//! hand that over in pages of 4 KiB takes longer than all that is done with the bytes. Many kernels use larger ones only
//! for whoever asks.

// An allocator, and advice to the kernel.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

/// Blocks with fewer bytes have few large pages, or none.
const LARGE_BYTES: usize = 4 * 1024 * 1024;
/// Advice is given from an address on that is a multiple of this, as every page is on every machine.
#[cfg(target_os = "linux")]
const ALIGNED_BYTES: usize = 64 * 1024;

/// The system's allocator, which asks the kernel for large pages for blocks of 4 MiB and more. The command `odeon` has it;
/// another program with a node that exchanges messages of many megabytes does well to have it too.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: odeon_node::LargePages = odeon_node::LargePages;
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LargePages;

// SAFETY: all blocks are the system's, and advice changes nothing of what is in them.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        advised(unsafe { System.realloc(block, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn advised(block: *mut u8, bytes: usize) -> *mut u8 {
    if bytes >= LARGE_BYTES && !block.is_null() {
        advise(block, bytes);
    }
    block
}

#[cfg(target_os = "linux")]
#[cold]
fn advise(block: *mut u8, bytes: usize) {
    use rustix::mm::{Advice, madvise};
    let skipped = block.addr().next_multiple_of(ALIGNED_BYTES) - block.addr();
    // SAFETY: the range is within the block, and the kernel takes this as a hint: it says no where it has no large pages.
    let _ = unsafe { madvise(block.add(skipped).cast(), bytes - skipped, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_block: *mut u8, _bytes: usize) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: LargePages = LargePages;

    /// What the kernel says of the memory at an address: a list of two letters each.
    fn flags(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("the kernel says how memory is used");
        let mut is_it = false;
        for line in maps.lines() {
            let first = line.split_whitespace().next().unwrap_or_default();
            if let Some((from, to)) = first.split_once('-') {
                let number = |text| usize::from_str_radix(text, 16).expect("an address");
                is_it = (number(from)..number(to)).contains(&address);
            } else if is_it && first == "VmFlags:" {
                return line.to_owned();
            }
        }
        panic!("nothing is at {address:x}");
    }

    #[test]
    fn the_kernel_is_asked_for_large_pages_for_large_blocks() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage/enabled").exists() {
            return; // There are none.
        }
        let middle = |block: &[u8]| flags(block.as_ptr().addr() + block.len() / 2);
        let mut grown = vec![1_u8; 1024];
        grown.resize(48 * 1024 * 1024, 1);
        for large in [vec![0_u8; 48 * 1024 * 1024], vec![1; 48 * 1024 * 1024], grown] {
            assert!(middle(&large).contains(" hg"), "{}", middle(&large));
        }
    }
}
