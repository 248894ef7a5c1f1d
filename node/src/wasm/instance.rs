//! One instance of a component: an actor, or a check.

use super::accounts::Cause;
use super::bindings::exports::odeon::actor::actors::Definition;
use super::bindings::{self, odeon::actor::types};
use super::guest::{Breach, Guest, Phase, reason, size};
use super::host::words_of;
use super::image::Image;
use super::limits::WasmLimits;
use super::ticker::Ticker;
use odeon::{Address, AnyMessage, Context, Failure};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::{Store, Trap};

/// Bytes of a buffer that is kept for the next message at most.
const SPARE_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// A buffer that the last message was encoded in.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An instance with its store. After a trap it is broken: whoever holds it builds another.
pub(super) struct Instance {
    store: Store<Guest>,
    exports: bindings::Image,
    /// Milliseconds of each call.
    call_ms: u64,
    broken: bool,
    /// An actor may be there for longer than its image's definitions, and is to be cut off all the same.
    _ticker: Arc<Ticker>,
}

impl Instance {
    /// Makes an instance, whose own start counts as part of its first call's time.
    pub(super) fn new(image: &Arc<Image>, phase: Phase, call_ms: u64) -> Result<Instance, Failure> {
        let mut store =
            Store::new(image.pre.engine(), Guest::new(image.hash.clone(), image.limits, image.accounts.clone(), phase));
        store.limiter(|guest| guest);
        store.set_hostcall_fuel(image.limits.outgoing_bytes_max);
        store.epoch_deadline_trap();
        store.set_epoch_deadline(WasmLimits::ticks(call_ms));
        let started = Instant::now();
        let instantiated = image.pre.instantiate(&mut store);
        image.accounts.worked(started.elapsed());
        match instantiated {
            Ok(exports) => Ok(Instance { store, exports, call_ms, broken: false, _ticker: image.ticker.clone() }),
            Err(error) => Err(failed(store.data_mut(), call_ms, &error)),
        }
    }

    /// Whether it trapped, and can do nothing any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The actors that the image says it has.
    pub(super) fn describe(&mut self) -> Result<Vec<Definition>, Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_describe(store))
    }

    /// Whether the actor's check accepts the capabilities that the instance's phase reads.
    pub(super) fn check(&mut self, actor: &str, requirements: &[u8]) -> Result<bool, Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_check(store, actor, requirements))
    }

    /// Begins another call of an instance that has had one, apart from any message.
    pub(super) fn renew(&mut self) {
        self.store.data_mut().begin(Phase::Apart);
        self.store.set_epoch_deadline(WasmLimits::ticks(self.call_ms));
    }

    /// Builds an actor of this name in the instance, and gives its handle there.
    pub(super) fn create(&mut self, actor: &str) -> Result<u32, Failure> {
        let created = self.call(|exports, store| exports.odeon_actor_actors().call_create(store, actor))?;
        created.map_err(|error| self.said(&error))
    }

    /// Drops an actor.
    pub(super) fn discard(&mut self, handle: u32) -> Result<(), Failure> {
        self.call(|exports, store| exports.odeon_actor_actors().call_discard(store, handle))
    }

    /// Has an actor handle a message.
    pub(super) fn receive(&mut self, handle: u32, message: &AnyMessage, cx: &Context) -> Result<(), Failure> {
        let guest = self.store.data_mut();
        guest.begin(Phase::Message(cx.host().clone()));
        guest.accounts.received();
        self.store.set_epoch_deadline(WasmLimits::ticks(self.call_ms));
        self.message(handle, cx.sender(), message)
    }

    fn message(&mut self, handle: u32, sender: Address, message: &AnyMessage) -> Result<(), Failure> {
        let mut kept = SPARE.take();
        kept.clear();
        let bytes = message.encode_after(kept)?;
        let sender: types::Address = words_of(sender);
        let handled = self.call(|exports, store| {
            exports.odeon_actor_actors().call_receive(store, handle, sender, message.name(), &bytes)
        });
        if bytes.capacity() <= SPARE_BYTES_MAX {
            SPARE.set(bytes);
        }
        if handled? { Ok(()) } else { Err(said_while_handling(self.store.data_mut())) }
    }

    /// The failure that the actor itself gives as its answer.
    fn said(&self, error: &str) -> Failure {
        self.store.data().accounts.failed(Cause::Said);
        Failure::new(reason(error))
    }

    /// A call into the instance. When it traps the instance is broken.
    fn call<R>(
        &mut self,
        call: impl FnOnce(&bindings::Image, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        let started = Instant::now();
        let outcome = call(&self.exports, &mut self.store);
        let guest = self.store.data_mut();
        guest.accounts.worked(started.elapsed());
        guest.end();
        outcome.map_err(|error| {
            self.broken = true;
            failed(self.store.data_mut(), self.call_ms, &error)
        })
    }
}

/// The failure that an actor has given, with its reason, as what came of a message.
pub(super) fn said_while_handling(guest: &mut Guest) -> Failure {
    guest.accounts.failed(Cause::Said);
    Failure::new(reason(&guest.failure.take().unwrap_or_else(|| "it said nothing of why".to_owned())))
}

/// Counts a trap, and says why it was.
pub(super) fn failed(guest: &mut Guest, call_ms: u64, error: &wasmtime::Error) -> Failure {
    let (cause, failure) = explained(guest, call_ms, error);
    guest.accounts.failed(cause);
    failure
}

/// Why an instance trapped, in the words of whoever reads it: what it said itself, else which bound it broke.
fn explained(guest: &mut Guest, call_ms: u64, error: &wasmtime::Error) -> (Cause, Failure) {
    if let Some(said) = guest.failure.take() {
        return (Cause::Trap, Failure::new(said));
    }
    if let Some(breach) = error.downcast_ref::<Breach>() {
        let cause = if guest.overspent { Cause::Calls } else { Cause::Trap };
        return (cause, Failure::new(reason(&breach.0)));
    }
    let trap = |reason: &str| (Cause::Trap, Failure::new(reason));
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return (Cause::Time, Failure::late(format!("took longer than {call_ms} ms"))),
        Some(Trap::StackOverflow) => return trap("used up its stack"),
        // A component's own stack lies at the start of its memory, so that running over its end is a trap.
        Some(Trap::MemoryOutOfBounds) => return trap("used up its stack, or reached outside of its memory"),
        _ => {}
    }
    if guest.memory_refused {
        let max = size(guest.limits.memory_bytes_max);
        return (Cause::Memory, Failure::new(format!("asked for more than {max} of memory")));
    }
    trap(reason(&format!("trapped: {error:#}")))
}
