//! What an image has instead of parts of the C library, where its crate does not switch on the feature `grants`.
//!
//! The standard library can always print a panic that nobody else reports. With the C library that brings streams,
//! descriptors, the environment and the working folder of WASI into every image, and an allocator beside: together more
//! than all the rest of a small image. Without grants there is nothing to be had by them.
#![allow(unsafe_code)]

mod memory;

use super::bindings::odeon::actor::host::{Level, log};
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a line; a longer one is more than one line of the log.
const LINE_BYTES_MAX: usize = 8 << 10;

/// What is not logged yet of each stream: a line comes in pieces.
static LINES: Mutex<[Vec<u8>; 2]> = Mutex::new([Vec::new(), Vec::new()]);

const LEVELS: [Level; 2] = [Level::Info, Level::Warn];

fn lines() -> MutexGuard<'static, [Vec<u8>; 2]> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what is written to standard output and standard error; each line is logged.
#[unsafe(no_mangle)]
extern "C" fn write(to: c_int, bytes: *const c_void, count: usize) -> isize {
    if !matches!(to, 1 | 2) {
        super::fail("it wrote to a file, which needs the feature `grants` of the crate `odeon`");
    }
    // SAFETY: whoever calls this function of the C library says that there are so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    let mut lines = lines();
    let stream = to as usize - 1;
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines[stream].extend_from_slice(part);
        if part.ends_with(b"\n") || lines[stream].len() > LINE_BYTES_MAX {
            end_line(LEVELS[stream], &mut lines[stream]);
        }
    }
    count as isize
}

fn end_line(level: Level, line: &mut Vec<u8>) {
    let text = std::str::from_utf8(line.trim_ascii_end()).unwrap_or("(what was printed is not text)");
    if !text.is_empty() {
        log(level, text);
    }
    line.clear();
}

/// Ends what was printed: nobody goes on with a line when the message has been handled.
pub(super) fn end_lines() {
    for (level, line) in LEVELS.into_iter().zip(&mut *lines()) {
        end_line(level, line);
    }
}

/// There are no variables.
#[unsafe(no_mangle)]
extern "C" fn getenv(_: *const c_char) -> *mut c_char {
    std::ptr::null_mut()
}

/// There is no folder. What prints where a panic was asks for it, and would bring the C library's allocator along.
#[unsafe(no_mangle)]
extern "C" fn getcwd(_: *mut c_char, _: usize) -> *mut c_char {
    std::ptr::null_mut()
}

/// Where the C library keeps that folder.
#[unsafe(no_mangle)]
static mut __wasilibc_cwd: *const c_char = c"/".as_ptr();
