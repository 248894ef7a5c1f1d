//! See `odeon_fuzz::parsers::expression`. Run it with `scripts/fuzz 60 expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::expression(bytes));
