//! Benchmarks that run their peers beside us: the figures of `docs/benchmarks.md`.
//!
//! A machine's speed drifts by up to twofold within minutes, so nothing here compares figures of different times:
//! the contestants take turns, each sample comes from a fresh process, and what counts is the median of the rounds
//! and the ratio to the peers of the same run. Every sample checks that all messages arrived, and fails if not.
//!
//! Start with [`rounds`] for how contestants take turns, then [`local`], [`network`], [`creates`], [`wasm`] and
//! [`placement`] for what they do.

pub mod apart;
pub mod creates;
pub mod local;
pub mod machine;
pub mod memory;
pub mod network;
pub mod node;
pub mod options;
pub mod page;
pub mod placement;
pub mod rounds;
pub mod spread;
pub mod table;
pub mod unit;
pub mod wasm;
