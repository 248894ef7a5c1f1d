//! The guarantees of docs/guarantees.md, each over the bases where it holds.

#![allow(clippy::unwrap_used, reason = "a test's own wiring may fail loudly")]

mod create;
mod exits;
mod failure;
mod order;
mod pressure;
mod program;
mod rig;
mod stress;
mod suspended;
mod troupes;
mod wakeups;
mod watching;
