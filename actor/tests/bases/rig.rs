//! A system with an outside that writes everything down, and actors made of closures.

use crate::table::Column;
use odeon::host::{CreateRequest, Level};
use odeon::system::{
    ActorStatus, Endpoint, Envelope, Exit, Outside, Pressure, Resolution, Settings, Simulated, Spawn, SpawnError,
    System,
};
use odeon::{
    Actor, Address, AnyMessage, CapabilityMap, Context, Definition, Failure, Incarnation, Message, NodeId, NodeRef,
    Topic, Value,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const NODE: NodeRef = NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) };
/// How long a test waits for a state that must come.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

type Receive = Box<dyn FnMut(&AnyMessage, &mut Context) -> Result<(), Failure> + Send>;

struct Closure(Receive);

impl Actor for Closure {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        (self.0)(message, cx)
    }
}

/// A type of actors whose constructor makes the handler.
pub(crate) fn define<R>(name: &str, build: impl Fn() -> Result<R, Failure> + Send + Sync + 'static) -> Definition
where
    R: FnMut(&AnyMessage, &mut Context) -> Result<(), Failure> + Send + 'static,
{
    Definition {
        name: name.into(),
        required: Arc::new([]),
        image: None,
        build: Arc::new(move || build().map(|receive| Box::new(Closure(Box::new(receive))) as Box<dyn Actor>)),
        check: Arc::new(|_, _| Ok(true)),
        waits: false,
    }
}

/// A type of actors without state.
pub(crate) fn plain(
    name: &str,
    receive: impl Fn(&AnyMessage, &mut Context) -> Result<(), Failure> + Send + Sync + 'static,
) -> Definition {
    let receive = Arc::new(receive);
    define(name, move || {
        let receive = receive.clone();
        Ok(move |message: &AnyMessage, cx: &mut Context| receive(message, cx))
    })
}

/// An outside that writes down what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) definitions: Mutex<BTreeMap<String, Definition>>,
    /// Actors of these names are elsewhere.
    pub(crate) elsewhere: Mutex<Vec<String>>,
    pub(crate) created: Mutex<Vec<(Address, Option<Address>, String)>>,
    pub(crate) sent: Mutex<Vec<Envelope>>,
    pub(crate) dead: Mutex<Vec<Envelope>>,
    pub(crate) exits: Mutex<Vec<Exit>>,
    pub(crate) watched: Mutex<Vec<(Address, Topic, bool)>>,
    pub(crate) authorities: Mutex<Vec<Address>>,
    pub(crate) logs: Mutex<Vec<(Level, String)>>,
    /// The ticket that whoever sends to the outside gets; none while it is 0.
    pub(crate) ticket: AtomicU64,
    /// Whether that stands for an actor with too much.
    pub(crate) is_held: AtomicBool,
    /// Who waits for which ticket, perhaps by way of others.
    pub(crate) waits: Mutex<Vec<(Address, u64)>>,
    pub(crate) drained: Mutex<Vec<Address>>,
}

impl Outside for Notes {
    fn resolve(&self, _: Option<Address>, _: Option<&str>, request: &CreateRequest) -> Resolution {
        if self.elsewhere.lock().unwrap().contains(&request.actor) {
            return Resolution::Elsewhere;
        }
        match self.definitions.lock().unwrap().get(&request.actor) {
            Some(definition) => Resolution::Here(definition.clone()),
            None => Resolution::Refused(format!("nobody has {}", request.actor)),
        }
    }

    fn create(&self, child: Address, parent: Option<Address>, _: Option<&str>, request: CreateRequest) {
        self.created.lock().unwrap().push((child, parent, request.actor));
    }

    fn send(&self, envelope: Envelope) -> Pressure {
        self.sent.lock().unwrap().push(envelope);
        match self.ticket.load(SeqCst) {
            0 => Pressure::None,
            ticket if self.is_held.load(SeqCst) => Pressure::Held(ticket),
            ticket => Pressure::PutAside(ticket),
        }
    }

    fn waits(&self, by: Address, ticket: u64) {
        self.waits.lock().unwrap().push((by, ticket));
    }

    fn drained(&self, actor: Address) {
        self.drained.lock().unwrap().push(actor);
    }

    fn dead_letter(&self, envelope: Envelope) {
        self.dead.lock().unwrap().push(envelope);
    }

    fn exited(&self, exit: Exit) {
        self.exits.lock().unwrap().push(exit);
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        Arc::default()
    }

