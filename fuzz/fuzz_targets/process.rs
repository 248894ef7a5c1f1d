//! See `odeon_fuzz::parsers::process`. Run it with `scripts/fuzz 60 process`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::process(bytes));
