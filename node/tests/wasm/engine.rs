//! Actors of images in the real engine, on worker threads.

use super::{CODE, HASH, HELLO, ROGUES, told};
use odeon::simulate::{Simulation, replay};
use odeon::system::{ActorSystem, Alone, Endpoint, Envelope, Spawn, System};
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

#[test]
fn the_actors_of_an_image_run_in_a_simulation_in_which_a_seed_is_one_run() {
    let mut registry = Registry::new();
    CODE.load(HASH, &ROGUES).unwrap().into_iter().for_each(|definition| registry.add(definition));
    let simulation = Simulation::new(registry).crashes(0.05);
    let program = |system: &ActorSystem| {
        let rogue = system.create_named("Rogue").map_err(|error| error.to_string())?;
        for what in ["count", "count", "panic", "count"] {
            system.tell(rogue, what.to_owned());
        }
        let mut heard = 0;
        while system.listen(Duration::from_secs(1)).is_some() {
            heard += 1;
        }
        if heard >= 4 { Ok(()) } else { Err(format!("{heard} of four answers")) }
    };
    for seed in 0..20 {
        let run = replay(seed, &simulation, program);
        assert_eq!(run.failure, None, "seed {seed}:\n{}", run.trace);
        assert_eq!(replay(seed, &simulation, program), run, "seed {seed}");
    }
}
