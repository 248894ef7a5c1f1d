//! See `odeon_fuzz::parsers::image`. Run it with `scripts/fuzz 60 image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::image(bytes));
