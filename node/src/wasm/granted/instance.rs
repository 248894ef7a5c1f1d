//! One instance of a component with grants: an actor, or a check. Its calls are futures; one that is dropped, as its time
//! is over, leaves it broken.

use super::bindings;
use super::bindings::exports::odeon::actor::actors::Definition;
use super::image::Image;
use super::inside::{Inside, Outside};
use crate::grants::Reach;
use crate::wasm::accounts::Cause;
use crate::wasm::guest::{Guest, Phase, reason};
use crate::wasm::host::words_of;
use crate::wasm::instance;
use odeon::host::Host;
use odeon::{Address, Encoded, Failure};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;

/// Ticks after which an instance that computes lets others compute.
const TURN_TICKS: u64 = 1;

/// An instance with its store. After a trap it is broken: whoever holds it makes another.
pub(super) struct Instance {
    store: Store<Inside>,
    exports: bindings::Image,
    /// When the call that runs, or the next, has to have ended.
    deadline: Instant,
    call_ms: u64,
    /// The actor that was built in it.
    handle: u32,
    is_broken: bool,
}

impl Instance {
    /// Makes one that reaches nothing: to describe, and to check, which is remembered by what it was told.
    pub(super) async fn alone(image: &Arc<Image>, phase: Phase) -> Result<Self, Failure> {
        let deadline = after(image.limits.check_ms);
        Self::new(image, phase, Outside::new(Reach::default())?, image.limits.check_ms, deadline).await
    }

    /// Makes the actor of this name, which reaches what its image is granted.
    pub(super) async fn built(image: &Arc<Image>, actor: &str) -> Result<Self, Failure> {
        let call_ms = image.limits.message_ms;
        let (deadline, access) = (after(call_ms), image.access.clone());
        let open = move || {
            let reach = access.allowed.reach(&access.asks).map_err(|error| Failure::new(error.to_string()))?;
            Outside::new(reach)
        };
        // A folder may be on a disk that does not answer.
        let opened = timeout_at(deadline, tokio::task::spawn_blocking(open)).await.map_err(|_| late(call_ms))?;
        let outside = opened.map_err(|error| Failure::new(error.to_string()))??;
        let mut instance = Self::new(image, Phase::Apart, outside, call_ms, deadline).await?;
        let created = instance.exports.odeon_actor_actors().call_create(&mut instance.store, actor);
        let (began, created) = (Instant::now(), timeout_at(deadline, created).await);
        instance.handle = instance.finish(began, created)?.map_err(|error| instance.said(&error))?;
        Ok(instance)
    }

    async fn new(
        image: &Arc<Image>,
        phase: Phase,
        outside: Outside,
        call_ms: u64,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let inside = Inside::new(Guest::new(image.hash.clone(), image.limits, image.accounts.clone(), phase), outside);
        let mut store = Store::new(image.pre.engine(), inside);
        store.limiter(|inside| &mut inside.guest);
        store.set_hostcall_fuel(image.limits.outgoing_bytes_max);
        store.epoch_deadline_async_yield_and_update(TURN_TICKS);
        store.set_epoch_deadline(TURN_TICKS);
        let began = Instant::now();
        let made = timeout_at(deadline, image.pre.instantiate_async(&mut store)).await;
        let exports = match made {
            Ok(Ok(exports)) => exports,
            failed => outcome(&mut store, call_ms, began, failed)?,
        };
        store.data().guest.accounts.worked(began.elapsed());
        Ok(Self { store, exports, deadline, call_ms, handle: 0, is_broken: false })
    }

    /// The actors that the image says it has.
    pub(super) async fn describe(&mut self) -> Result<Vec<Definition>, Failure> {
        let described = self.exports.odeon_actor_actors().call_describe(&mut self.store);
        let (began, described) = (Instant::now(), timeout_at(self.deadline, described).await);
        self.finish(began, described)
    }

    /// Whether the actor's check accepts the capabilities that the instance's phase reads.
    pub(super) async fn check(&mut self, actor: &str, requirements: &[u8]) -> Result<bool, Failure> {
        let checked = self.exports.odeon_actor_actors().call_check(&mut self.store, actor, requirements);
        let (began, checked) = (Instant::now(), timeout_at(self.deadline, checked).await);
        self.finish(began, checked)
    }

    /// Gives the actor a message.
    pub(super) async fn receive(
        &mut self,
        host: Arc<dyn Host>,
        sender: Address,
        message: &Encoded,
    ) -> Result<(), Failure> {
        let guest = &mut self.store.data_mut().guest;
        guest.begin(Phase::Message(host));
        guest.accounts.received();
        self.deadline = after(self.call_ms);
        let actors = self.exports.odeon_actor_actors();
        let received =
            actors.call_receive(&mut self.store, self.handle, words_of(sender), &message.name, &message.bytes);
        let (began, received) = (Instant::now(), timeout_at(self.deadline, received).await);
        let handled = self.finish(began, received)?;
        if handled { Ok(()) } else { Err(instance::said_while_handling(&mut self.store.data_mut().guest)) }
    }

    /// Whether nothing more can be asked of it.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The failure that the actor itself gives as its answer.
    fn said(&self, error: &str) -> Failure {
        self.store.data().guest.accounts.failed(Cause::Said);
        Failure::new(reason(error))
    }

    fn finish<R>(&mut self, began: Instant, ended: Result<wasmtime::Result<R>, Elapsed>) -> Result<R, Failure> {
        let outcome = outcome(&mut self.store, self.call_ms, began, ended);
        self.is_broken = outcome.is_err();
        outcome
    }
}

/// How a call has ended, after which nothing of it is left.
fn outcome<R>(
    store: &mut Store<Inside>,
    call_ms: u64,
    began: Instant,
    ended: Result<wasmtime::Result<R>, Elapsed>,
) -> Result<R, Failure> {
    let inside = store.data_mut();
    inside.end();
    let accounts = inside.guest.accounts.clone();
    // Waiting counts: it is the time of the message.
    accounts.worked(began.elapsed());
    match ended {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) if error.is::<I32Exit>() => {
            accounts.failed(Cause::Trap);
            Err(Failure::new("ended its process, expected `exit` of its context"))
        }
        Ok(Err(error)) => Err(instance::failed(&mut inside.guest, call_ms, &error)),
        Err(_) => {
            accounts.failed(Cause::Time);
            Err(late(call_ms))
        }
    }
}

fn after(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

fn late(call_ms: u64) -> Failure {
    Failure::late(format!("took longer than {call_ms} ms"))
}
