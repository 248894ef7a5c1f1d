//! See `odeon_fuzz::parsers::signature`. Run it with `scripts/fuzz 60 signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::signature(bytes));
