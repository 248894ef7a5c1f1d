//! One member: the convention's machine, its links, and what is done for it. It hosts nothing.

use super::count::{Tally, Traffic};
use super::told::Fact;
use crate::identity::Identity;
use crate::leaders::Leaders;
use crate::link::Links;
use odeon::{Address, NodeRef, Topic};
use odeon_capabilities::{CapabilityMap, Delta, Value};
use odeon_convention::member::{Effect, Input, Member, MemberConfig};
use odeon_convention::types::{CheckOutcome, CheckVerdict, Load, NodeFacts};
use odeon_convention::wire::{self, LeaderAt, ToLeader, ToMember, Word};
use quinn::Connection;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What whoever asks such a member to host something is told.
const HOSTS_NOTHING: &str = "a member of a swarm hosts nothing";
/// Where the actor would live that watches.
const WATCHER_SLOT: u32 = 1;
/// Kinds of capability maps in a swarm, as many as a large fleet was seen to have.
const KINDS: u32 = 40;

/// Why a member is not in the leader's list: a code as listed in docs/errors, and a reason.
pub(super) type TurnedAway = (u16, String);

/// A member that was let in.
pub(super) struct Seat {
    identity: Arc<Identity>,
    machine: Member,
    links: Links,
    /// Where to begin, and on which connection.
    known: (Vec<LeaderAt>, Option<Connection>),
    /// The links to them, once begun.
    leaders: Option<Leaders>,
    tally: Arc<Tally>,
    /// The leader that had it in its list last, also once it has left.
    followed: Option<NodeRef>,
    /// Hears once how the registration ended.
    registered: Option<oneshot::Sender<Result<(), TurnedAway>>>,
    /// What the crew has in its clock for it.
    pub(super) due_ms: Option<u64>,
}

impl Seat {
    pub(super) fn new(
        identity: Arc<Identity>,
        facts: NodeFacts,
        seed: u64,
        links: Links,
        known: (Vec<LeaderAt>, Option<Connection>),
        tally: Arc<Tally>,
        registered: oneshot::Sender<Result<(), TurnedAway>>,
    ) -> Self {
        let machine = Member::new(MemberConfig::default(), identity.node(), facts, seed);
        let registered = Some(registered);
        Self { identity, machine, links, known, leaders: None, tally, followed: None, registered, due_ms: None }
    }

    /// Begins its link. What comes of it has to find the member in its place, or the leader's first word would be lost.
    pub(super) fn begin(&mut self) {
        let (known, connection) = std::mem::take(&mut self.known);
        self.leaders = Some(Leaders::new(self.identity.clone(), self.links.clone(), known, connection));
    }

    pub(super) fn me(&self) -> NodeRef {
        self.identity.node()
    }

    /// What QUIC has counted on its link to the leader.
    pub(super) fn traffic(&self) -> Traffic {
        let Some(leader) = self.followed else { return Traffic::default() };
        let counted = self.links.traffic(leader).map_or_else(Traffic::default, Traffic::from);
        Traffic { unsaid: u64::from(self.links.has_undelivered(leader)), ..counted }
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.machine.next_deadline()
    }

    /// Gives the machine what happened and does what it wants done.
    pub(super) fn handle(&mut self, now: u64, input: Input) {
        self.machine.handle(now, input);
        while let Some(effect) = self.machine.next_effect() {
            self.carry_out(now, effect);
        }
    }

    /// As if an actor here wanted to know of images and of what members can do.
    pub(super) fn watch(&mut self, now: u64) {
        let by = Address::mint(self.me(), WATCHER_SLOT, 1);
        for topic in [Topic::Capabilities, Topic::Images] {
            self.handle(now, Input::Watch { by, topic, on: true });
        }
    }

