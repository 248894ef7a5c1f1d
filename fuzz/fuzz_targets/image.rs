//! See `odeon_fuzz::image`. Run it with `cargo +nightly fuzz run image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::image(bytes));
