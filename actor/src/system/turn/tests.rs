use super::*;
use crate::definition::{Definition, Registry};
use crate::host::Level;
use crate::system::{Alone, Envelope, Spawn, on_worker};
use crate::{Actor, Address, AnyMessage, CapabilityMap, Context, Failure, Incarnation, NodeId, NodeRef};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::ThreadId;
use std::time::Duration;

/// Says where it handles a message, which says how long that takes.
struct Teller {
    system: System,
    tell: Sender<Had>,
}

#[derive(Debug, PartialEq, Eq)]
struct Had {
    thread: ThreadId,
    as_worker: (bool, bool),
}

impl Had {
    fn here() -> Self {
        Self { thread: std::thread::current().id(), as_worker: (true, true) }
    }
}

impl Actor for Teller {
    fn receive(&mut self, message: &AnyMessage, _: &mut Context) -> Result<(), Failure> {
        if let Some(ms) = message.get::<i64>() {
            std::thread::sleep(Duration::from_millis(*ms as u64));
            let as_worker = (on_worker(), self.system.is_worker_thread());
            let _ = self.tell.send(Had { thread: std::thread::current().id(), as_worker });
        }
        Ok(())
    }
}

struct There {
    system: System,
    teller: Address,
    told: Receiver<Had>,
}

impl There {
    fn new() -> Self {
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let outside = Alone::new(Registry::new(), CapabilityMap::default(), Level::Error);
        let system = System::start(node, 1, Arc::new(outside));
        let (tell, told) = channel();
        let of_actor = system.clone();
        let build = move || Ok(Box::new(Teller { system: of_actor.clone(), tell: tell.clone() }) as Box<dyn Actor>);
        let definition = Definition {
            name: "teller".into(),
            required: Arc::new([]),
            image: None,
            build: Arc::new(build),
            check: Arc::new(|_, _| Ok(true)),
            waits: false,
        };
        let teller = system.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap();
        Self { system, teller, told }
    }

    fn tell(&self, ms: i64) {
        let message = AnyMessage::new(ms);
        self.system.deliver(Envelope { to: self.teller, sender: self.teller, message });
    }

    fn had(&self) -> Had {
        self.told.recv_timeout(Duration::from_secs(10)).expect("the message is handled")
    }

    /// Waits until the actor is idle: a turn ends after its last message.
    fn rests(&self) {
        let is_idle = || self.system.status(self.teller).unwrap().state == crate::system::ActorState::Idle;
        while !is_idle() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_caught_turn_is_had_on_the_thread_that_runs_it_which_counts_as_a_worker_meanwhile() {
    let there = There::new();
    let turn = there.system.catch_turn(|| there.tell(0)).expect("it was idle");
    assert!(there.told.recv_timeout(Duration::from_millis(50)).is_err(), "nobody else has the turn");
    turn.run();
    assert_eq!(there.had(), Had::here());
    assert!(!on_worker() && !there.system.is_worker_thread());
    // Outside of the catching it is the worker's.
    there.tell(0);
    assert_ne!(there.had().thread, Had::here().thread);
    there.system.shutdown(Duration::from_secs(10));
}

#[test]
fn a_turn_that_is_dropped_and_one_whose_catching_panics_are_had_by_a_worker() {
    let there = There::new();
    drop(there.system.catch_turn(|| there.tell(0)).expect("it was idle"));
    assert_ne!(there.had().thread, Had::here().thread);
    there.rests();
    let panicked = caught(|| {
        there.system.catch_turn(|| {
            there.tell(0);
            panic!("in the middle of it");
        })
    });
    assert!(panicked.is_err());
    assert_ne!(there.had().thread, Had::here().thread);
    there.system.shutdown(Duration::from_secs(10));
}

#[test]
fn only_the_first_actor_that_is_woken_is_caught_and_none_of_another_system() {
    let (there, elsewhere) = (There::new(), There::new());
    let turn = there.system.catch_turn(|| {
        elsewhere.tell(0);
        there.tell(0);
        there.tell(0);
    });
    assert_ne!(elsewhere.had().thread, Had::here().thread);
    turn.expect("it was idle").run();
    assert_eq!([there.had(), there.had()], [Had::here(), Had::here()]);
    for there in [there, elsewhere] {
        there.system.shutdown(Duration::from_secs(10));
    }
}

#[test]
fn after_a_long_turn_workers_have_the_next_ones_of_the_actor() {
    let there = There::new();
    there.system.catch_turn(|| there.tell(2)).expect("it was idle").run();
    assert_eq!(there.had(), Had::here());
    for _ in 0..TURNS_AFTER_A_LONG_ONE {
        assert!(there.system.catch_turn(|| there.tell(0)).is_none());
        assert_ne!(there.had().thread, Had::here().thread);
        there.rests();
    }
    there.system.catch_turn(|| there.tell(0)).expect("it was quick since").run();
    assert_eq!(there.had(), Had::here());
    there.system.shutdown(Duration::from_secs(10));
}

#[test]
fn a_stop_waits_for_a_turn_and_there_is_none_afterwards() {
    let there = There::new();
    let turn = there.system.catch_turn(|| there.tell(50)).expect("it was idle");
    let other = There::new();
    let late = other.system.catch_turn(|| other.tell(0)).expect("it was idle");
    std::thread::scope(|scope| {
        scope.spawn(|| turn.run());
        while there.system.status(there.teller).is_some_and(|s| s.state != crate::system::ActorState::Running) {
            std::thread::yield_now();
        }
        there.system.shutdown(Duration::ZERO);
        assert!(there.told.try_recv().is_ok(), "the stop came before the end of the turn");
    });
    other.system.shutdown(Duration::ZERO);
    late.run();
    assert!(other.told.try_recv().is_err());
}
