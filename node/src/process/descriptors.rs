//! Files that are open and must not be handed on: unsafe, as their numbers are only known as numbers.
#![allow(unsafe_code)]

use rustix::io::{FdFlags, fcntl_setfd};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// Closes every file but the three standard ones when this process becomes another program.
pub(super) fn close_on_exec() -> io::Result<()> {
    let mut list = fs::read_dir("/proc/self/fd")?;
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let numbers: Vec<RawFd> = list.by_ref().filter_map(number).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: the number was just read from the list of this process' open files, and nothing else runs in it that
        // could close one; the list's own file is open until the end of this function. The borrow ends with the call.
        fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC)?;
    }
    drop(list);
    Ok(())
}
