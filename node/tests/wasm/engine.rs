//! Actors of images in the real engine, on worker threads.

use super::{CODE, HASH, HELLO, ROGUES, told};
use odeon::system::{Alone, Endpoint, Envelope, Spawn, System};
use odeon::{
    Address, AnyMessage, CapabilityMap, Definition, Incarnation, Level, NodeId, NodeRef, PoisonMessage, Registry,
};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A system that offers these definitions, and somebody outside of it who asks.
pub(super) struct Rig {
    pub(super) system: System,
    asker: Endpoint,
    answers: Receiver<AnyMessage>,
}

impl Rig {
    pub(super) fn new(definitions: Vec<Definition>) -> Self {
        let mut registry = Registry::new();
        definitions.into_iter().for_each(|d| registry.add(d));
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let system = System::start(node, 2, Arc::new(Alone::new(registry, CapabilityMap::new(), Level::Error)));
        let (put, answers) = channel();
        let put = std::sync::Mutex::new(put);
        let asker = system.endpoint(Box::new(move |e: Envelope| put.lock().unwrap().send(e.message).unwrap())).unwrap();
        Self { system, asker, answers }
    }

    pub(super) fn spawn(&self, definition: Definition) -> Address {
        self.system.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap()
    }

    pub(super) fn ask(&self, to: Address, message: AnyMessage) -> AnyMessage {
        self.system.deliver(Envelope { to, sender: self.asker.address(), message });
        self.answers.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

#[test]
fn hello_creates_its_world_from_its_own_image_and_answers() {
    let definitions = CODE.load(&HASH.replace('0', "f"), &HELLO).unwrap();
    let hello = super::find(&definitions, "Hello");
    // A system alone resolves a child by its name; the image a child comes from is the node's to choose.
    let rig = Rig::new(definitions);
    let hello = rig.spawn(hello);
    assert_eq!(rig.ask(hello, told("are you there?")).get::<String>().unwrap(), "Hello, world!");
    assert!(rig.system.shutdown(Duration::from_secs(10)));
}

#[test]
fn an_actor_that_traps_is_rebuilt_tried_once_more_and_the_sender_told() {
    let definitions = CODE.load(HASH, &ROGUES).unwrap();
    let rogue = super::find(&definitions, "Rogue");
    let rig = Rig::new(definitions);
    let rogue = rig.spawn(rogue);
    assert_eq!(rig.ask(rogue, told("count")).get::<i64>(), Some(&1));
    assert_eq!(rig.ask(rogue, told("count")).get::<i64>(), Some(&2));
    for (what, why) in [
        ("panic", "panicked: told to panic after 0"),
        ("loop", "took longer than 300 ms"),
        ("allocate", "asked for more than 8 MiB of memory"),
    ] {
        let poison = rig.ask(rogue, told(what));
        let poison = poison.get::<PoisonMessage>().unwrap();
        assert!(poison.actor == rogue && poison.details.contains(why), "{poison:?}");
        assert_eq!(rig.ask(rogue, told("count")).get::<i64>(), Some(&1), "it was built anew");
    }
    assert!(rig.system.shutdown(Duration::from_secs(10)));
}
