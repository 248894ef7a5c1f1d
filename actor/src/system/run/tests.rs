use super::*;
use crate::definition::{Definition, Registry};
use crate::host::Level;
use crate::system::limits::MAILBOX_MESSAGES_HIGH;
use crate::system::{Alone, Envelope, Spawn, System};
use crate::{Actor, CapabilityMap, Context, Failure, Incarnation, NodeId, NodeRef};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Says what it is told. It fails on a negative number, and ends with zero.
struct Teller(Sender<i64>);

impl Actor for Teller {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let Some(&number) = message.get::<i64>() else { return Ok(()) };
        let _ = self.0.send(number);
        match number {
            0 => cx.exit(),
            ..0 => return Err(Failure::new("negative")),
            _ => {}
        }
        Ok(())
    }
}

struct There {
    outside: Arc<Alone>,
    system: System,
    teller: Address,
    told: Receiver<i64>,
}

/// Whom the messages are said to be from.
fn nobody() -> Address {
    Address::from_bytes([9; 32])
}

impl There {
    fn new() -> Self {
        let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
        let outside = Arc::new(Alone::new(Registry::new(), CapabilityMap::default(), Level::Error));
        let system = System::inline(node, outside.clone());
        let (tell, told) = channel();
        let definition = Definition {
            name: "teller".into(),
            required: Arc::new([]),
            image: None,
            build: Arc::new(move || Ok(Box::new(Teller(tell.clone())) as Box<dyn Actor>)),
            check: Arc::new(|_, _| Ok(true)),
            waits: false,
        };
        let teller = system.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap();
        system.run(usize::MAX, || false);
        Self { outside, system, teller, told }
    }

    fn deliver(&self, to: Address, numbers: impl IntoIterator<Item = i64>) -> bool {
        let mut run = Run::new(to, nobody(), "integer");
        numbers.into_iter().for_each(|number| run.push(&AnyMessage::new(number).encode().unwrap().bytes));
        self.system.deliver_run(run)
    }

    fn told(&self) -> Vec<i64> {
        self.system.run(usize::MAX, || false);
        self.told.try_iter().collect()
    }
}

#[test]
fn they_are_handled_one_by_one_and_what_the_actor_does_not_live_to_see_is_dead() {
    let there = There::new();
    assert!(!there.deliver(there.teller, [1, -2, 3]));
    there.system.deliver(Envelope { to: there.teller, sender: nobody(), message: AnyMessage::new(4_i64) });
    assert!(!there.deliver(there.teller, [5, 6]));
    assert_eq!(there.told(), [1, -2, -2, 3, 4, 5, 6]);
    let before = there.outside.dead_letters();
    assert!(!there.deliver(there.teller, [7, 0, 8, 9]));
    assert!(!there.deliver(there.teller, [10]));
    assert_eq!(there.told(), [7, 0]);
    assert_eq!(there.outside.dead_letters() - before, 3);
    assert!(!there.deliver(there.teller, [11, 12]));
    assert_eq!(there.outside.dead_letters() - before, 5);
}

#[test]
fn a_mailbox_counts_each_of_them() {
    let there = There::new();
    assert!(!there.deliver(there.teller, (0..MAILBOX_MESSAGES_HIGH as i64).map(|n| n + 1)));
    assert_eq!(there.system.status(there.teller).unwrap().queued, MAILBOX_MESSAGES_HIGH);
    assert!(there.deliver(there.teller, [1]), "one more than there should be");
    assert_eq!(there.told().len(), MAILBOX_MESSAGES_HIGH + 1);
    assert_eq!(there.system.status(there.teller).unwrap().queued, 0);
}
