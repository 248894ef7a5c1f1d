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
mod receiving;
mod revoking;
mod routes;
mod sending;
mod watching;

pub(crate) use asking::AskOutcome;
pub(crate) use checks::Checks;
pub(crate) use examining::{NoWord, Question};
pub(crate) use loading::{Order, Wish};

use crate::driver::Event;
use crate::link::Links;
use crate::logs::ActorLog;
use definitions::Definitions;
use ending::Asked;
use frame::Frame;
use hashbrown::HashMap;
use loading::Loads;
use odeon::system::{Spawn, System};
use odeon::{Address, CapabilityMap, Definition, NodeRef, Registry};
use odeon_capabilities::Delta;
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateOutcome, CreateSpec, SourceHash};
use outside::Outpost;
use own::Own;
use parking_lot::{Mutex, RwLock};
use routes::{Located, Nodes, Promise, Promises, Waiting};
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
    pub(crate) checks: Checks,
    system: OnceLock<System>,
    links: OnceLock<Links>,
    promises: Mutex<Promises>,
    located: Mutex<Located>,
    nodes: RwLock<Nodes>,
    asks: Mutex<HashMap<Address, AskEnd>>,
    loads: Loads,
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
    /// With what its actors want to be loaded and unloaded.
    pub(crate) fn new(
        me: NodeRef,
        registry: Registry,
        capabilities: CapabilityMap,
        events: mpsc::Sender<Event>,
        log: ActorLog,
    ) -> (Arc<Self>, mpsc::Receiver<Order>) {
        let (loads, orders) = Loads::new();
        let hosting = Arc::new(Self {
            me,
            definitions: Definitions::new(registry),
            capabilities: RwLock::new(Arc::new(capabilities)),
            draining: AtomicBool::new(false),
            asked: Asked::default(),
            checks: Checks::new(),
            system: OnceLock::new(),
            links: OnceLock::new(),
            promises: Mutex::default(),
            located: Mutex::default(),
            nodes: RwLock::default(),
            asks: Mutex::default(),
            loads,
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
        (hosting, orders)
    }

    /// Where its actors log.
    pub(crate) fn log(&self) -> &ActorLog {
        &self.log
    }

    /// Gives it the system whose outside it is, and the links. Before that nothing runs.
    pub(crate) fn attach(self: &Arc<Self>, workers: usize, links: Links) {
        let system = System::start(self.me, workers, Arc::new(Outpost(Arc::downgrade(self))));
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

    pub(crate) fn set_capabilities(&self, capabilities: CapabilityMap) {
        *self.capabilities.write() = Arc::new(capabilities);
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

    /// Creates an actor that the convention placed here. Runs its constructor: not for an I/O thread.
    pub(crate) fn launch(&self, spec: &CreateSpec) -> Result<Address, String> {
        let image = spec.image.map(|hash| hash.to_string());
        let definition = self
            .definitions
            .find(image.as_deref(), &spec.actor)
            .ok_or_else(|| format!("node has no actor type {:?}", spec.actor))?;
        self.system()
            .spawn(Spawn {
                definition,
                parent: spec.parent,
                global_name: spec.global_name.clone(),
                address: spec.promised,
            })
            .map_err(|e| e.to_string())
    }

    // Creations elsewhere

    /// A creation that this node promised an address for has ended.
    pub(crate) fn settle(&self, child: Address, outcome: &CreateOutcome) {
        match outcome {
            CreateOutcome::Created { address, node, existing } => self.settle_at(child, *node, *address, *existing),
            CreateOutcome::NoCompatibleNode(explanation) => {
                let reasons: Vec<_> =
                    explanation.rejected.iter().map(|r| format!("{} ({} nodes)", r.reason, r.nodes)).collect();
                self.settle_nowhere(child, &format!("no compatible node: {}", reasons.join("; ")));
            }
            CreateOutcome::Refused { reason, .. } => self.settle_nowhere(child, reason),
        }
    }

    fn settle_at(&self, child: Address, host: NodeRef, address: Address, existing: bool) {
        let mut promises = self.promises.lock();
        // A child that exited before its creation was confirmed has been buried already.
        let Some(Promise::Pending { parent, waiting, askers }) = promises.remove(&child) else { return };
        promises.insert(child, Promise::At(host, address));
        if let Some(parent) = parent
            && !existing
            && host != self.me
        {
            promises.adopt(host, child, parent);
        }
        // Under the lock, so that nothing overtakes what waited.
        for envelope in waiting.queue {
            self.send_to(host, address, envelope);
        }
        drop(promises);
        self.system().resume(waiting.ticket);
        for asker in askers {
            self.frame_to(asker, self.lane_key(&child, &child), Frame::settled(child, Some((host, address))));
        }
    }

    fn settle_nowhere(&self, child: Address, reason: &str) {
        let Some(Promise::Pending { parent, waiting, askers }) = self.promises.lock().remove(&child) else { return };
        self.bury(waiting);
        for asker in askers {
            self.frame_to(asker, self.lane_key(&child, &child), Frame::settled(child, None));
        }
        if let Some(parent) = parent {
            self.system().child_exited(parent, child, reason);
        }
    }

    fn bury(&self, waiting: Waiting) {
        for envelope in waiting.queue {
            self.dead_letter(envelope);
        }
        self.system().resume(waiting.ticket);
    }
}
