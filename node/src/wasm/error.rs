//! Why a component cannot be loaded.

use std::path::PathBuf;

/// Why a component cannot be loaded, or a runtime cannot start. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum WasmError {
    #[error("source hash {found:?} is not 64 digits of lower-case hexadecimal")]
    Hash { found: String },
    #[error("component of {bytes} bytes is larger than {max} bytes")]
    TooLarge { bytes: usize, max: usize },
    #[error("the code is not a wasm component: {reason}")]
    Malformed { reason: String },
    #[error("the component imports {name:?}, which no node offers{}", super::imports::hint(.name))]
    Import { name: String },
    #[error("the component does not fit the interface odeon:actor@0.1.0: {reason}")]
    Interface { reason: String },
    #[error("the component cannot say which actors it has: {reason}")]
    Describe { reason: String },
    #[error("the folder for compiled code {path} cannot be used: {source}")]
    Cache { path: PathBuf, source: std::io::Error },
    #[error("the wasm engine cannot start: {reason}")]
    Engine { reason: String },
}

impl WasmError {
    pub(super) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { reason: format!("{error:#}") }
    }

    pub(super) fn link(error: wasmtime::Error) -> Self {
        Self::Interface { reason: format!("{error:#}") }
    }

    pub(super) fn describe(reason: impl Into<String>) -> Self {
        Self::Describe { reason: reason.into() }
    }
}
