//! Promises of docs/conformance.md that need no more than a program, for actors of images in the engine that a node runs: the
//! same tests for each runtime, whose file says what its guests are.

use super::guests;
use odeon::system::{Alone, Endpoint, Envelope, Spawn, SpawnError, System};
use odeon::{
    ActorExitRequest, Address, AnyMessage, CapabilityMap, Definition, Incarnation, Level, Message, NodeId, NodeRef,
    PoisonMessage, Registry,
};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(60);

/// An image's actors by their name, and what keeps them runnable.
pub(super) struct Guests {
    pub(super) name: &'static str,
    pub(super) definition: Box<dyn Fn(&str) -> Definition>,
}

/// A system, and somebody outside of it who asks.
struct Rig {
    system: System,
    alone: Arc<Alone>,
    me: Endpoint,
    answers: Receiver<Envelope>,
    guests: Guests,
}

fn each(run: impl Fn(&Rig)) {
    for guests in guests() {
        println!("{}", guests.name);
        let alone = Arc::new(Alone::new(Registry::new(), CapabilityMap::new(), Level::Error));
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let system = System::start(node, 2, alone.clone());
        let (put, answers) = channel();
        let put = Mutex::new(put);
        let me = system.endpoint(Box::new(move |envelope| drop(put.lock().unwrap().send(envelope)))).unwrap();
        let rig = Rig { system, alone, me, answers, guests };
        run(&rig);
        assert!(rig.system.shutdown(BOUND), "these did not exit: {:?}", rig.system.actors());
    }
}

impl Rig {
    fn try_create(&self, name: &str, global_name: Option<&str>) -> Result<Address, SpawnError> {
        let definition = (self.guests.definition)(name);
        let global_name = global_name.map(str::to_owned);
        self.system.spawn(Spawn { definition, parent: None, global_name, address: None })
    }

    fn create(&self, name: &str) -> Address {
        self.try_create(name, None).unwrap()
    }

    fn tell(&self, to: Address, message: impl Message) {
        self.system.deliver(Envelope { to, sender: self.me.address(), message: AnyMessage::new(message) });
    }

    fn next(&self) -> Envelope {
        self.answers.recv_timeout(BOUND).unwrap()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < BOUND, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn count() -> String {
    "count".to_owned()
}

#[test]
fn an_actor_handles_one_message_at_a_time_and_in_order() {
    each(|rig| {
        let rogues = [rig.create("Rogue"), rig.create("Rogue")];
        for n in 0..200 {
            rig.tell(rogues[n % 2], count());
        }
        let mut counted = [0i64; 2];
        for _ in 0..200 {
            let answer = rig.next();
            let which = usize::from(answer.sender == rogues[1]);
            counted[which] += 1;
            assert_eq!(answer.message.get::<i64>(), Some(&counted[which]));
        }
        assert_eq!(counted, [100, 100]);
    });
}

#[test]
fn a_message_that_fails_is_given_twice_and_comes_back_as_poison_and_the_next_one_is_handled_by_a_new_actor() {
    each(|rig| {
        let rogue = rig.create("Rogue");
        for what in ["count", "count", "fail", "count"] {
            rig.tell(rogue, what.to_owned());
        }
        for counted in [1i64, 2] {
            assert_eq!(rig.next().message.get::<i64>(), Some(&counted));
        }
        let answer = rig.next();
        let poison = answer.message.get::<PoisonMessage>().unwrap();
        assert_eq!(poison.actor, rogue);
        assert!(poison.details.ends_with("told to fail"), "{}", poison.details);
        assert_eq!(AnyMessage::from_encoded(poison.message.clone()).get::<String>().unwrap(), "fail");
        assert_eq!(rig.next().message.get::<i64>(), Some(&1), "the actor is another one");
    });
}

#[test]
fn an_actor_that_fails_for_ever_does_not_disturb_another() {
    each(|rig| {
        let (bad, good) = (rig.create("Rogue"), rig.create("Rogue"));
        for _ in 0..20 {
            rig.tell(bad, "fail".to_owned());
            rig.tell(good, count());
        }
        let (mut poisoned, mut counted) = (0, 0i64);
        while poisoned < 20 || counted < 20 {
            let answer = rig.next();
            if answer.sender == bad {
                assert!(answer.message.is::<PoisonMessage>());
                poisoned += 1;
            } else {
                counted += 1;
                assert_eq!(answer.message.get::<i64>(), Some(&counted));
            }
        }
    });
}

#[test]
fn an_actor_that_is_asked_to_exit_is_gone_and_what_it_is_sent_is_a_dead_letter() {
    each(|rig| {
        let (rogue, other) = (rig.create("Rogue"), rig.create("Rogue"));
        rig.tell(rogue, count());
        rig.next();
        rig.tell(rogue, ActorExitRequest::default());
        rig.until("it is gone", || rig.system.status(rogue).is_none());
        let before = rig.alone.dead_letters();
        rig.tell(rogue, count());
        assert_eq!(rig.alone.dead_letters() - before, 1);
        rig.tell(other, count());
        let answer = rig.next();
        assert_eq!((answer.sender, answer.message.get::<i64>()), (other, Some(&1)));
    });
}

#[test]
fn a_constructor_that_fails_leaves_nothing_and_its_name_is_free() {
    each(|rig| {
        let error = rig.try_create("ConstructorFails", Some("the one")).unwrap_err();
        assert!(matches!(&error, SpawnError::Constructor { reason, .. } if reason.ends_with("not today")), "{error}");
        assert_eq!((rig.system.count(), rig.system.named("the one")), (0, None));
        let rogue = rig.try_create("Rogue", Some("the one")).unwrap();
        assert_eq!(rig.system.named("the one"), Some(rogue));
        let taken = rig.try_create("Rogue", Some("the one")).unwrap_err();
        assert_eq!(taken, SpawnError::NameTaken { name: "the one".to_owned(), by: rogue });
    });
}
