//! What the parking of workers is made of, and what stands for it where `loom` runs every order of its steps.

#[cfg(not(loom))]
pub(super) use parking_lot::Mutex;
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicUsize, fence};

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicUsize, fence};

/// With the interface of the other.
#[cfg(loom)]
#[derive(Default)]
pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(loom)]
impl<T> Mutex<T> {
    pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|_| unreachable!("nobody panics with it"))
    }
}
