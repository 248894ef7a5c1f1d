//! The actors of this node and the way to all others: what lies outside the local system of actors.
//!
//! Owns the definitions that are linked in or loaded from images, the node's capabilities as actors see them, and
//! the routing of messages between nodes. It decides nothing about membership or placement: creations that this
//! node cannot or may not make itself go to the driver. Start with [`Hosting::route`].

mod asking;
mod authority;
mod checks;
mod definitions;
mod draining;
mod ending;
mod examining;
mod frame;
mod loading;
mod outside;
mod own;
mod pressing;
mod receiving;
mod rechecking;
mod reporting;
mod revoking;
mod routes;
mod sending;
mod settling;
mod watching;

pub(crate) use asking::AskOutcome;
pub(crate) use checks::Checks;
pub(crate) use examining::{NoWord, Question};
pub(crate) use loading::{Order, Wish};
pub(crate) use reporting::{STATUS_ASKS_MAX, StatusAsk};

use crate::driver::Event;
use crate::link::Links;
use crate::logs::ActorLog;
use definitions::Definitions;
use ending::Asked;
use hashbrown::HashMap;
use loading::Loads;
use odeon::system::{RateLimits, Spawn, System};
use odeon::{Address, CapabilityMap, Definition, NodeRef, Registry};
use odeon_capabilities::Delta;
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateSpec, SourceHash};
use outside::Outpost;
use own::Own;
use parking_lot::{Mutex, RwLock};
use pressing::Pressing;
use rechecking::Look;
use routes::{Located, Nodes, Promises};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Notify, mpsc};
use watching::Watches;

/// Tickets of this module have their highest bit set, those of links have not.
const OWN_TICKET: u64 = 1 << 63;

/// What waits for a reply to an ask: the reply, or the fact that nobody is there.
type AskEnd = tokio::sync::oneshot::Sender<AskOutcome>;

/// What the driver must learn however busy it is: bounded by the number of actors, of topics and of capability keys.
#[derive(Default)]
pub(crate) struct Kept {
    /// Actors that are gone, with their global names.
    pub(crate) exits: Vec<(Address, Option<String>)>,
    /// What actors changed of the node's capabilities, the last word on each key.
    pub(crate) capabilities: Delta,
    /// What actors want to be told of, or not any more.
    pub(crate) watches: Watches,
    /// Actors that want to be the Source Authority, the last one last.
    pub(crate) claims: Vec<Address>,
}

/// What actors of this node can reach.
pub(crate) struct Hosting {
    me: NodeRef,
    definitions: Definitions,
    capabilities: RwLock<Arc<CapabilityMap>>,
    draining: AtomicBool,
    asked: Asked,
    look: Look,
    pub(crate) checks: Checks,
    system: OnceLock<System>,
    links: OnceLock<Links>,
    promises: Mutex<Promises>,
    located: Mutex<Located>,
    pressing: Pressing,
    nodes: RwLock<Nodes>,
    asks: Mutex<HashMap<Address, AskEnd>>,
    loads: Loads,
    status_asks: mpsc::Sender<StatusAsk>,
    own: Own,
    events: mpsc::Sender<Event>,
    kept: Mutex<Kept>,
    /// Wakes the driver to [`Hosting::take_kept`].
    pub(crate) kept_changed: Notify,
    log: ActorLog,
    tickets: AtomicU64,
    dead_letters: AtomicU64,
    bad_frames: AtomicU64,
    hasher: hashbrown::DefaultHashBuilder,
}

impl Hosting {
    /// With what its actors want to be loaded and unloaded, and who asks how nodes are.
    pub(crate) fn new(
        me: NodeRef,
        registry: Registry,
        capabilities: CapabilityMap,
        events: mpsc::Sender<Event>,
        log: ActorLog,
    ) -> (Arc<Self>, mpsc::Receiver<Order>, mpsc::Receiver<StatusAsk>) {
        let (loads, orders) = Loads::new();
        let (status_asks, asks) = mpsc::channel(STATUS_ASKS_MAX);
        let hosting = Arc::new(Self {
            me,
            definitions: Definitions::new(registry),
            capabilities: RwLock::new(Arc::new(capabilities)),
            draining: AtomicBool::new(false),
            asked: Asked::default(),
            look: Look::default(),
            checks: Checks::new(),
            system: OnceLock::new(),
            links: OnceLock::new(),
            promises: Mutex::default(),
            located: Mutex::default(),
            pressing: Pressing::default(),
            nodes: RwLock::default(),
            asks: Mutex::default(),
            loads,
            status_asks,
            own: Own::default(),
            events,
            kept: Mutex::default(),
            kept_changed: Notify::new(),
            log,
            tickets: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            bad_frames: AtomicU64::new(0),
            hasher: hashbrown::DefaultHashBuilder::default(),
        });
        (hosting, orders, asks)
    }

