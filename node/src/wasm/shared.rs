//! The one instance in which all actors of an image live whose manifest says `isolation = "image"`.
//!
//! Each actor has a number here and a handle in the instance. Calls take turns. A trap ends the instance and all that is
//! in it: it is let go of at once, and each of its actors is built in the next one when its next message comes. So is an
//! actor that another one creates while it handles a message, as no call leads into an instance that is in one.

use super::accounts::Counted;
use super::guest::Phase;
use super::image::Image;
use super::instance::Instance;
use hashbrown::HashMap;
use odeon::{Actor, AnyMessage, Context, Ending, Failure};
use parking_lot::{Mutex, MutexGuard};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the actors of an image share.
#[derive(Default)]
pub(super) struct Shared {
    living: Mutex<Option<Living>>,
    numbers: AtomicU64,
}

/// An instance that is whole, with at least one actor in it while nobody is inside.
struct Living {
    instance: Instance,
    handles: HashMap<u64, u32>,
}

thread_local! {
    /// Whether this thread is inside an instance that is shared, of whatever image.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// One actor of a shared instance, which may have to be built there yet.
pub(super) struct Tenant {
    image: Arc<Image>,
    name: Arc<str>,
    number: u64,
    _counted: Counted,
}

impl Tenant {
    /// Builds an actor of this name; later, where this thread is inside a shared instance.
    pub(super) fn new(image: &Arc<Image>, name: &Arc<str>) -> Result<Tenant, Failure> {
        let number = image.shared.numbers.fetch_add(1, Relaxed);
        let tenant =
            Tenant { image: image.clone(), name: name.clone(), number, _counted: Counted::new(&image.accounts) };
        if let Some(mut inside) = tenant.enter() {
            inside.handle()?;
        }
        Ok(tenant)
    }

    /// Waits for its turn. None where this thread is inside already.
    fn enter(&self) -> Option<Inside<'_>> {
        if IS_INSIDE.replace(true) {
            return None;
        }
        Some(Inside { tenant: self, living: self.image.shared.living.lock() })
    }
}

impl Actor for Tenant {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let Some(mut inside) = self.enter() else {
            return Err(Failure::new("an actor cannot handle a message while another one of its instance does"));
        };
        let unbuilt = match inside.handle() {
            Ok(handle) => return inside.receive(handle, message, cx),
            Err(failure) => failure,
        };
        drop(inside);
        match cx.host().suspend() {
            Some(message) => {
                message.end(Ending::Unbuilt(unbuilt));
                Ok(())
            }
            None => Err(unbuilt),
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        if let Some(mut inside) = self.enter() {
            inside.leave();
        }
    }
}

/// That it is an actor's turn.
struct Inside<'a> {
    tenant: &'a Tenant,
    living: MutexGuard<'a, Option<Living>>,
}

impl Inside<'_> {
    /// The actor's handle in the instance that is there now, where it is built if it is not yet.
    fn handle(&mut self) -> Result<u32, Failure> {
        let Tenant { image, name, number, .. } = self.tenant;
        let living = match &mut *self.living {
            Some(living) => living,
            none => {
                let instance = Instance::new(image, Phase::Apart, image.limits.message_ms)?;
                none.insert(Living { instance, handles: HashMap::new() })
            }
        };
        if let Some(handle) = living.handles.get(number) {
            return Ok(*handle);
        }
        let max = image.limits.shared_actors_max;
        if living.handles.len() >= max {
            return Err(Failure::new(format!(
                "the instance of its image has {max} actors, as many as it may (OD-177)"
            )));
        }
        living.instance.renew();
        let created = living.instance.create(name);
        match &created {
            Ok(handle) => {
                living.handles.insert(*number, *handle);
            }
            Err(failure) => self.settle(Some(failure)),
        }
        created
    }

    fn receive(&mut self, handle: u32, message: &AnyMessage, cx: &Context) -> Result<(), Failure> {
        let Some(living) = &mut *self.living else { unreachable!("the handle is of this instance") };
        let handled = living.instance.receive(handle, message, cx);
        if let Err(failure) = &handled {
            self.settle(Some(failure));
        }
        handled
    }

    /// Ends the actor.
    fn leave(&mut self) {
        let Some(living) = &mut *self.living else { return };
        let Some(handle) = living.handles.remove(&self.tenant.number) else { return };
        if living.handles.is_empty() {
            return self.settle(None);
        }
        living.instance.renew();
        if let Err(failure) = living.instance.discard(handle) {
            self.settle(Some(&failure));
        }
    }

    /// Lets go of an instance that is broken, or that nobody is in.
    fn settle(&mut self, failure: Option<&Failure>) {
        let Some(living) = &*self.living else { return };
        if living.instance.is_broken() {
            let (image, actors) = (&*self.tenant.image.hash, living.handles.len());
            let reason = failure.map_or("", Failure::reason);
            tracing::warn!(image, actors, reason, "a shared instance ended, with all actors in it");
        } else if !living.handles.is_empty() {
            return;
        }
        *self.living = None;
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        IS_INSIDE.set(false);
    }
}
