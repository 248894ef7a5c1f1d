//! Whatever bytes a peer sends, the decoder gives a message or an error, and a message is written as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use odeon_convention::wire::{ToLeader, ToMember, decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = decode::<ToLeader>(bytes) {
        let again = encode(&message).and_then(|bytes| decode::<ToLeader>(&bytes));
        assert_eq!(again.as_ref(), Ok(&message));
    }
    if let Ok(message) = decode::<ToMember>(bytes) {
        let again = encode(&message).and_then(|bytes| decode::<ToMember>(&bytes));
        assert_eq!(again.as_ref(), Ok(&message));
    }
});
