//! What executes the code of images, by the runtime that their manifests name.

use crate::grants::{Allowed, GrantsError};
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
    Grants(#[from] GrantsError),
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl RuntimeError {
    /// Whether another node may run the code all the same.
    pub(crate) fn is_of_this_node(&self) -> bool {
        match self {
            Self::Process(error) => error.is_of_this_node(),
            Self::Grants(_) => true,
            Self::Wasm(_) | Self::Image(_) => false,
        }
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
    /// What images may reach outside of themselves.
    allowed: Arc<Allowed>,
}

impl Runtimes {
    pub(crate) fn new(wasm: Arc<WasmRuntime>, process: Option<Arc<ProcessRuntime>>, allowed: Arc<Allowed>) -> Self {
        Self { wasm, process, allowed }
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
        self.allowed.check(&image.manifest().grants)?;
        self.attempt(hash, image)
    }

    /// The same where it is only to be seen whether the code can be loaded: a component says what it has without what it
    /// asks for, which this node may not allow.
    pub(crate) fn attempt(&self, hash: &str, image: &Image) -> Result<Vec<Definition>, RuntimeError> {
        let grants = &image.manifest().grants;
        match (image.manifest().runtime, &self.process) {
            (Runtime::Wasm, _) => {
                let (manifest, component) = (image.manifest(), &image.code()?);
                let (title, isolation) = (&manifest.title(), manifest.isolation);
                let code = WasmCode { hash, title, component, isolation, access: Some((grants, &self.allowed)) };
                Ok(self.wasm.load_code(&code)?)
            }
            (Runtime::Process, Some(process)) => {
                self.allowed.check(grants)?;
                Ok(process.load(hash, image)?)
            }
            (Runtime::Process, None) => Err(ProcessError::NotAllowed.into()),
        }
    }

    /// Forgets what was made of an image; actors that run go on.
    pub(crate) fn forget(&self, hash: &str) -> Result<(), RuntimeError> {
        self.wasm.forget(hash)?;
        Ok(self.process.as_ref().map_or(Ok(()), |process| process.forget(hash))?)
    }
}
