//! What a program uses: a system of actors in this process, with no node around it.

use super::alone::Alone;
use super::limits::{LISTEN_MESSAGES_MAX, TELL_ACTIVATIONS_MAX};
use super::simulated::{Decisions, Settings, Simulated};
use super::{Base, Endpoint, Envelope, Outside, RateLimits, Spawn, SpawnError, System};
use crate::definition::{Definition, Registry};
use crate::host::{CreateRequest, Level};
use crate::{
    ActorType, Address, AnyMessage, CapabilityMap, Incarnation, Message, NodeId, NodeRef, PoisonMessage, Requirements,
    Value,
};
use odeon_capabilities::MapError;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the last handle's drop waits for the actors.
const DROP_WAIT: Duration = Duration::from_secs(3);
/// How long [`ActorSystem::shutdown`] waits for the actors.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);

/// A system of actors in this process; clones share it, and the last one's drop shuts it down.
#[derive(Clone)]
pub struct ActorSystem(Arc<Program>);

struct Program {
    engine: Engine,
    /// One for each node; there are several in a simulation only.
    alone: Vec<Arc<Alone>>,
    base: Base,
    /// Where answers to `tell` come.
    own: Endpoint,
    inbox: Arc<Inbox>,
}

enum Engine {
    System(System),
    Simulated(Simulated),
}

/// Envelopes for the program itself.
#[derive(Default)]
pub(super) struct Inbox {
    queue: Mutex<VecDeque<Envelope>>,
    arrived: Condvar,
}

/// Why an actor was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CreateError {
    #[error("no compatible node for {actor}: {reason}")]
    NoCompatibleNode { actor: String, reason: String },
    #[error("{0}")]
    Spawn(SpawnError),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AskError {
    #[error("{actor} did not answer within {} ms", timeout.as_millis())]
    Timeout { actor: Address, timeout: Duration },
    #[error("no actor is at {actor}")]
    Gone { actor: Address },
    #[error("{actor} failed twice on the message: {details}")]
    Poison { actor: Address, details: String },
    #[error("the answer is a {found}, expected a {expected}")]
    Unexpected { found: String, expected: &'static str },
    #[error("no address is left for the answer")]
    Full,
}

/// A system being described.
pub struct Builder {
    base: Base,
    workers: usize,
    registry: Registry,
    capabilities: CapabilityMap,
    log_level: Level,
    rate_limits: RateLimits,
    seed: u64,
}

impl Builder {
    /// How many worker threads `threads` has; as many as there are processors unless said.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Makes a type known by its name.
    pub fn with<A: ActorType>(mut self) -> Self {
        self.registry = self.registry.with::<A>();
        self
    }

    /// Sets what the system says it has.
    pub fn capabilities(mut self, capabilities: CapabilityMap) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// The least level of the log lines on stderr; warn unless said.
    pub fn log_level(mut self, level: Level) -> Self {
        self.log_level = level;
        self
    }

    /// Bounds how much actors may send in a second; not on the base `simulated`.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rate_limits = limits;
        self
    }

    /// What decides everything on the base `simulated`; 0 unless said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts it.
    pub fn start(self) -> ActorSystem {
        ActorSystem::with(self)
    }
}

impl Engine {
    /// Where the program's own addresses are.
    fn program(&self) -> &System {
        match self {
            Engine::System(system) => system,
            Engine::Simulated(simulated) => simulated.program(),
        }
    }

    /// The nodes where an actor can live now.
    fn nodes(&self) -> Vec<usize> {
        match self {
            Engine::System(_) => vec![0],
            Engine::Simulated(simulated) => simulated.living(),
        }
    }

    fn spawn(
        &self,
        places: Vec<(usize, Definition)>,
        spawn: Spawn,
        requirements: Requirements,
    ) -> Result<Address, SpawnError> {
        match self {
            Engine::System(system) => system.spawn_where(spawn, requirements),
            Engine::Simulated(simulated) => simulated.spawn_on(places, spawn, requirements),
        }
    }

    fn named(&self, name: &str) -> Option<Address> {
        match self {
            Engine::System(system) => system.named(name),
            Engine::Simulated(simulated) => simulated.named(name),
        }
    }

