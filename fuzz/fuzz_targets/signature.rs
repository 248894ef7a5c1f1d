//! Any texts are a signature and allowed signers, or errors; a signature that nobody made verifies nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeon_sourceauth::{AllowedSigners, Signature, verify};

fuzz_target!(|input: (&str, &str, u64)| {
    let (signature, signers, now_unix_s) = input;
    let parsed = Signature::parse(signature);
    let Ok(allowed) = AllowedSigners::parse(signers) else { return };
    assert!(!allowed.signers().is_empty());
    if parsed.is_ok() {
        assert!(verify(b"an image that nobody signed", signature, &allowed, now_unix_s).is_err());
    }
});
