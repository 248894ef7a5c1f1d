//! The actors of this node and the way to all others: what lies outside the local system of actors.
//!
//! Owns the definitions that are linked in or loaded from images, the node's capabilities as actors see them, and
//! the routing of messages between nodes. It decides nothing about membership or placement: creations that this
//! node cannot or may not make itself go to the driver. Start with [`Hosting::route`].

mod checks;
mod definitions;
mod frame;
mod routes;

pub(crate) use checks::Checks;

use crate::driver::Event;
use crate::link::{self, Links};
use crate::logs::ActorLog;
use definitions::Definitions;
use frame::Frame;
use hashbrown::{HashMap, HashSet};
use odeon::host::{CreateRequest, Level};
use odeon::system::{Envelope, Exit, Outside, Pressure, Resolution, Spawn, SpawnError, System};
use odeon::{
    ActorExitRequest, Address, AnyMessage, CapabilityMap, Definition, Encoded, Message, NodeId, NodeRef, PoisonMessage,
    Registry, Value,
};
use odeon_capabilities::{Delta, Matcher, limits};
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateOutcome, CreateSpec, Placement, SourceHash};
use parking_lot::{Mutex, RwLock};
use routes::{Located, Nodes, Promise, Promises, Reach, Waiting};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Notify, mpsc};

/// Tickets of this module have their highest bit set, those of links have not.
const OWN_TICKET: u64 = 1 << 63;

/// What waits for a reply to an ask: the reply, or the fact that nobody is there.
type AskEnd = tokio::sync::oneshot::Sender<AskOutcome>;

/// How an ask ended.
#[derive(Debug)]
pub(crate) enum AskOutcome {
    Reply(AnyMessage),
    Undeliverable,
}

/// What the driver must learn however busy it is: bounded by the number of actors and of capability keys.
#[derive(Default)]
pub(crate) struct Kept {
    /// Actors that are gone, with their global names.
    pub(crate) exits: Vec<(Address, Option<String>)>,
    /// What actors changed of the node's capabilities, the last word on each key.
    pub(crate) capabilities: Delta,
}

/// What actors of this node can reach.
pub(crate) struct Hosting {
    me: NodeRef,
    definitions: Definitions,
    capabilities: RwLock<Arc<CapabilityMap>>,
    /// Whether this node is to become empty: then children are created elsewhere.
    draining: AtomicBool,
    pub(crate) checks: Checks,
    system: OnceLock<System>,
    links: OnceLock<Links>,
    promises: Mutex<Promises>,
    located: Mutex<Located>,
    nodes: RwLock<Nodes>,
    asks: Mutex<HashMap<Address, AskEnd>>,
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
    pub(crate) fn new(
        me: NodeRef,
        registry: Registry,
        capabilities: CapabilityMap,
        events: mpsc::Sender<Event>,
        log: ActorLog,
    ) -> Arc<Self> {
        Arc::new(Self {
            me,
            definitions: Definitions::new(registry),
            capabilities: RwLock::new(Arc::new(capabilities)),
            draining: AtomicBool::new(false),
            checks: Checks::new(),
            system: OnceLock::new(),
            links: OnceLock::new(),
            promises: Mutex::default(),
            located: Mutex::default(),
            nodes: RwLock::default(),
            asks: Mutex::default(),
            events,
            kept: Mutex::default(),
            kept_changed: Notify::new(),
            log,
            tickets: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            bad_frames: AtomicU64::new(0),
            hasher: hashbrown::DefaultHashBuilder::default(),
        })
    }

