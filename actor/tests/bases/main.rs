//! The guarantees of docs/guarantees.md, each over the bases where it holds.

#![allow(clippy::unwrap_used, reason = "a test's own wiring may fail loudly")]

mod api;
#[cfg(target_os = "linux")]
mod commands;
mod create;
mod deferral;
mod exits;
mod failure;
mod initialising;
mod order;
mod pipes;
mod pressure;
mod program;
mod promises;
mod rig;
mod stress;
mod supervision;
mod suspended;
mod table;
mod transient;
mod troupes;
mod wakeups;
mod watching;
