//! An image that is revoked: nothing is created from it here any more, and its actors may have to exit.

use super::Hosting;
use odeon::system::Envelope;
use odeon::{ActorExitRequest, AnyMessage};

impl Hosting {
    /// Nothing is created from the image once this returns. What was being created is there by then: so if its actors
    /// are to `end`, all that there will ever be are asked to exit. Waits for constructors, which the runtime bounds.
    pub(crate) fn revoke_image(&self, hash: &str, end: bool) {
        self.definitions.revoke(hash);
        if !end {
            return;
        }
        let actors = self.system().actors();
        let of_image = actors.iter().filter(|actor| actor.image.as_deref() == Some(hash));
        for actor in of_image.map(|actor| actor.address) {
            let message = AnyMessage::new(ActorExitRequest::default());
            self.system().deliver(Envelope { to: actor, sender: self.nobody(), message });
        }
    }
}
