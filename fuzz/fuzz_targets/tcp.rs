//! See `odeon_fuzz::tcp`. Run it with `cargo +nightly fuzz run tcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::tcp(bytes));
