//! Random numbers for addresses, fetched from the system in batches per thread.

use std::cell::RefCell;

const BATCH: usize = 64;

struct Batch {
    bytes: [u8; BATCH * 8],
    left: usize,
}

thread_local! {
    static NONCES: RefCell<Batch> = const { RefCell::new(Batch { bytes: [0; BATCH * 8], left: 0 }) };
}

/// A number that nobody can guess.
///
/// # Panics
/// When the system has no random bytes: addresses without them would be forgeable.
pub(super) fn nonce() -> u64 {
    NONCES.with_borrow_mut(|batch| {
        if batch.left == 0 {
            if let Err(error) = getrandom::fill(&mut batch.bytes) {
                panic!("the system gives no random bytes for addresses: {error}");
            }
            batch.left = BATCH;
        }
        batch.left -= 1;
        let at = batch.left * 8;
        let mut number = [0; 8];
        number.copy_from_slice(&batch.bytes[at..at + 8]);
        // What was handed out does not stay behind in memory.
        batch.bytes[at..at + 8].fill(0);
        u64::from_ne_bytes(number)
    })
}
