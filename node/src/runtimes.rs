//! What executes the code of images, by the runtime that their manifests name.

use crate::process::{ProcessError, ProcessRuntime, ProcessUsage};
use crate::wasm::{WasmCode, WasmError, WasmRuntime, WasmUsage};
use odeon::Definition;
use odeon_sourceauth::{Image, ImageError, Runtime};
use std::sync::Arc;

/// Why the code of an image cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    #[error(transparent)]
    Wasm(#[from] WasmError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl RuntimeError {
    /// Whether another node may run the code all the same.
    pub(crate) fn is_of_this_node(&self) -> bool {
        matches!(self, Self::Process(error) if error.is_of_this_node())
    }
}

/// What the actors of images use, by the runtime of the image.
pub(crate) struct Usage {
    pub(crate) wasm: Vec<WasmUsage>,
    pub(crate) process: Vec<ProcessUsage>,
}

/// The runtimes of one node.
pub(crate) struct Runtimes {
    wasm: Arc<WasmRuntime>,
    /// None where its operator does not allow processes.
    process: Option<Arc<ProcessRuntime>>,
}

impl Runtimes {
    pub(crate) fn new(wasm: Arc<WasmRuntime>, process: Option<Arc<ProcessRuntime>>) -> Self {
        Self { wasm, process }
    }

    /// The runtime of processes, where they are allowed.
    pub(crate) fn process(&self) -> Option<&ProcessRuntime> {
        self.process.as_deref()
    }

    /// What the actors of images use here, in no order.
    pub(crate) fn usage(&self) -> Usage {
        let process = self.process.as_ref().map(|process| process.usage());
        Usage { wasm: self.wasm.usage(), process: process.unwrap_or_default() }
    }

    /// The actors of an image. Takes long, is safe to repeat, and leaves nothing behind when it fails.
    pub(crate) fn load(&self, hash: &str, image: &Image) -> Result<Vec<Definition>, RuntimeError> {
        match (image.manifest().runtime, &self.process) {
            (Runtime::Wasm, _) => {
                let (manifest, component) = (image.manifest(), &image.code()?);
                let (title, isolation) = (&manifest.title(), manifest.isolation);
                let code = WasmCode { hash, title, component, isolation };
                Ok(self.wasm.load_code(&code)?)
            }
            (Runtime::Process, Some(process)) => Ok(process.load(hash, image)?),
            (Runtime::Process, None) => Err(ProcessError::NotAllowed.into()),
        }
    }

    /// Forgets what was made of an image; actors that run go on.
    pub(crate) fn forget(&self, hash: &str) -> Result<(), RuntimeError> {
        self.wasm.forget(hash)?;
        Ok(self.process.as_ref().map_or(Ok(()), |process| process.forget(hash))?)
    }
}
