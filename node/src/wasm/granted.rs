//! Actors of images that are granted something outside of themselves: files, variables, connections.
//!
//! Their WASI is the engine's own, all of it asynchronous, where other images have the few functions of `wasi`: whatever
//! they wait for suspends the call, which is given up when its time is over. So none of them holds up a worker of the
//! node. They are served by threads of their own, which are there once such an image is loaded. Start with `image`.

mod actor;
mod bindings;
mod doors;
mod image;
mod inside;
mod instance;
mod names;
mod output;
mod tasks;

use super::accounts::Accounts;
use super::limits::WasmLimits;
use super::ticker::Ticker;
use super::{WasmError, host, imports};
use crate::grants::Allowed;
use bindings::ImagePre;
use image::Image;
use inside::Inside;
use odeon::Definition;
use odeon_sourceauth::Grants;
use std::sync::Arc;
use tasks::Tasks;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

/// What an image asks for, and what its node allows of that.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) asks: Grants,
    pub(super) allowed: Arc<Allowed>,
}

/// Runs images with grants. One for a node that has loaded such an image.
pub(super) struct GrantedRuntime {
    linker: Linker<Inside>,
    tasks: Arc<Tasks>,
}

impl GrantedRuntime {
    pub(super) fn new(engine: &Engine) -> Result<Self, WasmError> {
        let mut linker = Linker::new(engine);
        host::link(&mut linker)
            .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker))
            .and_then(|()| names::link(&mut linker))
            .map_err(WasmError::engine)?;
        Ok(Self { linker, tasks: Tasks::start()? })
    }

    /// The actors of an image, as [`super::WasmRuntime::load`] gives them.
    pub(super) fn load(
        &self,
        hash: &str,
        component: &Component,
        limits: WasmLimits,
        accounts: Arc<Accounts>,
        ticker: Arc<Ticker>,
        access: Access,
    ) -> Result<Vec<Definition>, WasmError> {
        imports::check(self.linker.engine(), component, &access.asks)?;
        let pre = self.linker.instantiate_pre(component).and_then(ImagePre::new).map_err(WasmError::link)?;
        Image::new(hash, pre, limits, accounts, ticker, access, self.tasks.clone()).definitions()
    }
}
