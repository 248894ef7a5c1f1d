//! See `odeon_fuzz::manifest`. Run it with `cargo +nightly fuzz run manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::manifest(bytes));