    /// Gives it the system whose outside it is, and the links. Before that nothing runs.
    pub(crate) fn attach(&self, system: System, links: Links) {
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

    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::SeqCst);
    }

    /// Asks every actor without a parent here to exit with its children, but for those in `asked`, which it adds to.
    /// Gives how many actors are left.
    pub(crate) fn ask_all_to_exit(&self, asked: &mut HashSet<Address>) -> usize {
        let actors = self.system().actors();
        let here: HashSet<Address> = actors.iter().map(|actor| actor.address).collect();
        let roots = actors.iter().filter(|actor| actor.parent.is_none_or(|parent| !here.contains(&parent)));
        for root in roots.map(|actor| actor.address).filter(|root| asked.insert(*root)) {
            let message = AnyMessage::new(ActorExitRequest::default());
            self.system().deliver(Envelope { to: root, sender: self.nobody(), message });
        }
        asked.retain(|address| here.contains(address));
        actors.len()
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

    // Routing

    /// Sends a message on its way, wherever its target lives.
    pub(crate) fn route(&self, envelope: Envelope) -> Pressure {
        let to = envelope.to;
        if !to.is_promised() {
            if to.node() == self.me {
                self.system().deliver(envelope);
                return Pressure::None;
            }
            return self.send_to(to.node(), to, envelope);
        }
        if to.node() == self.me { self.to_promise(envelope) } else { self.to_located(envelope) }
    }

    fn to_promise(&self, envelope: Envelope) -> Pressure {
        let mut promises = self.promises.lock();
        match promises.find(&envelope.to) {
            Some(Promise::Pending { waiting, .. }) => {
                let ticket = waiting.ticket;
                if waiting.push(envelope) { Pressure::PutAside(ticket) } else { Pressure::None }
            }
            Some(Promise::At(host, address)) => {
                let (host, address) = (*host, *address);
                drop(promises);
                self.send_to(host, address, envelope)
            }
            None => {
                drop(promises);
                // Hosted here under an address that this node promised, or nowhere: the system knows.
                self.system().deliver(envelope);
                Pressure::None
            }
        }
    }

    fn to_located(&self, envelope: Envelope) -> Pressure {
        let mut located = self.located.lock();
        let promised = envelope.to;
        if let Some((host, address)) = located.place(&promised) {
            drop(located);
            return self.send_to(host, address, envelope);
        }
        if let Some(waiting) = located.asking.get_mut(&promised) {
            let ticket = waiting.ticket;
            return if waiting.push(envelope) { Pressure::PutAside(ticket) } else { Pressure::None };
        }
        let mut waiting = Waiting::new(self.ticket());
        waiting.push(envelope);
        located.asking.insert(promised, waiting);
        drop(located);
        if !self.frame_to(promised.node(), self.lane_key(&promised, &promised), Frame::where_is(promised)).0 {
            self.located_nowhere(&promised);
        }
        Pressure::None
    }

    fn located_nowhere(&self, promised: &Address) {
        let waiting = self.located.lock().asking.remove(promised);
        if let Some(waiting) = waiting {
            self.bury(waiting);
        }
    }

    /// Sends to an actor whose host is known. `address` may differ from the one that the sender used.
    fn send_to(&self, host: NodeRef, address: Address, mut envelope: Envelope) -> Pressure {
        envelope.to = address;
        if host == self.me {
            self.system().deliver(envelope);
            return Pressure::None;
        }
        let frame = match Frame::message(&envelope) {
            Ok(frame) => frame,
            Err(error) => {
                self.poison(&envelope, error.to_string());
                return Pressure::None;
            }
        };
        let (sent, pressure) = self.frame_to(host, self.lane_key(&envelope.sender, &address), frame);
        if !sent {
            self.dead_letter(envelope);
        }
        pressure
    }

    /// Tells a sender that its message cannot be encoded.
    fn poison(&self, envelope: &Envelope, details: String) {
        let message = Encoded { name: envelope.message.name().to_owned(), bytes: Vec::new() };
        let poison = PoisonMessage { actor: envelope.to, message, details };
        self.system().deliver(Envelope { to: envelope.sender, sender: envelope.to, message: AnyMessage::new(poison) });
    }

    /// Hands a frame to the link of a node, or lets it wait until the node is located. False: the node is gone.
    fn frame_to(&self, node: NodeRef, lane_key: u64, frame: Vec<u8>) -> (bool, Pressure) {
        match self.nodes.read().find(&node) {
            Some(Reach::Linked) => return self.link_frame(node, lane_key, frame),
            Some(Reach::Gone) => return (false, Pressure::None),
            _ => {}
        }
        let mut nodes = self.nodes.write();
        match nodes.find_mut(&node) {
            Some(Reach::Linked) => self.link_frame(node, lane_key, frame),
            Some(Reach::Gone) => (false, Pressure::None),
            Some(Reach::Asked { frames, ticket }) => {
                frames.push((lane_key, frame));
                let full = frames.len() > routes::WAITING_MAX;
                (true, if full { Pressure::PutAside(*ticket) } else { Pressure::None })
            }
            None => {
                nodes.set(node, Reach::Asked { frames: vec![(lane_key, frame)], ticket: self.ticket() });
                drop(nodes);
                self.tell_driver(Event::Locate(node.id));
                (true, Pressure::None)
            }
        }
    }

    /// Hands a frame to the link of a node. False: the link does not take it, and says why in the log.
    fn link_frame(&self, node: NodeRef, lane_key: u64, frame: Vec<u8>) -> (bool, Pressure) {
        match self.links().send(node, lane_key, frame) {
            link::Pressure::None => (true, Pressure::None),
            link::Pressure::PutAside(ticket) => (true, Pressure::PutAside(ticket)),
            link::Pressure::Refused { reason, .. } => {
                tracing::debug!(%node, reason, "a link does not take a frame");
                (false, Pressure::None)
            }
        }
    }

    fn tell_driver(&self, event: Event) {
        // The driver's queue is long; a node whose driver is that far behind refuses rather than grows.
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            match event {
                Event::CreateForActor { spec, .. } => {
                    if let Some(child) = spec.promised {
                        self.settle_nowhere(child, "too many creations are under way on this node");
                    }
                }
                Event::Locate(id) => self.locate_failed(id),
                _ => {}
            }
        }
    }

    fn ticket(&self) -> u64 {
        OWN_TICKET | self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    fn lane_key(&self, a: &Address, b: &Address) -> u64 {
        self.hasher.hash_one((a, b))
    }

    // What the driver and the links tell

    /// A session with a node exists: what waited for it goes out.
    pub(crate) fn node_linked(&self, node: NodeRef) {
        let mut nodes = self.nodes.write();
        if matches!(nodes.find(&node), Some(Reach::Gone)) {
            return;
        }
        let before = nodes.set(node, Reach::Linked);
        if let Some(Reach::Asked { frames, ticket }) = before {
            for (lane_key, frame) in frames {
                // Pressure shows at the next send; these were accepted already.
                if let link::Pressure::Refused { frame, .. } = self.links().send(node, lane_key, frame) {
                    self.undelivered([frame]);
                }
            }
            drop(nodes);
            self.system().resume(ticket);
        }
    }

    /// The leader said where a node can be dialled, and which start of it lives now.
    pub(crate) fn node_located(&self, id: NodeId, at: Option<(NodeRef, String)>) {
        if let Some((node, address)) = at {
            if let Err(error) = self.links().dial(node, &address) {
                return self.node_gone(node, &error.to_string());
            }
            self.node_linked(node);
            let stale: Vec<_> = self.nodes.read().asked(id).into_iter().filter(|n| *n != node).collect();
            stale.into_iter().for_each(|n| self.node_gone(n, "superseded by a later start"));
        } else {
            self.locate_failed(id);
        }
    }

    fn locate_failed(&self, id: NodeId) {
        let asked = self.nodes.read().asked(id);
        asked.into_iter().for_each(|node| self.node_gone(node, "no such node lives"));
    }

    /// A node is gone for good: parents are told, what waits for it is buried.
    pub(crate) fn node_gone(&self, node: NodeRef, reason: &str) {
        let before = self.nodes.write().set(node, Reach::Gone);
        if matches!(before, Some(Reach::Gone)) {
            return;
        }
        if let Some(Reach::Asked { frames, ticket }) = before {
            self.undelivered(frames.into_iter().map(|(_, frame)| frame));
            self.system().resume(ticket);
        }
        let orphans = self.promises.lock().node_gone(node);
        for (child, parent) in orphans {
            self.system().child_exited(parent, child, &format!("its node is gone: {reason}"));
        }
        let waiting = self.located.lock().node_gone(node);
        waiting.into_iter().for_each(|w| self.bury(w));
        // Gives back what was never acknowledged, through `undelivered`.
        self.links().forget(node);
    }

    /// Frames that a link could not deliver.
    pub(crate) fn undelivered(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            match Frame::parse(&frame) {
                Ok(Frame::Message(envelope)) => self.dead_letter(envelope),
                Ok(Frame::WhereIs { promised }) => self.located_nowhere(&promised),
                _ => {}
            }
        }
    }

    /// A link has room again.
    pub(crate) fn drained(&self, ticket: u64) {
        self.system().resume(ticket);
    }

    /// Frames of another node, in their order.
    pub(crate) fn receive(&self, from: NodeRef, frames: Vec<Vec<u8>>) {
        for frame in frames {
            match Frame::parse(&frame) {
                Ok(frame) => self.take(from, frame),
                Err(error) => {
                    if self.bad_frames.fetch_add(1, Ordering::Relaxed) == 0 {
                        tracing::warn!(node = %from, %error, "dropped a frame; later ones are only counted");
                    }
                }
            }
        }
    }

    fn take(&self, from: NodeRef, frame: Frame) {
        match frame {
            Frame::Message(envelope) => {
                let sender = envelope.sender;
                if sender.is_promised() && sender.node() != self.me && sender.node() != from {
                    self.located.lock().learn(sender, from, sender);
                }
                self.arrived(envelope);
            }
            Frame::ChildExited { parent, child, reason } => {
                let mut promises = self.promises.lock();
                promises.release(from, &child);
                let promise = promises.remove(&child);
                drop(promises);
                if let Some(Promise::Pending { waiting, .. }) = promise {
                    self.bury(waiting);
                }
                self.system().child_exited(parent, child, &reason);
            }
            Frame::Undeliverable { sender } => {
                if let Some(end) = self.asks.lock().remove(&sender) {
                    let _ = end.send(AskOutcome::Undeliverable);
                }
            }
            Frame::WhereIs { promised } => self.where_is(from, promised),
            Frame::Settled { promised, at } => self.settled_elsewhere(from, promised, at),
        }
    }

    /// A message from another node: for an actor here, or for one that this node promised and another hosts.
    fn arrived(&self, envelope: Envelope) {
        if envelope.to.is_promised() && envelope.to.node() == self.me {
            let _ = self.to_promise(envelope);
        } else {
            self.system().deliver(envelope);
        }
    }

    fn where_is(&self, asker: NodeRef, promised: Address) {
        let answer = match self.promises.lock().find(&promised) {
            Some(Promise::Pending { askers, .. }) => {
                if !askers.contains(&asker) {
                    askers.push(asker);
                }
                return;
            }
            Some(Promise::At(host, address)) => Some((*host, *address)),
            None => self.system().status(promised).map(|_| (self.me, promised)),
        };
        self.frame_to(asker, self.lane_key(&promised, &promised), Frame::settled(promised, answer));
    }

    fn settled_elsewhere(&self, from: NodeRef, promised: Address, at: Option<(NodeRef, Address)>) {
        if promised.node() != from {
            // Only the node that promised an address can say where its actor is.
            self.bad_frames.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some((host, address)) = at else { return self.located_nowhere(&promised) };
        let mut located = self.located.lock();
        located.learn(promised, host, address);
        if let Some(waiting) = located.asking.remove(&promised) {
            // Under the lock, so that nothing overtakes what waited.
            for envelope in waiting.queue {
                let _ = self.send_to(host, address, envelope);
            }
            drop(located);
            self.system().resume(waiting.ticket);
        }
    }

    // People

    /// Sends an untyped message in nobody's name.
    pub(crate) fn tell(&self, to: Address, message: Encoded) {
        let sender = self.nobody();
        let _ = self.route(Envelope { to, sender, message: AnyMessage::from_encoded(message) });
    }

    /// Sends a message of this crate's own in nobody's name.
    pub(crate) fn tell_typed(&self, to: Address, message: impl Message) {
        let sender = self.nobody();
        let _ = self.route(Envelope { to, sender, message: AnyMessage::new(message) });
    }

    /// An address that no actor has: replies to it are dead letters.
    fn nobody(&self) -> Address {
        Address::mint(self.me, 0, 0)
    }

    /// Sends an untyped message and waits for whatever comes back first.
    pub(crate) async fn ask(&self, to: Address, message: Encoded) -> Result<AskOutcome, SpawnError> {
        let (end, outcome) = tokio::sync::oneshot::channel();
        let (first, mut replies) = mpsc::channel(1);
        let endpoint = self.system().endpoint(Box::new(move |envelope| {
            // Whatever comes after the first reply is nobody's.
            let _ = first.try_send(envelope.message);
        }))?;
        let sender = endpoint.address();
        self.asks.lock().insert(sender, end);
        let guard = AskGuard { hosting: self, sender };
        let _ = self.route(Envelope { to, sender, message: AnyMessage::from_encoded(message) });
        let ended = tokio::select! {
            Some(reply) = replies.recv() => AskOutcome::Reply(reply),
            Ok(ended) = outcome => ended,
        };
        drop(guard);
        Ok(ended)
    }
}

