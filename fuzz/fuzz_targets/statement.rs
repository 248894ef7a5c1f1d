//! See `odeon_fuzz::statement`. Run it with `cargo +nightly fuzz run statement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::statement(bytes));
