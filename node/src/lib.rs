//! The node.

pub mod wasm;
