//! An actor of an image with grants: whatever it waits for, no worker of the node waits with it.

use super::image::Image;
use super::instance::Instance;
use crate::wasm::accounts::Counted;
use odeon::host::Host;
use odeon::{Actor, Address, AnyMessage, Context, Encoded, Ending, Failure};
use parking_lot::Mutex;
use std::sync::Arc;

/// One actor, whose messages are handled elsewhere.
pub(super) struct Hosted {
    image: Arc<Image>,
    name: Arc<str>,
    /// None while a message has it, and where the next message has to build it.
    instance: Arc<Mutex<Option<Instance>>>,
    _counted: Counted,
}

/// A message, and what it is for.
struct Letter {
    image: Arc<Image>,
    name: Arc<str>,
    instance: Arc<Mutex<Option<Instance>>>,
    host: Arc<dyn Host>,
    sender: Address,
    message: Encoded,
}

impl Hosted {
    /// One that is built with its first message, unless it is built before.
    pub(super) fn new(image: &Arc<Image>, name: &Arc<str>) -> Self {
        let _counted = Counted::new(&image.accounts);
        Self { image: image.clone(), name: name.clone(), instance: Arc::default(), _counted }
    }

    /// Builds it, and waits for that.
    pub(super) fn build(&self) -> Result<(), Failure> {
        let (image, name) = (self.image.clone(), self.name.clone());
        let built = self.image.tasks.wait(async move { Instance::built(&image, &name).await });
        *self.instance.lock() = Some(built.unwrap_or_else(|| Err(stopping()))?);
        Ok(())
    }
}

impl Letter {
    async fn handle(self) -> Ending {
        let before = self.instance.lock().take();
        let mut instance = match before {
            Some(instance) => instance,
            None => match Instance::built(&self.image, &self.name).await {
                Ok(built) => built,
                Err(failure) => return Ending::Unbuilt(failure),
            },
        };
        let received = instance.receive(self.host, self.sender, &self.message).await;
        if !instance.is_broken() {
            *self.instance.lock() = Some(instance);
        }
        received.map_or_else(Ending::Failed, |()| Ending::Handled)
    }
}

impl Actor for Hosted {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let host = cx.host().clone();
        let letter = Letter {
            image: self.image.clone(),
            name: self.name.clone(),
            instance: self.instance.clone(),
            host: host.clone(),
            sender: cx.sender(),
            message: message.encode()?,
        };
        if let Some(end) = host.suspend() {
            self.image.tasks.spawn(async move { end.end(letter.handle().await) });
            return Ok(());
        }
        match self.image.tasks.wait(letter.handle()) {
            Some(Ending::Handled) => Ok(()),
            Some(Ending::Failed(failure) | Ending::Unbuilt(failure)) => Err(failure),
            None => Err(stopping()),
        }
    }
}

/// Why a task has ended without a result.
pub(super) fn stopping() -> Failure {
    Failure::passing("whoever served it is gone")
}
