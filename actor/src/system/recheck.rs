//! What creators asked of the system, kept for as long as the actors live: a change of capabilities ends those that it no
//! longer suits.

use super::core::Core;
use super::{Spawn, SpawnError};
use crate::{ActorExitRequest, Address, AnyMessage, CapabilityMap, Requirements};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Actors for which one answer holds: of one type, and of which their creators asked the same.
#[derive(Debug)]
pub struct Alike {
    /// The name of their type.
    pub actor: Arc<str>,
    /// The source hash of their image.
    pub image: Option<Arc<str>>,
    /// What their creators asked of the system.
    pub requirements: Arc<Requirements>,
    /// Where they are.
    pub actors: Vec<Address>,
}

/// Requirements by actor. Most actors have none, and take no lock here.
#[derive(Default)]
pub(super) struct Required {
    by: Mutex<By>,
    count: AtomicUsize,
}

#[derive(Default)]
struct By {
    actor: HashMap<Address, Arc<Requirements>>,
    /// Each once, with how many actors share it.
    all: HashMap<Arc<Requirements>, usize>,
}

impl Required {
    fn note(&self, actor: Address, requirements: Requirements) {
        let mut by = self.by.lock();
        let known = by.all.get_key_value(&requirements).map(|(known, _)| known.clone());
        let shared = known.unwrap_or_else(|| Arc::new(requirements));
        *by.all.entry(shared.clone()).or_default() += 1;
        by.actor.insert(actor, shared);
        self.count.store(by.actor.len(), SeqCst);
    }

    pub(super) fn forget(&self, actor: &Address) {
        if self.count.load(SeqCst) > 0 {
            let mut by = self.by.lock();
            if let Some(shared) = by.actor.remove(actor)
                && let Some(count) = by.all.get_mut(&shared)
            {
                *count -= 1;
                if *count == 0 {
                    by.all.remove(&shared);
                }
            }
            self.count.store(by.actor.len(), SeqCst);
        }
    }

    fn of(&self, actor: &Address) -> Option<Arc<Requirements>> {
        if self.count.load(SeqCst) == 0 { None } else { self.by.lock().actor.get(actor).cloned() }
    }
}

impl Core {
    /// Creates an actor of which its creator asked something.
    pub(super) fn spawn_where(
        self: &Arc<Self>,
        spawn: Spawn,
        requirements: Requirements,
    ) -> Result<Address, SpawnError> {
        let actor = self.spawn(spawn)?;
        if !requirements.is_empty() {
            self.required.note(actor, requirements);
            // It may be gone already.
            if self.find(&actor).is_none() {
                self.required.forget(&actor);
            }
        }
        Ok(actor)
    }

    /// All actors, those that are alike together, in the order of the first of each.
    pub(super) fn alike(&self) -> Vec<Alike> {
        let none = Arc::new(Requirements::none());
        let (mut all, mut places) = (Vec::<Alike>::new(), HashMap::new());
        for cell in self.cells() {
            let requirements = self.required.of(&cell.address).unwrap_or_else(|| none.clone());
            let key = (cell.name.clone(), cell.image.clone(), Arc::as_ptr(&requirements));
            let place = *places.entry(key).or_insert_with(|| {
                let (actor, image) = (cell.name.clone(), cell.image.clone());
                all.push(Alike { actor, image, requirements, actors: Vec::new() });
                all.len() - 1
            });
            all[place].actors.push(cell.address);
        }
        all
    }

    /// Asks those actors to exit that may not be here any more.
    pub(super) fn recheck(&self) {
        for Alike { actor, image, requirements, actors } in self.alike() {
            if !self.outside.accepts(&actor, image.as_deref(), &requirements) {
                actors.into_iter().for_each(|actor| self.ask_to_leave(actor));
            }
        }
    }

