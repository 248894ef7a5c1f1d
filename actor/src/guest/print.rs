//! What the standard library prints, in an image without the feature `grants`.
//!
//! The C library would bring streams, descriptors and the environment of WASI for it into every image, since what prints a
//! panic that nobody else reports is always there: a third of a small image. So the two of its functions that lead there
//! are written here. Files need the real ones, and without grants there are none.
#![allow(unsafe_code)]

use super::bindings::odeon::actor::host::{Level, log};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Mutex;

/// Bytes of a line; a longer one is more than one line of the log.
const LINE_BYTES_MAX: usize = 8 << 10;

/// What is not logged yet of each stream: a line comes in pieces.
static LINES: Mutex<[Vec<u8>; 2]> = Mutex::new([Vec::new(), Vec::new()]);

/// Takes what is written to standard output and standard error; each line is logged.
#[unsafe(no_mangle)]
extern "C" fn write(to: c_int, bytes: *const c_void, count: usize) -> isize {
    let (index, level) = match to {
        1 => (0, Level::Info),
        2 => (1, Level::Warn),
        _ => super::fail("it wrote to a file, which needs the feature `grants` of the crate `odeon`"),
    };
    // SAFETY: whoever calls this function of the C library says that there are so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    let mut lines = LINES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = &mut lines[index];
        line.extend_from_slice(part);
        if line.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
            let text = std::str::from_utf8(line.trim_ascii_end()).unwrap_or("(what was printed is not text)");
            if !text.is_empty() {
                log(level, text);
            }
            line.clear();
        }
    }
    count as isize
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
