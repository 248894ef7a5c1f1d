//! See `odeon_fuzz::expression`. Run it with `cargo +nightly fuzz run expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::expression(bytes));