    fn try_deliver(&self, envelope: Envelope) -> Result<(), Envelope> {
        match self {
            Engine::System(system) => system.try_deliver(envelope),
            Engine::Simulated(simulated) if !simulated.is_there(envelope.to) => Err(envelope),
            Engine::Simulated(simulated) => {
                simulated.deliver(envelope);
                Ok(())
            }
        }
    }

    fn shutdown(&self, timeout: Duration) -> bool {
        match self {
            Engine::System(system) => system.shutdown(timeout),
            Engine::Simulated(simulated) => simulated.shutdown(timeout),
        }
    }
}

impl Inbox {
    fn put(&self, envelope: Envelope) -> Result<(), Envelope> {
        let mut queue = self.queue.lock();
        if queue.len() >= LISTEN_MESSAGES_MAX {
            return Err(envelope);
        }
        queue.push_back(envelope);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.queue.lock().is_empty()
    }
}

impl ActorSystem {
    /// Everything in the calling thread.
    pub fn simple() -> Self {
        Self::new(Base::Simple)
    }

    /// A pool of worker threads.
    pub fn threads() -> Self {
        Self::new(Base::Threads)
    }

    /// A system with no capabilities.
    pub fn new(base: Base) -> Self {
        Self::builder(base).start()
    }

    /// Describes a system.
    pub fn builder(base: Base) -> Builder {
        Builder {
            base,
            workers: std::thread::available_parallelism().map_or(1, |n| n.get()),
            registry: Registry::new(),
            capabilities: CapabilityMap::new(),
            log_level: Level::Warn,
            rate_limits: RateLimits::default(),
            seed: 0,
        }
    }

    fn with(builder: Builder) -> Self {
        let Builder { base, workers, registry, capabilities, log_level, rate_limits, seed } = builder;
        if base == Base::Simulated {
            let nodes = [("node".to_owned(), capabilities)];
            return Self::simulated(registry, nodes, log_level, Settings::default(), seed, None);
        }
        let alone = Arc::new(Alone::new(registry, capabilities, log_level));
        // No other node knows this one, but addresses of two systems in one process must differ.
        let mut id = [0; 16];
        id[..8].copy_from_slice(&super::nonce::nonce().to_ne_bytes());
        id[8..].copy_from_slice(&super::nonce::nonce().to_ne_bytes());
        let node = NodeRef { id: NodeId(id), incarnation: Incarnation(1) };
        let outside: Arc<dyn Outside> = alone.clone();
        let system = match base {
            Base::Threads => System::start(node, workers, outside),
            Base::Simple | Base::Simulated => System::inline(node, outside),
        };
        system.limit_rates(rate_limits);
        Self::over(Engine::System(system), base, vec![alone])
    }

    /// A simulation of these nodes, which are known by name and capabilities.
    pub(crate) fn simulated(
        registry: Registry,
        nodes: impl IntoIterator<Item = (String, CapabilityMap)>,
        log_level: Level,
        settings: Settings,
        seed: u64,
        script: Option<Decisions>,
    ) -> Self {
        let alone = |capabilities| Arc::new(Alone::new(registry.clone(), capabilities, log_level));
        let nodes: Vec<_> = nodes.into_iter().map(|(name, capabilities)| (name, alone(capabilities))).collect();
        let outside = |(name, alone): &(String, Arc<Alone>)| (name.as_str().into(), alone.clone() as Arc<dyn Outside>);
        // The same in every run, like everything else.
        let program = NodeRef { id: NodeId([0x5e; 16]), incarnation: Incarnation(1) };
        let simulated = Simulated::start(program, nodes.iter().map(outside).collect(), settings, seed, script);
        let alone = nodes.into_iter().map(|(_, alone)| alone).collect();
        Self::over(Engine::Simulated(simulated), Base::Simulated, alone)
    }

    fn over(engine: Engine, base: Base, alone: Vec<Arc<Alone>>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let (box_, dead) = (inbox.clone(), alone[0].clone());
        let put = move |envelope| {
            if let Err(envelope) = box_.put(envelope) {
                dead.dead_letter(envelope);
            }
        };
        let Ok(own) = engine.program().endpoint(Box::new(put)) else {
            unreachable!("a new system has room for an endpoint")
        };
        Self(Arc::new(Program { engine, alone, base, own, inbox }))
    }

