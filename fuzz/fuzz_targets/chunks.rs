//! See `odeon_fuzz::chunks`. Run it with `cargo +nightly fuzz run chunks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::chunks(bytes));
