//! The bases: systems of actors inside this process.
//!
//! `simple` runs everything in the thread that asks; `threads` has a pool of workers. A node uses the same pool and
//! adds what lies [`Outside`]. Not compiled into wasm images.

mod outside;

pub use outside::{Envelope, Exit, Outside, Pressure, Resolution};