/// Forgets an ask, also one whose asker went away.
struct AskGuard<'a> {
    hosting: &'a Hosting,
    sender: Address,
}

impl Drop for AskGuard<'_> {
    fn drop(&mut self) {
        self.hosting.asks.lock().remove(&self.sender);
    }
}

impl Outside for Hosting {
    fn resolve(&self, _parent: Option<Address>, own: Option<&str>, request: &CreateRequest) -> Resolution {
        let image = request.image.as_deref().or(own);
        if request.global_name.is_some() || self.draining.load(Ordering::SeqCst) {
            return Resolution::Elsewhere;
        }
        let matcher = match Matcher::new(&request.requirements) {
            Ok(matcher) => matcher,
            Err(error) => return Resolution::Refused(error.to_string()),
        };
        let Some(definition) = self.definitions.find_for(own, image, &request.actor) else {
            return Resolution::Elsewhere;
        };
        let capabilities = self.capabilities.read().clone();
        let fits = matcher.refusals(&capabilities).is_empty()
            && definition.required.iter().all(|key| capabilities.value(key).is_some_and(Value::is_true))
            && self.checks.run(&definition, &capabilities, &request.requirements).verdict == CheckVerdict::Accepted;
        if fits { Resolution::Here(definition) } else { Resolution::Elsewhere }
    }

