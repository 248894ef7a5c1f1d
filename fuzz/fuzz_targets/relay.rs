//! See `odeon_fuzz::links::relay`. Run it with `scripts/fuzz 60 relay`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::links::relay(bytes));
