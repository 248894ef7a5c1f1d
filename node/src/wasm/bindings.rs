//! What is generated from `actor/wit/actor.wit`.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../actor/wit",
    world: "image",
    imports: { default: trappable },
});