    fn create(&self, child: Address, parent: Option<Address>, image: Option<&str>, request: CreateRequest) {
        let image = request.image.as_deref().or(image);
        let waiting = Waiting::new(self.ticket());
        self.promises.lock().insert(child, Promise::Pending { parent, waiting, askers: Vec::new() });
        let image = match image.map(parse_hash) {
            Some(None) => return self.settle_nowhere(child, "the image given is not a source hash"),
            other => other.flatten(),
        };
        let spec = CreateSpec {
            actor: request.actor,
            image,
            requirements: request.requirements,
            global_name: request.global_name,
            placement: Placement::Local,
            on: None,
            parent,
            promised: Some(child),
            distinct: None,
        };
        self.tell_driver(Event::CreateForActor { child, spec: Box::new(spec) });
    }

    fn send(&self, envelope: Envelope) -> Pressure {
        self.route(envelope)
    }

    fn dead_letter(&self, envelope: Envelope) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(to = %envelope.to, sender = %envelope.sender, message = envelope.message.name(), "dead letter");
        let sender = envelope.sender;
        if let Some(end) = self.asks.lock().remove(&sender) {
            let _ = end.send(AskOutcome::Undeliverable);
        } else if sender.node() != self.me && !sender.is_promised() {
            let frame = Frame::undeliverable(envelope.to, sender);
            let linked = matches!(self.nodes.read().find(&sender.node()), Some(Reach::Linked));
            if linked {
                self.link_frame(sender.node(), self.lane_key(&envelope.to, &sender), frame);
            }
        }
    }

    fn exited(&self, exit: Exit) {
        if let Some(parent) = exit.parent
            && parent.node() != self.me
        {
            let frame = Frame::child_exited(parent, exit.actor, &exit.reason);
            let host = if parent.is_promised() {
                self.located.lock().place(&parent).map_or(parent.node(), |(host, _)| host)
            } else {
                parent.node()
            };
            self.frame_to(host, self.lane_key(&exit.actor, &parent), frame);
        }
        self.kept.lock().exits.push((exit.actor, exit.global_name));
        self.kept_changed.notify_one();
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        self.capabilities.read().clone()
    }

    fn update_capability(&self, by: Address, key: String, value: Option<Value>) {
        let changes = &mut self.kept.lock().capabilities.0;
        if changes.len() >= limits::KEYS_MAX && !changes.contains_key(&key) {
            tracing::warn!(actor = %by, key, "dropped a change of capabilities: too many keys at once");
            return;
        }
        changes.insert(key, value);
        self.kept_changed.notify_one();
    }

    fn log(&self, by: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
        self.log.line(by, actor, image, level, message);
    }
}

fn parse_hash(text: &str) -> Option<SourceHash> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    Some(SourceHash(bytes.try_into().ok()?))
}
