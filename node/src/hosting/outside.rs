//! What the local system of actors cannot do by itself.
//!
//! The system holds this node's hosting weakly: the hosting holds the system, and both end with their start of the node.

use super::frame::Frame;
use super::routes::{Promise, Reach, Waiting};
use super::{AskOutcome, Hosting};
use crate::driver::Event;
use odeon::host::{CreateRequest, Level};
use odeon::system::{Envelope, Exit, Outside, Pressure, Resolution};
use odeon::{Address, CapabilityMap, Topic, Value};
use odeon_capabilities::{Matcher, limits};
use odeon_convention::types::{CheckVerdict, CreateSpec, Placement, SourceHash};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// A hosting as its system knows it.
pub(super) struct Outpost(pub(super) Weak<Hosting>);

impl Outside for Outpost {
    fn resolve(&self, _parent: Option<Address>, image: Option<&str>, request: &CreateRequest) -> Resolution {
        match self.0.upgrade() {
            Some(hosting) => hosting.resolve(image, request),
            None => Resolution::Refused("the node has stopped".to_owned()),
        }
    }

    fn create(&self, child: Address, parent: Option<Address>, image: Option<&str>, request: CreateRequest) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.create(child, parent, image, request);
        }
    }

    fn send(&self, envelope: Envelope) -> Pressure {
        let Some(hosting) = self.0.upgrade() else { return Pressure::None };
        if envelope.to == Address::NODE {
            hosting.told_by_actor(envelope);
            return Pressure::None;
        }
        hosting.route(envelope)
    }

    fn waits(&self, by: Address, ticket: u64) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.follow(by, ticket, 0);
        }
    }

    fn drained(&self, actor: Address) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.has_drained(actor);
        }
    }

    fn dead_letter(&self, envelope: Envelope) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.count_dead_letter(envelope);
        }
    }

    fn exited(&self, exit: Exit) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.exited(exit);
        }
    }

    fn capabilities(&self) -> Arc<CapabilityMap> {
        self.0.upgrade().map_or_else(Arc::default, |hosting| hosting.capabilities.read().clone())
    }

    fn update_capability(&self, by: Address, key: String, value: Option<Value>) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.update_capability(by, key, value);
        }
    }

    fn overtaken(&self) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.look_again();
        }
    }

    fn watch(&self, by: Address, topic: Topic, on: bool) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.watch(by, topic, on);
        }
    }

    fn register_source_authority(&self, by: Address) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.register_source_authority(by);
        }
    }

    fn log(&self, by: Address, actor: &str, image: Option<&str>, level: Level, message: &str) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.log.line(by, actor, image, level, message);
        }
    }
}

impl Hosting {
    fn resolve(&self, own: Option<&str>, request: &CreateRequest) -> Resolution {
        let image = request.image.as_deref().or(own);
        if request.global_name.is_some() || self.is_draining() {
            return Resolution::Elsewhere;
        }
        let matcher = match Matcher::new(&request.requirements) {
            Ok(matcher) => matcher,
            Err(error) => return Resolution::Refused(error.to_string()),
        };
        let Some(definition) = self.definitions.find_for(own, image, &request.actor) else {
            return Resolution::Elsewhere;
        };
        // An actor of the image itself asks by way of its process, in a thread that may wait.
        if definition.waits && self.system().is_worker_thread() {
            return Resolution::Elsewhere;
        }
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

    /// What could not be delivered outside of the system.
    pub(super) fn dead_letter(&self, envelope: Envelope) {
        self.system().hand_dead_letter(&envelope);
        self.count_dead_letter(envelope);
    }

    /// What could not be delivered; the actor that handles dead letters has it already.
    fn count_dead_letter(&self, envelope: Envelope) {
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
            self.frame_to(self.host_of(&parent), self.lane_key(&exit.actor, &parent), frame);
        }
        self.loads.forget(exit.actor);
        self.own_exited(exit.actor);
        self.kept.lock().exits.push((exit.actor, exit.global_name));
        self.kept_changed.notify_one();
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
}

pub(super) fn parse_hash(text: &str) -> Option<SourceHash> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    Some(SourceHash(bytes.try_into().ok()?))
}
