//! The wasm runtime: images' components become actors, each in an instance of its own or all of an image in one.
//!
//! Owns the engine and its settings, the compiled code on disk, and the bounds in memory, time and host calls that
//! every instance runs in. An instance has no authority but what `actor/wit/actor.wit` gives it, and what its image is
//! granted (`granted`). It never decides whether an image may be used: whoever calls [`WasmRuntime::load`] has verified it.
//! Start with [`WasmRuntime::load`], then `image`, then `instance`.

mod accounts;
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
mod own;
mod shared;
mod slab;
mod ticker;
mod trusted;
mod wasi;

pub use accounts::WasmUsage;
pub use error::WasmError;
pub use limits::WasmLimits;

use crate::grants::Allowed;
use accounts::Books;
use bindings::ImagePre;
use cache::Cache;
use granted::{Access, GrantedRuntime};
use guest::Guest;
use image::Image;
use memory::Memories;
use odeon::Definition;
use odeon_sourceauth::{Grants, Isolation};
use parking_lot::Mutex;
use shared::Shared;
use std::path::Path;
use std::sync::{Arc, Weak};
use ticker::Ticker;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

/// The code of an image.
#[derive(Debug, Clone, Copy)]
pub struct WasmCode<'a> {
    /// The image's source hash.
    pub hash: &'a str,
    /// Its name and version, for people.
    pub title: &'a str,
    /// The component.
    pub component: &'a [u8],
    /// How far apart its actors are.
    pub isolation: Isolation,
    /// What it asks for outside of itself, and what the node allows of that; none where it asks for nothing.
    pub access: Option<(&'a Grants, &'a Arc<Allowed>)>,
}

/// Runs images' components. One for a node; its thread runs while there are definitions.
pub struct WasmRuntime {
    engine: Engine,
    linker: Linker<Guest>,
    /// There once an image with grants was loaded.
    granted: Mutex<Option<Arc<GrantedRuntime>>>,
    cache: Cache,
    limits: WasmLimits,
    books: Books,
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
        let (granted, books) = (Mutex::default(), Books::default());
        Ok(Arc::new(WasmRuntime { engine, linker, granted, cache, limits, books, ticker: Mutex::default() }))
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

    /// How often code was compiled here, since it was not found in the folder.
    pub fn compilations(&self) -> u64 {
        self.cache.compilations()
    }

    /// What the actors of each image have used, in no order. An image is there while anything of it is in use.
    pub fn usage(&self) -> Vec<WasmUsage> {
        self.books.usage()
    }

    /// The actors of an image, each in an instance of its own. `hash` is the image's source hash, `component` the code in
    /// it. See [`load_code`](Self::load_code).
    pub fn load(&self, hash: &str, component: &[u8]) -> Result<Vec<Definition>, WasmError> {
        self.load_code(&WasmCode { hash, title: hash, component, isolation: Isolation::Actor, access: None })
    }

    /// The actors of an image.
    ///
    /// Takes compiled code from the cache or compiles, which takes long: not for a thread that must not wait.
    /// It is safe to repeat, and leaves nothing behind when it fails.
    pub fn load_code(&self, code: &WasmCode<'_>) -> Result<Vec<Definition>, WasmError> {
        let WasmCode { hash, component, .. } = *code;
        if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WasmError::Hash { found: hash.chars().take(80).collect() });
        }
        if component.len() > self.limits.component_bytes_max {
            let max = self.limits.component_bytes_max;
            return Err(WasmError::TooLarge { bytes: component.len(), max });
        }
        let component = self.cache.compiled(&self.engine, hash, component)?;
        let loaded = self.tied(&component, code);
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

    /// The actors of code that is compiled.
    fn tied(&self, component: &Component, code: &WasmCode<'_>) -> Result<Vec<Definition>, WasmError> {
        let WasmCode { hash, title, isolation, access, .. } = *code;
        let (limits, ticker, accounts) = (self.limits, self.ticker()?, self.books.open(hash, title));
        if let Some((asks, allowed)) = access.filter(|(asks, _)| !asks.is_empty()) {
            let access = Access { asks: asks.clone(), allowed: allowed.clone() };
            return self.granted()?.load(hash, component, limits, accounts, ticker, access);
        }
        let (hash, pre, shared) = (hash.into(), self.linked(component)?, Shared::default());
        Arc::new(Image { hash, pre, limits, accounts, isolation, shared, ticker }).definitions()
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
/// reserved address space and no guard pages, so that memories lie side by side in few mappings.
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
        .with_host_memory(Arc::new(Memories::default()))
        .memory_init_cow(false)
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None);
    config
}
