//! Inside a wasm image: the component's exports, over the actor types that `export!` names.
//!
//! Owns the translation between the exported interface of `wit/actor.wit` and the SDK's own types; what actors ask
//! of their node is in `outside`. An instance has one actor or many, as the node wants, and handles one message at a time.

#[cfg(not(feature = "grants"))]
mod library;
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

use crate::{Actor, ActorType, AnyMessage, CapabilityView, Context, Encoded, Failure, Value, encoding};
use bindings::exports::odeon::actor::actors::{Address, Definition, Guest};
use bindings::odeon::actor::host;
pub use outside::Outside;
use std::sync::{Mutex, Once};

/// What `export!` implements: the actor types of an image.
pub trait Image: 'static {
    /// The actor types. No two have one name: a node refuses an image of which that is not so.
    const OFFERS: &'static [Offer];
}

/// An actor type of an image: a definition in which nothing is built when an instance starts.
pub struct Offer {
    name: &'static str,
    required: &'static [&'static str],
    create: fn() -> Result<Box<dyn Actor>, Failure>,
    /// Takes the requirements as they came.
    check: fn(&[u8]) -> bool,
}

impl Offer {
    /// The offer of a type.
    pub const fn of<A: ActorType>() -> Self {
        Self {
            name: A::NAME,
            required: A::REQUIRED,
            create: || Ok(Box::new(A::create()?)),
            // What reads requirements is in the image only where an actor looks at them.
            check: if A::CHECKS { check::<A> } else { |_| true },
        }
    }
}

fn check<A: ActorType>(requirements: &[u8]) -> bool {
    match encoding::decode(requirements) {
        Ok(requirements) => A::check(&Asked, &requirements),
        Err(error) => fail(&format!("requirements that do not decode: {error}")),
    }
}

fn offer<I: Image>(actor: &str) -> Result<&'static Offer, String> {
    let unknown = || ["this image has no actor ", actor].concat();
    I::OFFERS.iter().find(|offer| offer.name == actor).ok_or_else(unknown)
}

/// The actors of this instance by their handles.
struct Hosted {
    actors: Vec<Option<Box<dyn Actor>>>,
    /// Handles of none.
    free: Vec<u32>,
}

impl Hosted {
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

static HOSTED: Mutex<Hosted> = Mutex::new(Hosted { actors: Vec::new(), free: Vec::new() });

impl<I: Image> Guest for I {
    fn describe() -> Vec<Definition> {
        report_panics();
        let required = |offer: &Offer| offer.required.iter().map(|&name| name.to_owned()).collect();
        I::OFFERS.iter().map(|offer| Definition { name: offer.name.to_owned(), required: required(offer) }).collect()
    }

    fn check(actor: String, requirements: Vec<u8>) -> bool {
        report_panics();
        match offer::<I>(&actor) {
            Ok(offer) => (offer.check)(&requirements),
            Err(unknown) => fail(&unknown),
        }
    }

    fn create(actor: String) -> Result<u32, String> {
        report_panics();
        let actor = (offer::<I>(&actor)?.create)().map_err(Failure::into_reason)?;
        Ok(hosted().add(actor))
    }

    fn receive(handle: u32, sender: Address, name: String, bytes: Vec<u8>) -> bool {
        let mut hosted = hosted();
        let Some(Some(actor)) = hosted.actors.get_mut(handle as usize) else {
            fail("this instance has no such actor");
        };
        let mut cx = Context::new(Outside, outside::address_of(sender));
        let result = actor.receive(&AnyMessage::from_encoded(Encoded { name, bytes }), &mut cx);
        #[cfg(not(feature = "grants"))]
        library::end_lines();
        result.map_err(|failure| host::failed(&failure.into_reason())).is_ok()
    }

    fn discard(handle: u32) {
        let Hosted { actors, free } = &mut *hosted();
        if actors.get_mut(handle as usize).is_some_and(|actor| actor.take().is_some()) {
            free.push(handle);
        }
    }
}

fn hosted() -> std::sync::MutexGuard<'static, Hosted> {
    HOSTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tells the node why, then traps: for what has no error to return.
fn fail(reason: &str) -> ! {
    host::failed(reason);
    std::process::abort()
}

/// Hands the text of a panic to the node before the panic becomes a trap.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            #[cfg(not(feature = "grants"))]
            library::end_lines();
            host::failed(&["panicked: ", crate::failure::panic_text(info.payload())].concat());
        }));
    });
}

/// The capabilities of the node that a check is about.
struct Asked;

impl CapabilityView for Asked {
    fn value(&self, key: &str) -> Option<Value> {
        let bytes = host::capability(key)?;
        match encoding::decode(&bytes) {
            Ok(value) => Some(value),
            Err(error) => fail(&format!("a capability that does not decode: {error}")),
        }
    }
}