    /// A word on the control lane.
    pub(super) fn hear(&mut self, now: u64, from: NodeRef, bytes: &[u8]) {
        match wire::decode(bytes) {
            Ok(Word::ToMember(message @ ToMember::Leading { term, .. })) => {
                self.tally.hears_of(self.me(), term);
                self.handle(now, Input::Received { from, message });
            }
            Ok(Word::ToMember(message)) => self.handle(now, Input::Received { from, message }),
            // It leads nobody, and runs no image.
            Ok(Word::ToLeader(_) | Word::Carried { .. }) => {}
            Err(error) => tracing::warn!(node = %from, %error, "dropped a message"),
        }
    }

    fn carry_out(&mut self, now: u64, effect: Effect) {
        match effect {
            Effect::Send { to, message: message @ ToLeader::Renew { .. } } => {
                Tally::count(&self.tally.said);
                if let Ok(bytes) = wire::encode(&Word::ToLeader(message)) {
                    // Another one follows; what became of the link is told by itself.
                    let _ = self.links.send_sign(to, bytes);
                }
            }
            Effect::Send { to, message } => {
                Tally::count(&self.tally.said);
                let bytes = wire::encode(&Word::ToLeader(message)).map_err(|e| e.to_string());
                if bytes.and_then(|bytes| self.links.send_control(to, bytes).map_err(|e| e.to_string())).is_err() {
                    self.links.cut(to);
                }
            }
            Effect::LeadersKnown(known) => {
                if let Some(leaders) = &mut self.leaders {
                    leaders.know(known);
                }
            }
            Effect::Check { ticket, spec: _ } => {
                let outcome = CheckOutcome { verdict: CheckVerdict::Refused, read: Default::default() };
                self.machine.handle(now, Input::Checked { ticket, outcome });
            }
            Effect::Fetch { image, sources: _ } => {
                let failure = Some(HOSTS_NOTHING.to_owned());
                self.machine.handle(now, Input::Fetched { hash: image.hash, failure });
            }
            Effect::Launch { request, spec: _ } => {
                self.machine.handle(now, Input::Launched { request, result: Err(HOSTS_NOTHING.to_owned()) });
            }
            // It has neither bytes nor actors of the image.
            Effect::ImageRevoked { hash, end } => {
                self.tally.told.hear_of(self.me(), &Fact::Revoked(hash));
                self.machine.handle(now, Input::ImageRevoked { hash, end });
            }
            Effect::News { to: _, news } => news.iter().for_each(|news| self.tally.told.hear(self.me(), news)),
            Effect::MemberGone { node, reason: _ } => self.tally.is_gone(node),
            Effect::Joined { leader, term } => {
                self.followed = Some(leader);
                self.tally.is_registered(self.me(), term);
                self.is_registered(Ok(()));
            }
            Effect::Rejected { code, reason } => {
                self.tally.lose(code, reason.clone());
                self.is_registered(Err((code, reason)));
            }
            // Nobody here asks, and what a member of a swarm has is its own affair.
            Effect::Created { .. }
            | Effect::Explained { .. }
            | Effect::Located { .. }
            | Effect::Reach { .. }
            | Effect::Sources { .. }
            | Effect::CapabilitiesChanged(_)
            | Effect::Draining { .. }
            | Effect::ImageUnloaded { .. }
            | Effect::WatchRefused { .. }
            | Effect::AuthorityAnswered { .. }
            | Effect::Left => {}
        }
    }

    fn is_registered(&mut self, result: Result<(), TurnedAway>) {
        if let Some(end) = self.registered.take() {
            // Who waits may have given up.
            let _ = end.send(result);
        }
    }
}

/// What a member of a swarm says of itself.
pub(super) fn facts(name: String, number: u32) -> NodeFacts {
    let mut capabilities = CapabilityMap::new();
    let has = [("swarm", Value::Bool(true)), ("kind", Value::Integer(i64::from(number % KINDS)))];
    // Two short keys are within every limit of a map.
    let _ = capabilities.apply(&Delta(has.into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect()));
    NodeFacts {
        name,
        // Nobody can dial it.
        listen: String::new(),
        capabilities,
        capabilities_version: 0,
        natives: Vec::new(),
        images: Vec::new(),
        load: Load::default(),
        hosted: Vec::new(),
        draining: false,
    }
}
