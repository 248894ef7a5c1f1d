//! See `odeon_fuzz::wire`. Run it with `cargo +nightly fuzz run wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::wire(bytes));
