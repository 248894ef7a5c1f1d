//! One node of a simulation, as its system of actors sees it, and an actor on it whose handlers may be made to fail.
//!
//! Every actor has a promised address, so that whatever is sent, also to a neighbour, comes through here.

use super::world::World;
use crate::definition::Definition;
use crate::host::{CreateRequest, Level};
use crate::system::{Envelope, Exit, Outside, Pressure, Resolution};
use crate::{Actor, Address, AnyMessage, CapabilityMap, Context, Failure, Requirements, Topic, Value};
use std::sync::{Arc, Weak};

/// What lies outside of one simulated node: the others, and what lies outside of the simulation.
pub(super) struct Place {
    pub(super) world: Weak<World>,
    pub(super) index: usize,
    pub(super) inner: Arc<dyn Outside>,
}

impl Place {
    fn resolve_on(&self, request: &CreateRequest, ask: impl Fn(&dyn Outside) -> Resolution) -> Resolution {
        match self.world.upgrade() {
            Some(world) => world.resolve(self.index, request, ask),
            None => Resolution::Refused("the simulation is over".to_owned()),
        }
    }
}

impl Outside for Place {
    fn resolve(&self, parent: Option<Address>, image: Option<&str>, request: &CreateRequest) -> Resolution {
        self.resolve_on(request, |node| node.resolve(parent, image, request))
    }

    fn resolve_linked(
        &self,
        parent: Option<Address>,
        image: Option<&str>,
        request: &CreateRequest,
        linked: fn() -> Definition,
    ) -> Resolution {
        self.resolve_on(request, |node| node.resolve_linked(parent, image, request, linked))
    }

    fn create(&self, child: Address, parent: Option<Address>, image: Option<&str>, request: CreateRequest) {
        let Some(world) = self.world.upgrade() else { return };
        if let Some(request) = world.create(self.index, child, parent, request) {
            self.inner.create(child, parent, image, request);
        }
    }

    fn send(&self, envelope: Envelope) -> Pressure {
        match self.world.upgrade() {
            Some(world) => world.carry(self.index, envelope),
            None => Pressure::None,
        }
    }

    fn dead_letter(&self, envelope: Envelope) {
        if let Some(world) = self.world.upgrade() {
            world.dead(self.index, envelope);
        }
    }

    fn exited(&self, exit: Exit) {
        if let Some(world) = self.world.upgrade() {
            self.inner.exited(world.exited(exit));
        }
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        self.inner.capabilities()
    }

    fn update_capability(&self, by: Address, key: String, value: Option<Value>) {
        let before = self.inner.capabilities();
        self.inner.update_capability(by, key.clone(), value);
        let is_changed = before.value(&key) != self.inner.capabilities().value(&key);
        if is_changed && let Some(world) = self.world.upgrade() {
            world.tell_changed(self.index, key);
        }
    }

    fn changes_at_once(&self) -> bool {
        self.inner.changes_at_once()
    }

    fn accepts(&self, actor: &str, image: Option<&str>, requirements: &Requirements) -> bool {
        self.inner.accepts(actor, image, requirements)
    }

    fn overtaken(&self) {
        self.inner.overtaken();
    }

    fn alone(&self) -> Option<(String, u64)> {
        let (_, dead_letters) = self.inner.alone()?;
        let world = self.world.upgrade()?;
        Some((world.nodes[self.index].name.to_string(), dead_letters))
    }

    fn watch(&self, by: Address, topic: Topic, on: bool) {
        self.inner.watch(by, topic, on);
        if let Some(world) = self.world.upgrade() {
            world.watch(by, topic, on);
        }
    }

    fn register_source_authority(&self, by: Address) {
        self.inner.register_source_authority(by);
    }

    fn log(&self, by: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
        if let Some(world) = self.world.upgrade()
            && world.logs(by, level, message)
        {
            self.inner.log(by, actor, image, level, message);
        }
    }
}

/// An actor on the stage of a simulation.
struct Staged {
    inner: Box<dyn Actor>,
    world: Weak<World>,
}

/// The same type of actors, on the stage.
pub(super) fn staged(definition: Definition, world: &Weak<World>) -> Definition {
    let (build, world) = (definition.build, world.clone());
    let build = move || {
        let inner = build()?;
        Ok(Box::new(Staged { inner, world: world.clone() }) as Box<dyn Actor>)
    };
    Definition { build: Arc::new(build), ..definition }
}

impl Actor for Staged {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let crash = self.world.upgrade().and_then(|world| world.handles(cx.my_address(), cx.sender(), message));
        let failure = || Err(Failure::new("the simulation crashed it"));
        match crash {
            None => self.inner.receive(message, cx),
            Some(false) => failure(),
            Some(true) => self.inner.receive(message, cx).and_then(|()| failure()),
        }
    }
}
