//! One instance of a component: an actor, or a check.

use super::bindings::exports::odeon::actor::actors::Definition;
use super::bindings::{self, odeon::actor::types};
use super::guest::{Breach, Guest, Phase, reason, size};
use super::host::words_of;
use super::image::Image;
use super::limits::WasmLimits;
use odeon::{Actor, Address, AnyMessage, Context, Failure};
use std::sync::Arc;
use wasmtime::{Store, Trap};

/// An instance with its store. After a trap it is broken: whoever holds it builds another.
pub(super) struct Instance {
    store: Store<Guest>,
    exports: bindings::Image,
    /// Milliseconds of each call.
    call_ms: u64,
    broken: bool,
}

impl Instance {
    /// Makes an instance, whose own start counts as part of its first call's time.
    pub(super) fn new(image: &Arc<Image>, phase: Phase, call_ms: u64) -> Result<Instance, Failure> {
        let mut store = Store::new(image.pre.engine(), Guest::new(image.hash.clone(), image.limits, phase));
        store.limiter(|guest| guest);
        store.set_hostcall_fuel(image.limits.outgoing_bytes_max);
        store.epoch_deadline_trap();
        store.set_epoch_deadline(WasmLimits::ticks(call_ms));
        match image.pre.instantiate(&mut store) {
            Ok(exports) => Ok(Instance { store, exports, call_ms, broken: false }),
            Err(error) => Err(explained(store.data_mut(), call_ms, &error)),
        }
    }

    /// The actors that the image says it has.
    pub(super) fn describe(&mut self) -> Result<Vec<Definition>, Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_describe(store))
    }

    /// Whether the actor's check accepts the capabilities that the instance's phase reads.
    pub(super) fn check(&mut self, actor: &str, requirements: &[u8]) -> Result<bool, Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_check(store, actor, requirements))
    }

    /// Makes the instance the actor of this name.
    pub(super) fn create(&mut self, actor: &str) -> Result<(), Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_create(store, actor))?
            .map_err(|error| Failure::new(reason(&error)))
    }

    fn message(&mut self, sender: Address, message: &AnyMessage) -> Result<(), Failure> {
        let encoded = message.encode()?;
        let sender: types::Address = words_of(sender);
        self.call(|exports, store| {
            exports.odeon_actor_actors().call_receive(store, sender, &encoded.name, &encoded.bytes)
        })?
        .map_err(|error| Failure::new(reason(&error)))
    }

    /// A call into the instance. When it traps the instance is broken.
    fn call<R>(
        &mut self,
        call: impl FnOnce(&bindings::Image, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        let outcome = call(&self.exports, &mut self.store);
        self.store.data_mut().end();
        outcome.map_err(|error| {
            self.broken = true;
            explained(self.store.data_mut(), self.call_ms, &error)
        })
    }
}

impl Actor for Instance {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if self.broken {
            return Err(Failure::new("the instance is broken since it failed, and has to be built again"));
        }
        self.store.data_mut().begin(Phase::Message(cx.host().clone()));
        self.store.set_epoch_deadline(WasmLimits::ticks(self.call_ms));
        self.message(cx.sender(), message)
    }
}

/// Why an instance trapped, in the words of whoever reads it: what it said itself, else which bound it broke.
pub(super) fn explained(guest: &mut Guest, call_ms: u64, error: &wasmtime::Error) -> Failure {
    if let Some(said) = guest.failure.take() {
        return Failure::new(said);
    }
    if let Some(breach) = error.downcast_ref::<Breach>() {
        return Failure::new(reason(&breach.0));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return Failure::new(format!("took longer than {call_ms} ms")),
        Some(Trap::StackOverflow) => return Failure::new("used up its stack"),
        // A component's own stack lies at the start of its memory, so that running over its end is a trap.
        Some(Trap::MemoryOutOfBounds) => return Failure::new("used up its stack, or reached outside of its memory"),
        _ => {}
    }
    if guest.memory_refused {
        return Failure::new(format!("asked for more than {} of memory", size(guest.limits.memory_bytes_max)));
    }
    Failure::new(reason(&format!("trapped: {error:#}")).to_owned())
}
