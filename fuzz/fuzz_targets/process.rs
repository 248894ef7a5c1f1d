//! See `odeon_fuzz::process`. Run it with `cargo +nightly fuzz run process`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::process(bytes));
