//! The base `simulated` and the search for failing seeds.

#![allow(clippy::unwrap_used, reason = "a test's own wiring may fail loudly")]

mod cuts;
mod explore;
mod faults;
mod places;
mod program;
mod rechecking;
mod same;
mod time;
mod watching;
