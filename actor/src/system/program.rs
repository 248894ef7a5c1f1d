//! What a program uses: a system of actors in this process, with no node around it.

use super::alone::Alone;
use super::limits::{LISTEN_MESSAGES_MAX, TELL_ACTIVATIONS_MAX};
use super::{Base, Endpoint, Envelope, Outside, Spawn, SpawnError, System};
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
    system: System,
    alone: Arc<Alone>,
    base: Base,
    /// Where answers to `tell` come.
    own: Endpoint,
    inbox: Arc<Inbox>,
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

    /// Starts it.
    pub fn start(self) -> ActorSystem {
        ActorSystem::with(self)
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
        }
    }

    fn with(builder: Builder) -> Self {
        let Builder { base, workers, registry, capabilities, log_level } = builder;
        let alone = Arc::new(Alone::new(registry, capabilities, log_level));
        // No other node knows this one, but addresses of two systems in one process must differ.
        let mut id = [0; 16];
        id[..8].copy_from_slice(&super::nonce::nonce().to_ne_bytes());
        id[8..].copy_from_slice(&super::nonce::nonce().to_ne_bytes());
        let node = NodeRef { id: NodeId(id), incarnation: Incarnation(1) };
        let outside: Arc<dyn Outside> = alone.clone();
        let system = match base {
            Base::Simple => System::inline(node, outside),
            Base::Threads => System::start(node, workers, outside),
        };
        let inbox = Arc::new(Inbox::default());
        let (box_, dead) = (inbox.clone(), alone.clone());
        let put = move |envelope| {
            if let Err(envelope) = box_.put(envelope) {
                dead.dead_letter(envelope);
            }
        };
        let Ok(own) = system.endpoint(Box::new(put)) else { unreachable!("a new system has room for an endpoint") };
        Self(Arc::new(Program { system, alone, base, own, inbox }))
    }

    /// Which base this is.
    pub fn base(&self) -> Base {
        self.0.base
    }

    /// The engine below.
    pub fn system(&self) -> &System {
        &self.0.system
    }

    /// Where actors reach the program: what they send here, [`ActorSystem::listen`] returns.
    pub fn address(&self) -> Address {
        self.0.own.address()
    }

    /// How many messages could not be delivered.
    pub fn dead_letters(&self) -> u64 {
        self.0.alone.dead_letters()
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
        self.0.alone.link(A::NAME, Definition::of::<A>);
        self.create(request)
    }

    /// Creates an actor of a registered type by its name.
    pub fn create_named(&self, actor: impl Into<String>) -> Result<Address, CreateError> {
        self.create(CreateRequest::named(actor))
    }

    /// Creates an actor of a registered type.
    pub fn create(&self, request: CreateRequest) -> Result<Address, CreateError> {
        if let Some(actor) = request.global_name.as_deref().and_then(|name| self.0.system.named(name)) {
            return Ok(actor);
        }
        let refused = |reason| CreateError::NoCompatibleNode { actor: request.actor.clone(), reason };
        let definition = self.0.alone.accept(&request).map_err(refused)?;
        let spawn = Spawn { definition, parent: None, global_name: request.global_name, address: None };
        match self.0.system.spawn_where(spawn, request.requirements) {
            Err(SpawnError::NameTaken { by, .. }) => Ok(by),
            spawned => spawned.map_err(CreateError::Spawn),
        }
    }

    /// Sends a message from the program. On the base `simple` actors run before this returns, until none has mail.
    pub fn tell(&self, actor: Address, message: impl Message) {
        self.tell_from(self.address(), actor, AnyMessage::new(message));
    }

    pub(super) fn tell_from(&self, sender: Address, actor: Address, message: AnyMessage) {
        self.0.system.deliver(Envelope { to: actor, sender, message });
        self.0.system.run(TELL_ACTIVATIONS_MAX, || false);
    }

    /// An address with an inbox of its own. What a full inbox refuses is a dead letter.
    pub(super) fn open_inbox(&self) -> Result<(Arc<Inbox>, Endpoint), SpawnError> {
        let inbox = Arc::new(Inbox::default());
        let (box_, dead) = (inbox.clone(), self.0.alone.clone());
        let put = move |envelope| {
            if let Err(envelope) = box_.put(envelope) {
                dead.dead_letter(envelope);
            }
        };
        let endpoint = self.0.system.endpoint(Box::new(put))?;
        Ok((inbox, endpoint))
    }

    /// Sends a message and waits for the first answer, which has to be an `R`.
    pub fn ask<R: Message>(&self, actor: Address, message: impl Message, timeout: Duration) -> Result<R, AskError> {
        let inbox = Arc::new(Inbox::default());
        let answers = inbox.clone();
        // Only the first answer counts, so what a full inbox refuses was not waited for.
        let put = Box::new(move |envelope| drop(answers.put(envelope)));
        let endpoint = self.0.system.endpoint(put).map_err(|_| AskError::Full)?;
        let envelope = Envelope { to: actor, sender: endpoint.address(), message: AnyMessage::new(message) };
        self.0.system.try_deliver(envelope).map_err(|_| AskError::Gone { actor })?;
        let answer = self.wait(&inbox, timeout).ok_or(AskError::Timeout { actor, timeout })?;
        answer.message.take::<R>().map_err(|other| match other.get::<PoisonMessage>() {
            Some(poison) => AskError::Poison { actor: poison.actor, details: poison.details.clone() },
            None => AskError::Unexpected { found: other.name().to_owned(), expected: R::NAME },
        })
    }

    /// The next message that an actor sent to the program.
    pub fn listen(&self, timeout: Duration) -> Option<Envelope> {
        self.wait(&self.0.inbox, timeout)
    }

    /// Waits for an envelope; on the base `simple` that is when actors run and wakeups arrive.
    pub(super) fn wait(&self, inbox: &Inbox, timeout: Duration) -> Option<Envelope> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            self.0.system.run(TELL_ACTIVATIONS_MAX, || !inbox.is_empty() || late());
            let (work, wakeup) = self.0.system.idle_until();
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
                self.0.system.rest(until, || !inbox.is_empty());
                continue;
            }
            match until {
                Some(until) => drop(inbox.arrived.wait_until(&mut queue, until)),
                None => inbox.arrived.wait(&mut queue),
            }
        }
    }

    /// What the system says it has.
    pub fn capabilities(&self) -> Arc<CapabilityMap> {
        self.0.alone.capabilities()
    }

    /// Changes what the system says it has; `None` removes it. Actors that it does not suit any more are asked to exit.
    pub fn update_capability(&self, key: impl Into<String>, value: Option<Value>) -> Result<(), MapError> {
        self.0.alone.change(key.into(), value)?;
        self.0.system.recheck();
        self.0.system.run(TELL_ACTIVATIONS_MAX, || false);
        Ok(())
    }

    /// Asks all actors to exit and waits for them. Says whether they all did.
    pub fn shutdown(&self) -> bool {
        self.0.system.shutdown(SHUTDOWN_WAIT)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.system.shutdown(DROP_WAIT);
    }
}
