//! See `odeon_fuzz::parsers::wire`. Run it with `scripts/fuzz 60 wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::parsers::wire(bytes));
