//! An actor type as a value: what a base, a node or an image offers by name.

use crate::{Actor, ActorType, CapabilityView, Failure};
use odeon_capabilities::Requirements;
use std::collections::BTreeMap;
use std::sync::Arc;

type Build = dyn Fn() -> Result<Box<dyn Actor>, Failure> + Send + Sync;
type Check = dyn Fn(&dyn CapabilityView, &Requirements) -> Result<bool, Failure> + Send + Sync;

/// How to build actors of one type, and where they may live.
#[derive(Clone)]
pub struct Definition {
    /// The type's name.
    pub name: Arc<str>,
    /// Capabilities that must be true where one is to live.
    pub required: Arc<[String]>,
    /// The source hash of the image it comes from; none for one that is linked into the program.
    pub image: Option<Arc<str>>,
    /// Builds one. It may fail or panic; whoever calls it catches that.
    pub build: Arc<Build>,
    /// The type's own check. It may fail or panic; whoever calls it catches that.
    pub check: Arc<Check>,
    /// Whether to build one or to check waits for another process: not for a thread that runs actors.
    pub waits: bool,
}

impl Definition {
    /// The definition of a type that is linked into this program.
    pub fn of<A: ActorType>() -> Self {
        Self {
            name: A::NAME.into(),
            required: A::REQUIRED.iter().map(|&r| r.to_owned()).collect(),
            image: None,
            build: Arc::new(|| A::create().map(|a| Box::new(a) as Box<dyn Actor>)),
            check: Arc::new(|capabilities, requirements| Ok(A::check(capabilities, requirements))),
            waits: false,
        }
    }
}

/// Definitions by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<Arc<str>, Definition>);

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type that is linked into this program, replacing one of the same name.
    pub fn with<A: ActorType>(mut self) -> Self {
        self.add(Definition::of::<A>());
        self
    }

    /// Adds a definition, replacing one of the same name.
    pub fn add(&mut self, definition: Definition) {
        self.0.insert(definition.name.clone(), definition);
    }

    /// The definition of a name.
    pub fn find(&self, name: &str) -> Option<&Definition> {
        self.0.get(name)
    }

    /// All definitions, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.values()
    }
}
