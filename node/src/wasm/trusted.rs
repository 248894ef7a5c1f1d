//! Taking machine code from a file: unsafe, as it is run.
#![allow(unsafe_code)]

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// The component whose compiled code `code` is.
///
/// Only [`super::cache`] calls this, and only with bytes whose SHA-256 it has just compared with the one written
/// beside them, in a folder that no other user may write to.
pub(super) fn component(engine: &Engine, code: &[u8]) -> Result<Component> {
    // SAFETY: `deserialize` runs whatever machine code it is given, so the bytes have to be what this program's
    // engine made of a component. They come from the cache folder, which is ours alone (mode 0700), and match the
    // digest that was stored with them, so they were not damaged since. An engine of another version or with other
    // settings has another file name, and `deserialize` refuses code whose header is not this engine's.
    unsafe { Component::deserialize(engine, code) }
}
