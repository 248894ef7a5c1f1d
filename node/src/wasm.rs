//! The wasm runtime: images' components become actors, each in an instance of its own.
//!
//! Owns the engine and its settings, the compiled code on disk, and the bounds in memory, time and host calls that
//! every instance runs in. An instance has no authority but what `actor/wit/actor.wit` gives it, and what its image is
//! granted (`granted`). It never decides whether an image may be used: whoever calls [`WasmRuntime::load`] has verified it.
//! Start with [`WasmRuntime::load`], then `image`, then `instance`.

mod bindings;
mod cache;
mod error;
mod granted;
mod guest;
mod host;
mod image;
mod imports;
mod instance;
mod limits;
mod memory;
mod ticker;
mod trusted;
mod wasi;

pub use error::WasmError;
pub use limits::WasmLimits;

use crate::grants::Allowed;
use bindings::ImagePre;
use cache::Cache;
use granted::{Access, GrantedRuntime};
use guest::Guest;
use image::Image;
use memory::Memories;
use odeon::Definition;
use odeon_sourceauth::Grants;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::{Arc, Weak};
use ticker::Ticker;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

/// Runs images' components. One for a node; its thread runs while there are definitions.
pub struct WasmRuntime {
    engine: Engine,
    linker: Linker<Guest>,
    /// There once an image with grants was loaded.
    granted: Mutex<Option<Arc<GrantedRuntime>>>,
    cache: Cache,
    limits: WasmLimits,
    /// Runs while there are images.
    ticker: Mutex<Weak<Ticker>>,
}

impl WasmRuntime {
    /// Starts a runtime that keeps compiled code in `cache_dir`, a folder that only its owner may enter.
    pub fn new(cache_dir: &Path, limits: WasmLimits) -> Result<Arc<WasmRuntime>, WasmError> {
        let engine = Engine::new(&config()).map_err(WasmError::engine)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).and_then(|()| wasi::link(&mut linker)).map_err(WasmError::engine)?;
        let cache = Cache::open(cache_dir, &engine)?;
        Ok(Arc::new(WasmRuntime { engine, linker, granted: Mutex::default(), cache, limits, ticker: Mutex::default() }))
    }

    fn ticker(&self) -> Result<Arc<Ticker>, WasmError> {
        let mut running = self.ticker.lock();
        if let Some(ticker) = running.upgrade() {
            return Ok(ticker);
        }
        let ticker = Ticker::start(&self.engine)?;
        *running = Arc::downgrade(&ticker);
        Ok(ticker)
    }

    fn granted(&self) -> Result<Arc<GrantedRuntime>, WasmError> {
        let mut granted = self.granted.lock();
        if let Some(granted) = &*granted {
            return Ok(granted.clone());
        }
        let started = Arc::new(GrantedRuntime::new(&self.engine)?);
        *granted = Some(started.clone());
        Ok(started)
    }

    /// The actors of an image. `hash` is the image's source hash, `component` the code in it. The image asks for nothing
    /// outside of itself.
    ///
    /// Takes compiled code from the cache or compiles, which takes long: not for a thread that must not wait.
    /// It is safe to repeat, and leaves nothing behind when it fails.
    pub fn load(&self, hash: &str, component: &[u8]) -> Result<Vec<Definition>, WasmError> {
        self.load_with(hash, component, |component, ticker| {
            Image::new(hash, self.linked(component)?, self.limits, ticker).definitions()
        })
    }

    /// The same for an image that may ask for something, of which each of its actors gets what is allowed.
    pub fn load_granted(
        &self,
        hash: &str,
        component: &[u8],
        asks: &Grants,
        allowed: &Arc<Allowed>,
    ) -> Result<Vec<Definition>, WasmError> {
        if asks.is_empty() {
            return self.load(hash, component);
        }
        let access = Access { asks: asks.clone(), allowed: allowed.clone() };
        self.load_with(hash, component, |component, ticker| {
            self.granted()?.load(hash, component, self.limits, ticker, access)
        })
    }

    fn load_with(
        &self,
        hash: &str,
        component: &[u8],
        link: impl FnOnce(&Component, Arc<Ticker>) -> Result<Vec<Definition>, WasmError>,
    ) -> Result<Vec<Definition>, WasmError> {
        if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WasmError::Hash { found: hash.chars().take(80).collect() });
        }
        if component.len() > self.limits.component_bytes_max {
            let max = self.limits.component_bytes_max;
            return Err(WasmError::TooLarge { bytes: component.len(), max });
        }
        let component = self.cache.compiled(&self.engine, hash, component)?;
        let loaded = link(&component, self.ticker()?);
        if loaded.is_err()
            && let Err(error) = self.cache.forget(hash)
        {
            tracing::warn!(image = hash, %error, "compiled code cannot be removed");
        }
        loaded
    }

    /// Forgets the compiled code of an image; actors that run go on.
    pub fn forget(&self, hash: &str) -> Result<(), WasmError> {
        self.cache.forget(hash)
    }

    /// Checks what a component imports and exports, and ties its imports to this node.
    fn linked(&self, component: &Component) -> Result<ImagePre<Guest>, WasmError> {
        imports::check(&self.engine, component, &Grants::default())?;
        let mut linker = self.linker.clone();
        // The check above leaves only functions of WASI that an actor has no use for: calling one is its failure.
        linker.define_unknown_imports_as_traps(component).map_err(WasmError::link)?;
        let pre = linker.instantiate_pre(component).map_err(WasmError::link)?;
        ImagePre::new(pre).map_err(WasmError::link)
    }
}

/// The settings with which a hundred thousand parked actors fit a machine whose kernel has its default limits: no
/// reserved address space and no guard pages, so that memories share mappings. They move when they grow.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_memory64(false)
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        .with_host_memory(Arc::new(Memories))
        .memory_init_cow(false)
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None);
    config
}
