//! Keeps the panics of actors, messages and callbacks away from the threads that run them.

use crate::Failure;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code. A panic becomes a failure, whatever the panic carries.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let failure = Failure::from_panic(&*panic);
        // What a panic carries may itself panic when it is dropped; such a payload is left where it is.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(second);
        }
        failure
    })
}

/// Drops something foreign. A panic on the way is of no interest to anyone.
pub(crate) fn dropped<T>(value: T) {
    let _ = caught(|| drop(value));
}