    fn update_capability(&self, _: Address, _: String, _: Option<Value>) {}

    fn watch(&self, by: Address, topic: Topic, on: bool) {
        self.watched.lock().unwrap().push((by, topic, on));
    }

    fn register_source_authority(&self, by: Address) {
        self.authorities.lock().unwrap().push(by);
    }

    fn log(&self, _: Address, _: &str, _: Option<&str>, level: Level, message: &str) {
        self.logs.lock().unwrap().push((level, message.to_owned()));
    }
}

/// What runs the actors.
#[derive(Clone)]
enum Engine {
    System(System),
    Simulated(Simulated),
}

/// A running system with its notes.
pub(crate) struct Rig {
    engine: Engine,
    pub(crate) notes: Arc<Notes>,
    /// Everything that was sent to [`Rig::me`].
    pub(crate) mail: Arc<Mutex<Vec<Envelope>>>,
    me: Endpoint,
    started: Instant,
}

/// The seeds with which a promise is held on the base `simulated`.
const SEEDS: u64 = 3;

impl Rig {
    fn with(make: impl FnOnce(Arc<dyn Outside>) -> Engine) -> Self {
        let notes = Arc::new(Notes::default());
        let engine = make(notes.clone());
        let mail = Arc::new(Mutex::new(Vec::new()));
        let kept = mail.clone();
        let put = Box::new(move |envelope| kept.lock().unwrap().push(envelope));
        let me = match &engine {
            Engine::System(system) => system.endpoint(put),
            Engine::Simulated(simulated) => simulated.endpoint(put),
        };
        Self { engine, notes, mail, me: me.unwrap(), started: Instant::now() }
    }

    pub(crate) fn simple() -> Self {
        Self::with(|outside| Engine::System(System::inline(NODE, outside)))
    }

    pub(crate) fn threads(workers: usize) -> Self {
        Self::with(|outside| Engine::System(System::start(NODE, workers, outside)))
    }

    /// Three nodes, and nothing that fails.
    pub(crate) fn simulated(seed: u64) -> Self {
        Self::with(|outside| {
            let nodes = ["a", "b", "c"].map(|name| (name.into(), outside.clone()));
            Engine::Simulated(Simulated::start(NODE, nodes.into(), Settings::default(), seed, None))
        })
    }