    /// Where its actors log.
    pub(crate) fn log(&self) -> &ActorLog {
        &self.log
    }

    /// Gives it the system whose outside it is, and the links. Before that nothing runs.
    pub(crate) fn attach(self: &Arc<Self>, workers: usize, rates: RateLimits, links: Links) {
        let system = System::start(self.me, workers, Arc::new(Outpost(Arc::downgrade(self))));
        system.limit_rates(rates);
        let attached = self.system.set(system).is_ok() & self.links.set(links).is_ok();
        assert!(attached, "a hosting is attached once");
    }

    /// The node that it hosts for.
    pub(crate) fn me(&self) -> NodeRef {
        self.me
    }

    pub(crate) fn system(&self) -> &System {
        self.system.get().expect("attached before any actor runs")
    }

    fn links(&self) -> &Links {
        self.links.get().expect("attached before any actor runs")
    }

    /// Dead letters and frames that did not parse, since the start.
    pub(crate) fn counters(&self) -> (u64, u64) {
        (self.dead_letters.load(Ordering::Relaxed), self.bad_frames.load(Ordering::Relaxed))
    }

    /// What happened since the last call.
    pub(crate) fn take_kept(&self) -> Kept {
        std::mem::take(&mut *self.kept.lock())
    }

    // Definitions

    /// The actor types of an image, now ready to be created from.
    pub(crate) fn add_image(&self, hash: &str, definitions: Vec<Definition>) {
        self.definitions.load(hash, definitions);
    }

    /// No new actors from an image. Those that run keep what they need.
    pub(crate) fn remove_image(&self, hash: &str) {
        self.definitions.unload(hash);
    }

    pub(crate) fn has_image(&self, hash: &str) -> bool {
        self.definitions.is_loaded(hash)
    }

    /// Whether actors run from an image that may be used.
    pub(crate) fn runs_image(&self, hash: &str) -> bool {
        self.definitions.is_in_use(hash)
    }

    /// Forgets what no actor needs any more. To be called now and then.
    pub(crate) fn prune(&self) {
        self.definitions.prune();
        self.hold_nobody_for_ever();
    }

    /// What the actor's own check says of these capabilities; `Unknown` where the code is not here.
    pub(crate) fn check(
        &self,
        image: Option<&str>,
        actor: &str,
        capabilities: &Arc<CapabilityMap>,
        requirements: &odeon::Requirements,
    ) -> CheckOutcome {
        match self.definitions.find(image, actor) {
            Some(definition) => self.checks.run(&definition, capabilities, requirements),
            None => CheckOutcome { verdict: CheckVerdict::Unknown, read: Default::default() },
        }
    }

    /// The same without running anything: none where the check was not asked before, or its code is not here.
    pub(crate) fn known_check(&self, spec: &CreateSpec, capabilities: &CapabilityMap) -> Option<CheckOutcome> {
        let image = spec.image.map(|hash| hash.to_string());
        let definition = self.definitions.find(image.as_deref(), &spec.actor)?;
        self.checks.known(&definition, capabilities, &spec.requirements)
    }

    /// Whether to check or build an actor waits for another process.
    pub(crate) fn waits(&self, image: Option<SourceHash>, actor: &str) -> bool {
        let image = image.map(|hash| hash.to_string());
        self.definitions.find(image.as_deref(), actor).is_some_and(|definition| definition.waits)
    }

    /// Creates an actor that the convention placed here, by what the node had then. Runs its constructor: not for an I/O
    /// thread.
    pub(crate) fn launch(&self, spec: &CreateSpec, seen: &Arc<CapabilityMap>) -> Result<Address, String> {
        let image = spec.image.map(|hash| hash.to_string());
        let definition = self
            .definitions
            .find(image.as_deref(), &spec.actor)
            .ok_or_else(|| format!("node has no actor type {:?}", spec.actor))?;
        let (parent, global_name, address) = (spec.parent, spec.global_name.clone(), spec.promised);
        let spawn = Spawn { definition, parent, global_name, address };
        let spawned = self.system().spawn_where(spawn, spec.requirements.clone());
        if !Arc::ptr_eq(seen, &self.capabilities.read()) {
            self.look_again();
        }
        spawned.map_err(|e| e.to_string())
    }
}
