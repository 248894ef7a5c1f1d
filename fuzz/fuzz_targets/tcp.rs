//! See `odeon_fuzz::links::tcp`. Run it with `scripts/fuzz 60 tcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odeon_fuzz::links::tcp(bytes));
