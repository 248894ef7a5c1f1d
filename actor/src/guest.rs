//! Inside a wasm image: the component's exports, over the actor types that `export!` names.
//!
//! Owns the translation between the exported interface of `wit/actor.wit` and the SDK's own types; what actors ask
//! of their node is in `outside`. An instance has one actor or many, as the node wants, and handles one message at a time.

mod outside;

/// What is generated from `wit/actor.wit`.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "image",
        pub_export_macro: true,
        export_macro_name: "export_image",
        default_bindings_module: "odeon::guest::bindings",
    });
}

use crate::{Actor, AnyMessage, CapabilityView, Context, Encoded, Registry, Value};
use bindings::exports::odeon::actor::actors::{Address, Definition, Guest};
use bindings::odeon::actor::host;
use outside::Outside;
use std::sync::{Arc, Mutex, Once};

/// What `export!` implements: the actor types of an image.
pub trait Image: 'static {
    /// The actor types.
    fn registry() -> Registry;
}

/// The actors of this instance by their handles, and the context that they are handed in turn.
struct Hosted {
    actors: Vec<Option<Box<dyn Actor>>>,
    /// Handles of none.
    free: Vec<u32>,
    cx: Context,
}

impl Hosted {
    fn new() -> Self {
        let nobody = crate::Address::from_bytes([0; crate::ADDRESS_BYTES]);
        Self { actors: Vec::new(), free: Vec::new(), cx: Context::new(Arc::new(Outside), nobody) }
    }

    fn add(&mut self, actor: Box<dyn Actor>) -> u32 {
        match self.free.pop() {
            Some(handle) => {
                self.actors[handle as usize] = Some(actor);
                handle
            }
            None => {
                self.actors.push(Some(actor));
                self.actors.len() as u32 - 1
            }
        }
    }
}

static HOSTED: Mutex<Option<Hosted>> = Mutex::new(None);

impl<I: Image> Guest for I {
    fn describe() -> Vec<Definition> {
        report_panics();
        let describe = |d: &crate::Definition| Definition { name: (*d.name).to_owned(), required: d.required.to_vec() };
        I::registry().iter().map(describe).collect()
    }

    fn check(actor: String, requirements: Vec<u8>) -> bool {
        report_panics();
        let registry = I::registry();
        let Some(definition) = registry.find(&actor) else { fail(unknown(&actor)) };
        match rmp_serde::from_slice(&requirements) {
            Ok(requirements) => (definition.check)(&Asked, &requirements).unwrap_or_else(|e| fail(e.to_string())),
            Err(error) => fail(format!("requirements that do not decode: {error}")),
        }
    }

    fn create(actor: String) -> Result<u32, String> {
        report_panics();
        let registry = I::registry();
        let definition = registry.find(&actor).ok_or_else(|| unknown(&actor))?;
        let actor = (definition.build)().map_err(|e| e.to_string())?;
        Ok(hosted().get_or_insert_with(Hosted::new).add(actor))
    }

    fn receive(handle: u32, sender: Address, name: String, bytes: Vec<u8>) -> Result<(), String> {
        let mut hosted = hosted();
        let Some(Hosted { actors, cx, .. }) = &mut *hosted else { return Err(nobody(handle)) };
        let Some(Some(actor)) = actors.get_mut(handle as usize) else { return Err(nobody(handle)) };
        cx.set_sender(outside::address_of(sender));
        actor.receive(&AnyMessage::from_encoded(Encoded { name, bytes }), cx).map_err(|e| e.to_string())
    }

    fn discard(handle: u32) {
        let mut hosted = hosted();
        let Some(Hosted { actors, free, .. }) = &mut *hosted else { return };
        if actors.get_mut(handle as usize).is_some_and(|actor| actor.take().is_some()) {
            free.push(handle);
        }
    }
}

fn hosted() -> std::sync::MutexGuard<'static, Option<Hosted>> {
    HOSTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn nobody(handle: u32) -> String {
    format!("this instance has no actor {handle}")
}

fn unknown(actor: &str) -> String {
    format!("this image has no actor {actor:?}")
}

/// Tells the node why, then traps: for what has no error to return.
fn fail(reason: String) -> ! {
    host::failed(&reason);
    std::process::abort()
}

/// Hands the text of a panic to the node before the panic becomes a trap.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            host::failed(&format!("panicked: {}", crate::failure::panic_text(info.payload())));
        }));
    });
}

/// The capabilities of the node that a check is about.
struct Asked;

impl CapabilityView for Asked {
    fn value(&self, key: &str) -> Option<Value> {
        let bytes = host::capability(key)?;
        match rmp_serde::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(error) => fail(format!("a capability that does not decode: {error}")),
        }
    }
}