    /// Which base this is.
    pub fn base(&self) -> Base {
        self.0.base
    }

    /// The engine below. On the base `simulated` that is the engine of the program alone: see [`ActorSystem::simulation`].
    pub fn system(&self) -> &System {
        self.0.engine.program()
    }

    /// The simulation below, on the base `simulated`.
    pub fn simulation(&self) -> Option<&Simulated> {
        match &self.0.engine {
            Engine::Simulated(simulated) => Some(simulated),
            Engine::System(_) => None,
        }
    }

    /// Where actors reach the program: what they send here, [`ActorSystem::listen`] returns.
    pub fn address(&self) -> Address {
        self.0.own.address()
    }

    /// How many messages could not be delivered.
    pub fn dead_letters(&self) -> u64 {
        self.0.alone.iter().map(|alone| alone.dead_letters()).sum()
    }

    /// Creates an actor of a type that is linked into this program. It has no parent.
    pub fn create_actor<A: ActorType>(&self) -> Result<Address, CreateError> {
        self.create_linked::<A>(CreateRequest::named(A::NAME))
    }

    /// The same where the system's capabilities satisfy the requirements.
    pub fn create_actor_with<A: ActorType>(&self, requirements: Requirements) -> Result<Address, CreateError> {
        self.create_linked::<A>(CreateRequest::named(A::NAME).requirements(requirements))
    }

    /// The actor that has a global name, created if there is none.
    pub fn create_global<A: ActorType>(&self, name: impl Into<String>) -> Result<Address, CreateError> {
        self.create_linked::<A>(CreateRequest::named(A::NAME).global_name(name))
    }

    fn create_linked<A: ActorType>(&self, request: CreateRequest) -> Result<Address, CreateError> {
        self.0.alone.iter().for_each(|alone| alone.link(A::NAME, Definition::of::<A>));
        self.create(request)
    }

    /// Creates an actor of a registered type by its name.
    pub fn create_named(&self, actor: impl Into<String>) -> Result<Address, CreateError> {
        self.create(CreateRequest::named(actor))
    }

    /// Creates an actor of a registered type.
    pub fn create(&self, request: CreateRequest) -> Result<Address, CreateError> {
        if let Some(actor) = request.global_name.as_deref().and_then(|name| self.0.engine.named(name)) {
            return Ok(actor);
        }
        let refused = |reason| CreateError::NoCompatibleNode { actor: request.actor.clone(), reason };
        let answers: Vec<_> =
            self.0.engine.nodes().into_iter().map(|node| (node, self.0.alone[node].accept(&request))).collect();
        let places: Vec<_> = answers.iter().filter_map(|(node, a)| Some((*node, a.clone().ok()?))).collect();
        let Some((_, definition)) = places.first().cloned() else {
            let reason = answers.into_iter().find_map(|(_, answer)| answer.err());
            return Err(refused(reason.unwrap_or_else(|| "every node is lost".to_owned())));
        };
        let spawn = Spawn { definition, parent: None, global_name: request.global_name, address: None };
        match self.0.engine.spawn(places, spawn, request.requirements) {
            Err(SpawnError::NameTaken { by, .. }) => Ok(by),
            spawned => spawned.map_err(CreateError::Spawn),
        }
    }

    /// Sends a message from the program. On the base `simple` actors run before this returns, until none has mail; on
    /// `simulated` they run while the program waits only.
    pub fn tell(&self, actor: Address, message: impl Message) {
        self.tell_from(self.address(), actor, AnyMessage::new(message));
    }

    pub(super) fn tell_from(&self, sender: Address, actor: Address, message: AnyMessage) {
        let envelope = Envelope { to: actor, sender, message };
        match &self.0.engine {
            Engine::System(system) => {
                system.deliver(envelope);
                system.run(TELL_ACTIVATIONS_MAX, || false);
            }
            Engine::Simulated(simulated) => simulated.deliver(envelope),
        }
    }

