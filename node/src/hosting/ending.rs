//! An image that is to have no actors any more: those that run from it are asked to exit.

use super::Hosting;
use hashbrown::{HashMap, HashSet};
use odeon::system::Envelope;
use odeon::{ActorExitRequest, Address, AnyMessage};
use parking_lot::Mutex;

/// By image: the actors that are left and were asked. One that takes long is not asked again at every look.
#[derive(Default)]
pub(super) struct Asked(Mutex<HashMap<String, HashSet<Address>>>);

impl Hosting {
    /// Asks every actor of the image to exit with its children, each once. Gives how many are left.
    pub(crate) fn ask_image_to_exit(&self, hash: &str) -> usize {
        let actors = self.system().actors();
        let of_image = actors.iter().filter(|actor| actor.image.as_deref() == Some(hash));
        let left: HashSet<Address> = of_image.map(|actor| actor.address).collect();
        let mut asked = self.asked.0.lock();
        let before = asked.remove(hash).unwrap_or_default();
        for actor in left.difference(&before) {
            let message = AnyMessage::new(ActorExitRequest::default());
            self.system().deliver(Envelope { to: *actor, sender: self.nobody(), message });
        }
        let count = left.len();
        if count > 0 {
            asked.insert(hash.to_owned(), left);
        }
        count
    }
}
