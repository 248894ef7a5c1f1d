//! See `odeon_fuzz::parsers::chunks`. Run it with `scripts/fuzz 60 chunks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::chunks(bytes));
