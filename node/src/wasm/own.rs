//! An actor that has an instance of its own.

use super::accounts::Counted;
use super::guest::Phase;
use super::image::Image;
use super::instance::Instance;
use odeon::{Actor, AnyMessage, Context, Failure};
use std::sync::Arc;

/// An instance with one actor in it. After a trap it is broken: whoever holds it builds another.
pub(super) struct Own {
    instance: Instance,
    handle: u32,
    _counted: Counted,
}

impl Own {
    /// Builds an actor of this name.
    pub(super) fn new(image: &Arc<Image>, actor: &str) -> Result<Own, Failure> {
        let mut instance = Instance::new(image, Phase::Apart, image.limits.message_ms)?;
        let handle = instance.create(actor)?;
        Ok(Own { instance, handle, _counted: Counted::new(&image.accounts) })
    }
}

impl Actor for Own {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if self.instance.is_broken() {
            return Err(Failure::new("the instance is broken since it failed, and has to be built again"));
        }
        self.instance.receive(self.handle, message, cx)
    }
}
