//! See `odeon_fuzz::signature`. Run it with `cargo +nightly fuzz run signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::signature(bytes));
