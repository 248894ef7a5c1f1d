//! What actors here watch in the convention: what they ask for goes to the driver, what it hears comes back to them.
//!
//! Who watches what is known to the member machine, so that whom something is told and what was told before are never
//! of two minds. A notification comes from the actor's own address; one for an actor that is gone is nobody's loss.

use super::Hosting;
use hashbrown::HashMap;
use odeon::system::Envelope;
use odeon::{
    Address, AnyMessage, ImageAvailable, ImageUnavailable, Level, MemberChanged, MemberJoined, MemberLost, Topic,
};
use odeon_convention::watching::{ImageEntry, MemberEntry, News};

/// What actors asked for since the driver looked last: for each and each topic its last word, and whether it began
/// anew, so that it is told everything again.
#[derive(Default)]
pub(crate) struct Watches(HashMap<(Address, Topic), Last>);

#[derive(Clone, Copy, PartialEq)]
enum Last {
    On,
    Off,
    OffAndOn,
}

impl Watches {
    fn add(&mut self, by: Address, topic: Topic, on: bool) {
        let before = self.0.get(&(by, topic)).copied();
        let last = match (before, on) {
            (_, false) => Last::Off,
            (Some(Last::Off | Last::OffAndOn), true) => Last::OffAndOn,
            (Some(Last::On) | None, true) => Last::On,
        };
        self.0.insert((by, topic), last);
    }

    /// Who, what, and whether it is to be told, in an order in which the last word of each comes last.
    pub(crate) fn into_words(self) -> impl Iterator<Item = (Address, Topic, bool)> {
        self.0.into_iter().flat_map(|((by, topic), last)| {
            let words: &[bool] = match last {
                Last::On => &[true],
                Last::Off => &[false],
                Last::OffAndOn => &[false, true],
            };
            words.iter().map(move |on| (by, topic, *on))
        })
    }
}

impl Hosting {
    pub(super) fn watch(&self, by: Address, topic: Topic, on: bool) {
        self.kept.lock().watches.add(by, topic, on);
        self.kept_changed.notify_one();
    }

    /// Tells actors what they watch, each in this order.
    pub(crate) fn tell_news(&self, to: &[Address], news: Vec<News>) {
        for message in news.into_iter().map(message_of) {
            for actor in to {
                let envelope = Envelope { to: *actor, sender: *actor, message: message.clone() };
                let _ = self.system().try_deliver(envelope);
            }
        }
    }

    /// An actor will not be told what it asked for.
    pub(crate) fn watch_refused(&self, by: Address, reason: &str) {
        if let Some(actor) = self.system().status(by) {
            self.log.line(by, &actor.actor, actor.image.as_deref(), Level::Warn, reason);
        }
    }
}

fn message_of(news: News) -> AnyMessage {
    match news {
        News::Joined(MemberEntry { node, name, listen, capabilities }) => {
            AnyMessage::new(MemberJoined { node, name, listen, capabilities })
        }
        News::Lost { node, name, reason } => AnyMessage::new(MemberLost { node, name, reason }),
        News::Changed { member: MemberEntry { node, name, listen: _, capabilities }, keys } => {
            AnyMessage::new(MemberChanged { node, name, capabilities, changed: keys })
        }
        News::Available(ImageEntry { hash, name, version }) => {
            AnyMessage::new(ImageAvailable { hash: hash.to_string(), name, version })
        }
        News::Unavailable(ImageEntry { hash, name, version }) => {
            AnyMessage::new(ImageUnavailable { hash: hash.to_string(), name, version })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId, NodeRef};

    fn words(asked: &[bool]) -> Vec<bool> {
        let by = Address::mint(NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) }, 1, 1);
        let mut watches = Watches::default();
        for on in asked {
            watches.add(by, Topic::Images, *on);
        }
        watches.into_words().map(|(_, _, on)| on).collect()
    }

    #[test]
    fn however_often_an_actor_changes_its_mind_the_driver_hears_two_words_at_most() {
        assert_eq!(words(&[true]), [true]);
        assert_eq!(words(&[true, true]), [true]);
        assert_eq!(words(&[true, false]), [false]);
        assert_eq!(words(&[false, true]), [false, true]);
        assert_eq!(words(&[true, false, true]), [false, true]);
        assert_eq!(words(&[false, true, true, false]), [false]);
        assert_eq!(words(&[false, true, false, true, true]), [false, true]);
    }
}
