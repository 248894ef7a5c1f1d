//! The memory of instances (`node/src/wasm/slab.rs`, `memory.rs`), whose tests `scripts/memcheck` runs under valgrind.
//!
//! All slots of a mapping are mapped for as long as one is taken, so nothing notices who reaches into a slot that is
//! somebody else's or was given back. Here valgrind is told which are nobody's, and does.
#![allow(dead_code)]

#[path = "../../node/src/wasm/memory.rs"]
mod memory;
#[path = "../../node/src/wasm/slab.rs"]
mod slab;

use std::ffi::c_void;

/// Requests of valgrind's memcheck.h.
const NO_ACCESS: usize = 0x4d43_0000;
const DEFINED: usize = 0x4d43_0002;

/// Whoever touches these bytes makes an error.
fn forbid(base: *mut c_void, bytes: usize) {
    request(NO_ACCESS, base, bytes);
}

/// They may be read and written.
fn allow(base: *mut c_void, bytes: usize) {
    request(DEFINED, base, bytes);
}

/// What `VALGRIND_DO_CLIENT_REQUEST` of valgrind.h does; without valgrind it does nothing.
fn request(what: usize, base: *mut c_void, bytes: usize) {
    let words = [what, base as usize, bytes, 0, 0, 0];
    // SAFETY: the instructions turn a register once around and exchange another with itself; valgrind, which knows them by
    // that, reads the six words and answers in rdx.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") words.as_ptr(),
            inout("rdx") 0usize => _,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Has to be found: `scripts/memcheck` runs it by itself and fails where it passes.
    #[test]
    #[ignore = "an error on purpose"]
    fn a_slot_that_was_given_back_is_written_to() {
        let slab = Arc::new(slab::Slab::default());
        let (_kept, gone) = (slab.take().unwrap(), slab.take().unwrap());
        let base = gone.base().cast::<u8>();
        drop(gone);
        // SAFETY: none; it is mapped as long as the other slot is there.
        unsafe { base.write_volatile(1) };
    }

    /// As above.
    #[test]
    #[ignore = "an error on purpose"]
    fn the_slot_behind_is_written_to() {
        let slot = Arc::new(slab::Slab::default()).take().unwrap();
        // SAFETY: none; it is in the same mapping.
        unsafe { slot.base().cast::<u8>().add(slab::SLOT_BYTES).write_volatile(1) };
    }
}