    /// An address with an inbox of its own. What a full inbox refuses is a dead letter.
    pub(super) fn open_inbox(&self) -> Result<(Arc<Inbox>, Endpoint), SpawnError> {
        let inbox = Arc::new(Inbox::default());
        let (box_, dead) = (inbox.clone(), self.0.alone[0].clone());
        let put = move |envelope| {
            if let Err(envelope) = box_.put(envelope) {
                dead.dead_letter(envelope);
            }
        };
        let endpoint = self.0.engine.program().endpoint(Box::new(put))?;
        Ok((inbox, endpoint))
    }

    /// Sends a message and waits for the first answer, which has to be an `R`.
    pub fn ask<R: Message>(&self, actor: Address, message: impl Message, timeout: Duration) -> Result<R, AskError> {
        let inbox = Arc::new(Inbox::default());
        let answers = inbox.clone();
        // Only the first answer counts, so what a full inbox refuses was not waited for.
        let put = Box::new(move |envelope| drop(answers.put(envelope)));
        let endpoint = self.0.engine.program().endpoint(put).map_err(|_| AskError::Full)?;
        let envelope = Envelope { to: actor, sender: endpoint.address(), message: AnyMessage::new(message) };
        self.0.engine.try_deliver(envelope).map_err(|_| AskError::Gone { actor })?;
        let answer = self.wait(&inbox, timeout).ok_or(AskError::Timeout { actor, timeout })?;
        answer.message.take::<R>().map_err(|other| match other.get::<PoisonMessage>() {
            Some(poison) => AskError::Poison { actor: poison.actor, details: poison.details.clone() },
            None => AskError::Unexpected { found: other.name().to_owned(), expected: R::NAME },
        })
    }

    /// The next message that an actor sent to the program. On the base `simulated` the timeout is virtual: nothing waits.
    pub fn listen(&self, timeout: Duration) -> Option<Envelope> {
        self.wait(&self.0.inbox, timeout)
    }

    /// Waits for an envelope; on the bases `simple` and `simulated` that is when actors run and wakeups arrive.
    pub(super) fn wait(&self, inbox: &Inbox, timeout: Duration) -> Option<Envelope> {
        let system = match &self.0.engine {
            Engine::System(system) => system,
            Engine::Simulated(simulated) => {
                simulated.run(timeout, || !inbox.is_empty());
                return inbox.queue.lock().pop_front();
            }
        };
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            system.run(TELL_ACTIVATIONS_MAX, || !inbox.is_empty() || late());
            let (work, wakeup) = system.idle_until();
            let mut queue = inbox.queue.lock();
            if let Some(envelope) = queue.pop_front() {
                return Some(envelope);
            }
            if late() {
                return None;
            }
            if work {
                continue;
            }
            let until = [deadline, wakeup].into_iter().flatten().min();
            if self.0.base == Base::Simple {
                // A thread outside may have something for an actor, and nobody else runs it.
                drop(queue);
                system.rest(until, || !inbox.is_empty());
                continue;
            }
            match until {
                Some(until) => drop(inbox.arrived.wait_until(&mut queue, until)),
                None => inbox.arrived.wait(&mut queue),
            }
        }
    }

    /// What the system says it has; of a simulation, its first node.
    pub fn capabilities(&self) -> Arc<CapabilityMap> {
        self.0.alone[0].capabilities()
    }

    /// Changes what the system says it has; `None` removes it. Actors that it does not suit any more are asked to exit.
    pub fn update_capability(&self, key: impl Into<String>, value: Option<Value>) -> Result<(), MapError> {
        let (key, before) = (key.into(), self.capabilities());
        self.0.alone[0].change(key.clone(), value)?;
        match &self.0.engine {
            Engine::System(system) => {
                system.recheck();
                system.run(TELL_ACTIVATIONS_MAX, || false);
            }
            Engine::Simulated(simulated) if before.value(&key) != self.capabilities().value(&key) => {
                simulated.capability_changed(0, key);
            }
            Engine::Simulated(_) => {}
        }
        Ok(())
    }

    /// Asks all actors to exit and waits for them. Says whether they all did.
    pub fn shutdown(&self) -> bool {
        self.0.engine.shutdown(SHUTDOWN_WAIT)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.engine.shutdown(DROP_WAIT);
    }
}
