//! See `odeon_fuzz::parsers::manifest`. Run it with `scripts/fuzz 60 manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::manifest(bytes));