    /// Asks an actor to exit with its children. One that is gone does not mind.
    pub(super) fn ask_to_leave(&self, actor: Address) {
        let message = AnyMessage::new(ActorExitRequest::default());
        let _ = self.post(&actor, &actor, message);
    }

    /// An actor that was let in by what the capabilities were is looked at once more where they are others now: whoever
    /// looked at all actors after the change may have missed it.
    pub(super) fn look_again_unless(&self, seen: &Arc<CapabilityMap>) {
        if Arc::ptr_eq(seen, &self.outside.capabilities()) {
            return;
        }
        match self.outside.changes_at_once() {
            true => self.recheck(),
            false => self.outside.overtaken(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Level;
    use crate::system::{Alone, Envelope, System};
    use crate::{Actor, ChildActorExited, Context, Definition, Failure, Incarnation, NodeId, NodeRef, Registry};
    use std::time::Duration;

    fn node() -> NodeRef {
        NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(1) }
    }

    /// Creates a child that wants a gpu, and hands on what it is told of it.
    struct Parent(Option<Address>);

    impl Actor for Parent {
        fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
            if message.is::<bool>() {
                self.0 = Some(cx.sender());
                cx.create_named("Child").requirements(Requirements::none().require("gpu")).start();
            } else if let (Some(exited), Some(asked)) = (message.get::<ChildActorExited>(), self.0) {
                cx.send(asked, exited.clone());
            }
            Ok(())
        }
    }

    fn definition(name: &str, build: impl Fn() -> Parent + Send + Sync + 'static) -> Definition {
        Definition {
            name: name.into(),
            required: Arc::new([]),
            image: None,
            build: Arc::new(move || Ok(Box::new(build()) as Box<dyn Actor>)),
            check: Arc::new(|_, _| Ok(true)),
            waits: false,
        }
    }

    #[test]
    fn an_actor_that_was_let_in_before_a_change_is_looked_at_once_more() {
        let house = Arc::new(Mutex::new(None::<(Arc<Alone>, System)>));
        let changes = house.clone();
        let child = move || {
            // By now it was let in, and what was asked for it is not noted.
            if let Some((alone, system)) = changes.lock().take() {
                alone.change("gpu".to_owned(), None).unwrap();
                system.recheck();
            }
            Parent(None)
        };
        let mut registry = Registry::new();
        registry.add(definition("Child", child));
        let mut capabilities = CapabilityMap::new();
        capabilities.set("gpu", true).unwrap();
        let alone = Arc::new(Alone::new(registry, capabilities, Level::Error));
        let system = System::start(node(), 1, alone.clone());
        *house.lock() = Some((alone, system.clone()));
        let (told, tells) = std::sync::mpsc::channel();
        let me = system.endpoint(Box::new(move |envelope| drop(told.send(envelope)))).unwrap();
        let definition = definition("Parent", || Parent(None));
        let parent = system.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap();
        system.deliver(Envelope { to: parent, sender: me.address(), message: AnyMessage::new(true) });
        let exited = tells.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(exited.message.is::<ChildActorExited>());
        assert!(system.shutdown(Duration::from_secs(20)));
    }

    #[test]
    fn what_many_actors_are_asked_for_is_kept_once_until_the_last_of_them_is_gone() {
        let required = Required::default();
        let actor = |n| Address::mint(node(), n, 1);
        let gpu = || Requirements::none().require("gpu");
        (0..100).for_each(|n| required.note(actor(n), gpu()));
        required.note(actor(100), Requirements::none().require("db"));
        assert_eq!(required.by.lock().all.len(), 2);
        assert!(Arc::ptr_eq(&required.of(&actor(0)).unwrap(), &required.of(&actor(99)).unwrap()));
        (0..100).for_each(|n| required.forget(&actor(n)));
        assert_eq!(required.by.lock().all.len(), 1);
        required.forget(&actor(100));
        assert!(required.by.lock().all.is_empty() && required.of(&actor(100)).is_none());
    }
}
