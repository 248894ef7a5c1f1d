//! Actors with grants in the real engine, on worker threads that others need as well.

use super::{Node, Peer};
use odeon::system::{Alone, Endpoint, Envelope, Spawn, System};
use odeon::{Address, AnyMessage, CapabilityMap, Incarnation, Level, NodeId, NodeRef, PoisonMessage, Registry};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Many more than there are workers.
const SILENT: usize = 40;

struct Rig {
    system: System,
    asker: Endpoint,
    answers: Receiver<AnyMessage>,
    node: Node,
}

impl Rig {
    fn new(node: Node) -> Self {
        let mut registry = Registry::new();
        registry.add(node.definition("Reacher"));
        let id = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let system = System::start(id, 2, Arc::new(Alone::new(registry, CapabilityMap::new(), Level::Error)));
        let (put, answers) = channel();
        let put = std::sync::Mutex::new(put);
        let asker = system.endpoint(Box::new(move |e: Envelope| put.lock().unwrap().send(e.message).unwrap())).unwrap();
        Self { system, asker, answers, node }
    }

    fn spawn(&self) -> Address {
        let definition = self.node.definition("Reacher");
        self.system.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap()
    }

    fn tell(&self, to: Address, what: &str) {
        let message = AnyMessage::new(what.to_owned());
        self.system.deliver(Envelope { to, sender: self.asker.address(), message });
    }

    fn hear(&self) -> AnyMessage {
        self.answers.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

#[test]
fn connections_that_never_answer_hold_up_nobody_and_end_with_the_time_of_their_message() {
    let silent = Peer::that_is_silent();
    let rig = Rig::new(Node::new().outbound(&silent.address()));
    let waiting: Vec<Address> = (0..SILENT).map(|_| rig.spawn()).collect();
    let other = rig.spawn();
    let started = Instant::now();
    for actor in &waiting {
        rig.tell(*actor, &format!("ask {}", silent.address()));
    }
    // Forty messages of half a second, each given twice, would keep two workers for twenty seconds.
    for count in 1..=3_i64 {
        rig.tell(other, "count");
        assert_eq!(rig.hear().get::<i64>(), Some(&count), "before any other ends");
    }
    let answered = started.elapsed();
    let mut failed: Vec<Address> = Vec::new();
    for _ in 0..SILENT {
        let poison = rig.hear();
        let poison = poison.get::<PoisonMessage>().unwrap();
        assert!(poison.details.contains("took longer than 500 ms"), "{poison:?}");
        failed.push(poison.actor);
    }
    assert!(started.elapsed() < Duration::from_secs(12), "{answered:?}, {:?}", started.elapsed());
    failed.sort();
    let mut expected = waiting.clone();
    expected.sort();
    assert_eq!(failed, expected);
    rig.tell(waiting[0], "count");
    assert_eq!(rig.hear().get::<i64>(), Some(&1), "it was built anew");
    assert!(rig.system.shutdown(Duration::from_secs(10)));
}

#[test]
fn a_system_ends_while_its_actors_wait() {
    let silent = Peer::that_is_silent();
    let rig = Rig::new(Node::new().outbound(&silent.address()));
    let actor = rig.spawn();
    rig.tell(actor, &format!("ask {}", silent.address()));
    let started = Instant::now();
    assert!(rig.system.shutdown(Duration::from_secs(10)));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
