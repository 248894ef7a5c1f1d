//! The interface of `super::super::bindings` once more, with exports that are called as futures.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../actor/wit",
    world: "image",
    imports: { default: trappable },
    exports: { default: async },
    with: {
        "odeon:actor/types": crate::wasm::bindings::odeon::actor::types,
        "odeon:actor/host": crate::wasm::bindings::odeon::actor::host,
    },
});
