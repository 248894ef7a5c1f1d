//! See `odeon_fuzz::parsers::statement`. Run it with `scripts/fuzz 60 statement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::statement(bytes));
