//! The actor that is handed what could not be delivered, if there is one.

use super::core::Core;
use super::limits::MAILBOX_MESSAGES_HIGH;
use super::outside::Envelope;
use crate::{Address, AnyMessage, ChildActorExited, DeadLetter, Message};
use parking_lot::Mutex;

/// Letters that never go to the handler: they could go round in a circle, or are told in another way.
const NEVER: [&str; 2] = [DeadLetter::NAME, ChildActorExited::NAME];

#[derive(Default)]
pub(super) struct Letters(Mutex<Option<Address>>);

impl Letters {
    /// The last actor that asks is the handler. Only the handler itself ends that.
    pub(super) fn handle(&self, by: Address, on: bool) {
        let mut handler = self.0.lock();
        match on {
            true => *handler = Some(by),
            false if *handler == Some(by) => *handler = None,
            false => {}
        }
    }
}

impl Core {
    /// Hands a dead letter to the handler. One that is behind misses it: whoever cannot deliver must not wait.
    pub(super) fn hand_dead_letter(&self, letter: &Envelope) {
        let Some(handler) = *self.letters.0.lock() else { return };
        if letter.to == handler || NEVER.contains(&letter.message.name()) {
            return;
        }
        let Some(cell) = self.find(&handler) else { return self.letters.handle(handler, false) };
        if cell.mailbox.lock().len() <= MAILBOX_MESSAGES_HIGH {
            let Envelope { to, sender, message } = letter.clone();
            let message = AnyMessage::new(DeadLetter { to, sender, message });
            let _ = self.post(&handler, &handler, message);
        }
    }
}
