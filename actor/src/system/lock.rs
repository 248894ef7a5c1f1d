//! The lock of what each message passes: slots, mailboxes, and actors that have their turn.
//!
//! All are held for a few instructions by one thread, or wanted by one, so that hardly anybody ever waits. A lock that may spin
//! is given back with a plain write, where one with a list of sleepers needs a second atomic exchange: with five of them
//! on the way of a message that is a third of its time. Whoever waits lets other threads run after a while, for the holder may
//! have lost its processor.

use spin::RelaxStrategy;
use spin::mutex::spin::{SpinMutex, SpinMutexGuard};

/// Looks at a lock before other threads are let run.
const LOOKS: u32 = 32;

pub(super) struct Patient;

impl RelaxStrategy for Patient {
    #[inline]
    fn relax() {
        (0..LOOKS).for_each(|_| std::hint::spin_loop());
        std::thread::yield_now();
    }
}

pub(super) type Lock<T> = SpinMutex<T, Patient>;
pub(super) type Locked<'a, T> = SpinMutexGuard<'a, T>;
