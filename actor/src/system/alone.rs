//! The outside of a program that is no node: a registry, its own capabilities, and stderr.
//!
//! It decides where a child may live (here or nowhere) and never talks to anyone.

use super::caught::caught;
use super::outside::{Envelope, Exit, Outside, Pressure, Resolution};
use crate::definition::{Definition, Registry};
use crate::host::{CreateRequest, Level};
use crate::{Address, CapabilityMap, CapabilityView, Requirements, Topic, Value};
use odeon_capabilities::{Delta, MapError};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A system that is on its own.
pub struct Alone {
    registry: RwLock<Registry>,
    capabilities: RwLock<Arc<CapabilityMap>>,
    log_level: Level,
    dead_letters: AtomicU64,
}

struct View<'a>(&'a CapabilityMap);

impl CapabilityView for View<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        self.0.value(key).cloned()
    }
}

/// Whether a map satisfies requirements, and else why not. The one place that knows how requirements are matched.
fn matches(map: &CapabilityMap, requirements: &Requirements) -> Result<(), String> {
    if let Some(name) = requirements.require.iter().find(|name| !map.value(name).is_some_and(Value::is_true)) {
        return Err(format!("capability {name:?} is not there"));
    }
    for (name, wanted) in &requirements.equal {
        match map.value(name) {
            None => return Err(format!("capability {name:?} is not there, {wanted:?} is required")),
            Some(found) if found != wanted => {
                return Err(format!("capability {name:?} is {found:?}, {wanted:?} is required"));
            }
            Some(_) => {}
        }
    }
    match &requirements.expression {
        Some(expression) => Err(format!("this base evaluates no expressions, {expression:?} is required")),
        None => Ok(()),
    }
}

impl Alone {
    /// A system that offers these actors, has these capabilities, and writes log lines of this level and above.
    pub fn new(registry: Registry, capabilities: CapabilityMap, log_level: Level) -> Self {
        Self {
            registry: RwLock::new(registry),
            capabilities: RwLock::new(Arc::new(capabilities)),
            log_level,
            dead_letters: AtomicU64::new(0),
        }
    }

    /// How many messages could not be delivered.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Relaxed)
    }

    /// Adds a type unless there is one of its name.
    pub(super) fn link(&self, name: &str, linked: fn() -> Definition) {
        if self.registry.read().find(name).is_none() {
            self.registry.write().add(linked());
        }
    }

    /// The definition to build from, or why this system cannot have such an actor.
    pub(super) fn accept(&self, request: &CreateRequest) -> Result<Definition, String> {
        if let Some(image) = &request.image {
            return Err(format!("this base runs no images, {image} is asked for"));
        }
        let found = self.registry.read().find(&request.actor).cloned();
        let definition = found.ok_or_else(|| format!("no actor {:?} is linked into this program", request.actor))?;
        let map = self.capabilities();
        if !definition.required.is_empty() {
            matches(&map, &Requirements { require: definition.required.to_vec(), ..Requirements::none() })?;
        }
        matches(&map, &request.requirements)?;
        self.check(&definition, &map, &request.requirements)?;
        Ok(definition)
    }

    fn check(&self, definition: &Definition, map: &CapabilityMap, requirements: &Requirements) -> Result<(), String> {
        match caught(|| (definition.check)(&View(map), requirements)).and_then(|answer| answer) {
            Ok(true) => Ok(()),
            Ok(false) => Err("its own check says no".to_owned()),
            Err(failure) => Err(format!("its own check failed: {failure}")),
        }
    }

    /// Sets a capability, or with `None` removes it. The map is unchanged after an error.
    pub(super) fn change(&self, key: String, value: Option<Value>) -> Result<(), MapError> {
        let mut map = self.capabilities.write();
        Arc::make_mut(&mut map).apply(&Delta([(key, value)].into())).map(|_| ())
    }
}

impl Outside for Alone {
    fn resolve(&self, _: Option<Address>, _: Option<&str>, request: &CreateRequest) -> Resolution {
        match self.accept(request) {
            Ok(definition) => Resolution::Here(definition),
            Err(reason) => Resolution::Refused(format!("no compatible node for {}: {reason}", request.actor)),
        }
    }

    fn resolve_linked(
        &self,
        parent: Option<Address>,
        image: Option<&str>,
        request: &CreateRequest,
        linked: fn() -> Definition,
    ) -> Resolution {
        self.link(&request.actor, linked);
        self.resolve(parent, image, request)
    }

    fn create(&self, _: Address, _: Option<Address>, _: Option<&str>, _: CreateRequest) {
        unreachable!("a system that is alone resolves nothing to elsewhere")
    }

    fn send(&self, envelope: Envelope) -> Pressure {
        self.dead_letter(envelope);
        Pressure::None
    }

    fn dead_letter(&self, envelope: Envelope) {
        self.dead_letters.fetch_add(1, Relaxed);
        if self.log_level > Level::Debug {
            return;
        }
        let Envelope { to, sender, message } = envelope;
        self.log(to, "dead letter", None, Level::Debug, &format!("{} from {sender}", message.name()));
    }

    fn exited(&self, _: Exit) {}

    fn capabilities(&self) -> Arc<CapabilityMap> {
        self.capabilities.read().clone()
    }

    fn update_capability(&self, by: Address, key: String, value: Option<Value>) {
        if let Err(error) = self.change(key, value) {
            self.log(by, "capability", None, Level::Warn, &format!("not changed: {error}"));
        }
    }

    fn changes_at_once(&self) -> bool {
        true
    }

    fn accepts(&self, actor: &str, _: Option<&str>, requirements: &Requirements) -> bool {
        let request = CreateRequest::named(actor).requirements(requirements.clone());
        // A definition that was never registered here, as tests have them, has nothing to check.
        self.registry.read().find(actor).is_none() || self.accept(&request).is_ok()
    }

    fn alone(&self) -> Option<(String, u64)> {
        Some((String::new(), self.dead_letters()))
    }

    fn may_shut_down(&self, _: Address) -> bool {
        true
    }

    /// It is in no convention: nobody joins or leaves, and no image comes or goes.
    fn watch(&self, _: Address, _: Topic, _: bool) {}

    /// It loads no images.
    fn register_source_authority(&self, _: Address) {}

    fn log(&self, by: Address, actor: &str, _: Option<&str>, level: Level, message: &str) {
        if level >= self.log_level {
            eprintln!("{} {actor} {by}: {message}", format!("{level:?}").to_uppercase());
        }
    }
}