    /// The rigs of a base.
    pub(crate) fn of(base: Column) -> Vec<Self> {
        match base {
            Column::Simple => vec![Self::simple()],
            Column::Threads => vec![Self::threads(1), Self::threads(4)],
            Column::Simulated => (0..SEEDS).map(Self::simulated).collect(),
            other => unreachable!("{other:?} is held by tests elsewhere"),
        }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.engine, Engine::Simulated(_))
    }

    /// Tells the time since the beginning, virtual where it is.
    pub(crate) fn clock(&self) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        let (engine, started) = (self.engine.clone(), self.started);
        Arc::new(move || match &engine {
            Engine::System(_) => started.elapsed(),
            Engine::Simulated(simulated) => simulated.now(),
        })
    }

    /// Runs a test and holds that everything exits in the end.
    pub(crate) fn run_and_end(self, test: impl FnOnce(Rig)) {
        let engine = self.engine.clone();
        test(self);
        let (exited, left) = match &engine {
            Engine::System(system) => (system.shutdown(BOUND), system.actors()),
            Engine::Simulated(simulated) => (simulated.shutdown(BOUND), simulated.actors()),
        };
        assert!(exited, "these did not exit: {left:?}");
    }

    /// The system, where it is one on its own.
    pub(crate) fn system(&self) -> &System {
        match &self.engine {
            Engine::System(system) => system,
            Engine::Simulated(_) => panic!("a simulation has a system for each node"),
        }
    }

    pub(crate) fn spawn(&self, spawn: Spawn) -> Result<Address, SpawnError> {
        match &self.engine {
            Engine::System(system) => system.spawn(spawn),
            Engine::Simulated(simulated) => simulated.spawn(spawn),
        }
    }

    pub(crate) fn deliver(&self, envelope: Envelope) {
        match &self.engine {
            Engine::System(system) => drop(system.deliver(envelope)),
            Engine::Simulated(simulated) => simulated.deliver(envelope),
        }
    }

    pub(crate) fn endpoint(&self, on_message: Box<dyn Fn(Envelope) + Send + Sync>) -> Result<Endpoint, SpawnError> {
        match &self.engine {
            Engine::System(system) => system.endpoint(on_message),
            Engine::Simulated(simulated) => simulated.endpoint(on_message),
        }
    }

    pub(crate) fn child_exited(&self, parent: Address, child: Address, reason: &str) {
        match &self.engine {
            Engine::System(system) => system.child_exited(parent, child, reason),
            Engine::Simulated(simulated) => simulated.child_exited(parent, child, reason),
        }
    }

    pub(crate) fn resume(&self, ticket: u64) {
        match &self.engine {
            Engine::System(system) => system.resume(ticket),
            Engine::Simulated(simulated) => simulated.resume(ticket),
        }
    }

    pub(crate) fn actors(&self) -> Vec<ActorStatus> {
        match &self.engine {
            Engine::System(system) => system.actors(),
            Engine::Simulated(simulated) => simulated.actors(),
        }
    }

    pub(crate) fn status(&self, actor: Address) -> Option<ActorStatus> {
        match &self.engine {
            Engine::System(system) => system.status(actor),
            Engine::Simulated(simulated) => simulated.status(actor),
        }
    }

    pub(crate) fn count(&self) -> usize {
        match &self.engine {
            Engine::System(system) => system.count(),
            Engine::Simulated(simulated) => simulated.count(),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<Address> {
        match &self.engine {
            Engine::System(system) => system.named(name),
            Engine::Simulated(simulated) => simulated.named(name),
        }
    }

    pub(crate) fn shutdown(&self, timeout: Duration) -> bool {
        match &self.engine {
            Engine::System(system) => system.shutdown(timeout),
            Engine::Simulated(simulated) => simulated.shutdown(timeout),
        }
    }

    pub(crate) fn me(&self) -> Address {
        self.me.address()
    }

    pub(crate) fn offer(&self, definition: Definition) {
        self.notes.definitions.lock().unwrap().insert(definition.name.to_string(), definition);
    }

    pub(crate) fn root(&self, definition: Definition) -> Address {
        self.spawn(Spawn { definition, parent: None, global_name: None, address: None }).unwrap()
    }

    pub(crate) fn tell(&self, to: Address, message: impl Message) {
        self.deliver(Envelope { to, sender: self.me(), message: AnyMessage::new(message) });
    }

    /// Waits for a state, with a bound.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, state: impl Fn() -> bool) {
        let deadline = Instant::now() + BOUND;
        loop {
            match &self.engine {
                Engine::System(system) => system.run(1_000, &state),
                Engine::Simulated(simulated) => simulated.run(Duration::from_secs(1), &state),
            }
            if state() {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}; actors: {:?}", self.actors());
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }

    /// Waits until no actor has anything to do.
    #[track_caller]
    pub(crate) fn until_idle(&self) {
        self.until("every actor is idle", || {
            let is_quiet = match &self.engine {
                Engine::System(_) => true,
                Engine::Simulated(simulated) => simulated.is_quiet(),
            };
            is_quiet && self.actors().iter().all(|a| a.state == odeon::system::ActorState::Idle && a.queued == 0)
        });
    }

    /// What came to [`Rig::me`] of one type.
    pub(crate) fn got<M: Message + Clone>(&self) -> Vec<M> {
        self.mail.lock().unwrap().iter().filter_map(|e| e.message.get::<M>().cloned()).collect()
    }

    /// Waits for so many messages of one type.
    #[track_caller]
    pub(crate) fn wait<M: Message + Clone>(&self, count: usize) -> Vec<M> {
        self.until(&format!("{count} messages {} came", M::NAME), || self.got::<M>().len() >= count);
        self.got()
    }

    /// Holds what is so at once, but for a simulation, where messages are under way for a while.
    #[track_caller]
    pub(crate) fn at_once(&self, what: &str, state: impl Fn() -> bool) {
        match self.is_simulated() {
            true => self.until(what, state),
            false => assert!(state(), "{what}"),
        }
    }

    /// Lets so much time pass, virtual where it is.
    pub(crate) fn pass(&self, time: Duration) {
        match &self.engine {
            Engine::System(system) => {
                std::thread::sleep(time);
                system.run(1_000, || false);
            }
            Engine::Simulated(simulated) => simulated.run(time, || false),
        }
    }

    pub(crate) fn dead(&self) -> Vec<String> {
        self.notes.dead.lock().unwrap().iter().map(|e| e.message.name().to_owned()).collect()
    }
}
