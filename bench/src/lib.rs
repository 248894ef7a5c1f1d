//! Benchmarks that run their peers beside us: the figures of `docs/benchmarks.md`.
//!
//! A machine's speed drifts by up to twofold within minutes, so nothing here compares figures of different times:
//! the contestants take turns, each sample comes from a fresh process, and what counts is the median of the rounds
//! and the ratio to the peers of the same run. Every sample checks that all messages arrived, and fails if not.
//!
//! Start with [`rounds`] for how contestants take turns, then `network`, `creates`, `wasm` and `placement` for what they
//! do. Other actor libraries are in `bench/peers`, and `bench/cluster` for those between processes.

pub mod apart;
#[cfg(feature = "nodes")]
pub mod creates;
pub mod exchange;
pub mod machine;
pub mod memory;
#[cfg(feature = "nodes")]
pub mod network;
#[cfg(feature = "nodes")]
pub mod node;
pub mod options;
pub mod page;
#[cfg(feature = "nodes")]
pub mod placement;
pub mod rounds;
pub mod spread;
pub mod table;
pub mod unit;
#[cfg(feature = "nodes")]
pub mod wasm;
