//! See `odeon_fuzz::relay`. Run it with `cargo +nightly fuzz run relay`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::relay(bytes));
