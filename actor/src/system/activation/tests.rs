use super::*;
use crate::definition::{Definition, Registry};
use crate::system::{Alone, Envelope, Spawn, System};
use crate::{Actor, CapabilityMap, Incarnation, NodeId, NodeRef};
use std::time::Duration;

/// An actor that ends its system while it handles a message.
struct Last {
    system: System,
    _part: Arc<()>,
}

impl Actor for Last {
    fn receive(&mut self, _: &AnyMessage, _: &mut Context) -> Result<(), Failure> {
        self.system.shutdown(Duration::ZERO);
        Ok(())
    }
}

#[test]
fn nothing_is_left_of_an_actor_whose_system_ended_in_its_turn() {
    let node = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
    let outside = Alone::new(Registry::new(), CapabilityMap::default(), Level::Error);
    let system = System::inline(node, Arc::new(outside));
    let part = Arc::new(());
    let (of_actor, of_system) = (part.clone(), system.clone());
    let build = move || Ok(Box::new(Last { system: of_system.clone(), _part: of_actor.clone() }) as Box<dyn Actor>);
    let definition = Definition {
        name: "last".into(),
        required: Arc::new([]),
        image: None,
        build: Arc::new(build),
        check: Arc::new(|_, _| Ok(true)),
        waits: false,
    };
    let spawn = Spawn { definition, parent: None, global_name: None, address: None };
    let actor = system.spawn(spawn).unwrap();
    system.deliver(Envelope { to: actor, sender: actor, message: AnyMessage::new(true) });
    system.run(10, || false);
    assert_eq!(Arc::strong_count(&part), 1);
}
