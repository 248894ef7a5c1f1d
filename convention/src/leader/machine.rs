//! The leader itself: its state, its verbs, and the match over what can happen to it.

use super::authority::Takeovers;
use super::changes::Changes;
use super::creations::{Asker, Creations};
use super::expiry::Expiry;
use super::facts::{Facts, Registration};
use super::memo::Verdicts;
use super::outbox::Outbox;
use super::peers::Peers;
use super::pools::{Pools, Standing};
use super::revisions::Revisions;
use super::shortlist::Shortlists;
use super::survey::Checks;
use super::telling::Telling;
use super::watching::{Wants, Watchers};
use super::{Answer, Effect, Input, MemberState, Operation};
use crate::limits;
use crate::liveness::Leases;
use crate::random::Random;
use crate::record::Record;
use crate::types::{Millis, RequestId, Role};
use crate::wire::{LeaderAt, ToLeader, ToMember};
use odeon::{NodeId, NodeRef};
use odeon_capabilities::{Index, Selector};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an operator can tune, and the seed of every choice that is left to chance.
#[derive(Debug, Clone)]
pub struct LeaderConfig {
    /// Decides every draw.
    pub seed: u64,
    /// How long a member is believed in after its last word.
    pub lease_ms: Millis,
    /// How often members renew.
    pub renew_every_ms: Millis,
}

impl Default for LeaderConfig {
    fn default() -> Self {
        Self { seed: 0, lease_ms: limits::LEASE_MS, renew_every_ms: limits::RENEW_EVERY_MS }
    }
}

/// The leader of a convention.
///
/// Replay the ledger, then [`start`](Leader::start), then [`handle`](Leader::handle) whatever happens, and after each
/// do every [`next_effect`](Leader::next_effect) in order and wake it at [`next_deadline`](Leader::next_deadline).
#[derive(Debug)]
pub struct Leader {
    pub(super) config: LeaderConfig,
    pub(super) me: NodeRef,
    pub(super) random: Random,
    pub(super) facts: Facts,
    /// The capabilities of the registered nodes, by what they are.
    pub(super) index: Index<NodeId>,
    pub(super) outbox: Outbox,
    /// Who leads together, at the addresses that they had when they came into the group.
    pub(super) leaders: Vec<LeaderAt>,
    /// The same as members know it.
    pub(super) leaders_told: Vec<LeaderAt>,
    pub(super) peers: Peers,
    pub(super) leases: Leases,
    /// Members of the ledger that have not spoken since this leader started: they may host what it is asked for.
    pub(super) awaited: BTreeSet<NodeId>,
    /// When it started, and when one of those came back last.
    pub(super) started: Millis,
    pub(super) returned: Millis,
    pub(super) telling: Telling,
    pub(super) creations: Creations,
    pub(super) checks: Checks,
    pub(super) verdicts: Verdicts,
    pub(super) selector: Selector,
    /// The members that can take actors. Follows from `peers` and `index`.
    pub(super) pools: Pools,
    pub(super) shortlists: Shortlists,
    pub(super) changes: Changes,
    /// Follows from the facts.
    pub(super) revisions: Revisions,
    pub(super) watchers: Watchers,
    pub(super) expiry: Expiry,
    pub(super) takeovers: Takeovers,
    pub(super) dropped: u64,
}

impl Leader {
    /// A leader that knows nothing yet.
    pub fn new(config: LeaderConfig, me: NodeRef, _now: Millis) -> Self {
        Self {
            random: Random::new(config.seed),
            leases: Leases::new(config.lease_ms, config.renew_every_ms),
            config,
            me,
            facts: Facts::default(),
            index: Index::new(),
            outbox: Outbox::default(),
            leaders: Vec::new(),
            leaders_told: Vec::new(),
            peers: Peers::default(),
            awaited: BTreeSet::new(),
            started: 0,
            returned: 0,
            telling: Telling::default(),
            creations: Creations::default(),
            checks: Checks::default(),
            verdicts: Verdicts::default(),
            selector: Selector::new(limits::SELECTIONS_MAX),
            pools: Pools::default(),
            shortlists: Shortlists::default(),
            changes: Changes::default(),
            revisions: Revisions::default(),
            watchers: Watchers::default(),
            expiry: Expiry::default(),
            takeovers: Takeovers::default(),
            dropped: 0,
        }
    }

    /// A leader that knows what the ledger says.
    pub fn with_facts(config: LeaderConfig, me: NodeRef, facts: Facts) -> Self {
        let mut leader = Self::new(config, me, 0);
        for (id, registration) in &facts.registered {
            leader.index.insert(*id, registration.capabilities.clone());
            leader.revisions.set(*id, registration.changed_last());
        }
        leader.outbox.replayed(facts.count());
        leader.facts = facts;
        leader
    }

    /// Takes one record of the ledger, in its order, before [`start`](Leader::start).
    pub fn replay(&mut self, record: Record) {
        self.apply(record);
        self.settle();
        self.outbox.replayed(self.facts.count());
    }

    fn apply(&mut self, record: Record) {
        self.watchers.note(&record);
        let about = match &record {
            Record::NodeRegistered { node, .. } | Record::NodeGone { node, .. } => Some(node.id),
            _ => None,
        };
        self.facts.apply(record);
        if let Some(id) = about {
            self.peers.touch(id);
            self.revisions.set(id, self.facts.registered.get(&id).and_then(Registration::changed_last));
            match self.facts.registered.get(&id) {
                Some(registration) => self.index.insert(id, registration.capabilities.clone()),
                None => {
                    self.index.remove(id);
                }
            }
        }
    }

    /// Begins a term. Every member of the ledger is taken as alive until its lease could have run out from now.
    pub fn start(&mut self, now: Millis) {
        self.persist(Record::TermBegan { term: self.facts.term + 1 });
        self.creations.begin_term(self.facts.term);
        if !self.facts.admitted.contains_key(&self.me.id) {
            self.persist(Record::NodeAdmitted { node: self.me.id, role: Role::Leader, claims: None });
        }
        let known: Vec<NodeRef> = self.facts.registered.values().map(|r| r.node).collect();
        self.started = now;
        for node in known {
            self.peers.begin(node, MemberState::Suspect, now);
            self.leases.renew(node.id, now);
            self.awaited.insert(node.id);
        }
        self.leases.ask_echo(now);
        self.echo();
        self.settle();
    }

    /// Takes in what happened. `now` never goes back.
    pub fn handle(&mut self, now: Millis, input: Input) {
        match input {
            Input::Connected { node, role } => self.connected(node, role, now),
            Input::Disconnected { node } => self.disconnected(node, now),
            Input::Group { leaders } => self.regroup(leaders),
            Input::Received { from, message } => self.received(from, message, now),
            Input::Operation { ticket, operation } => self.operate(ticket, operation, now),
            Input::Committed { index } => self.committed(index),
            Input::Checked { ticket, outcome } => self.checked(ticket, outcome, now),
            Input::Heard { until } => {
                let silent = self.leases.heard(until, now);
                self.expire(silent, now);
            }
            Input::Flushed => self.flushed(),
            Input::Clock { unix_s } => self.tell_time(unix_s),
            Input::Timer => {
                let silent = self.leases.silent(now);
                self.expire(silent, now);
            }
        }
        self.settle();
    }

    /// Puts whoever may have changed into the pool that it belongs to now.
    pub(super) fn settle(&mut self) {
        for id in self.peers.take_touched() {
            let peer = self.peers.live.get(&id).filter(|peer| !peer.draining);
            let standing = peer.zip(self.index.class_of(id)).map(|(peer, class)| Standing {
                class: class.id(),
                linked: Arc::clone(peer.linked()),
                reachable: peer.reachable(),
                load: peer.load(),
            });
            self.pools.set(id, standing);
        }
    }

    pub(super) fn echo(&mut self) {
        if let Some(at) = self.leases.take_echo() {
            self.outbox.at_once(Effect::Echo { at });
        }
    }

    /// Words that waited for these records leave, and those follow that say what they changed.
    fn committed(&mut self, index: u64) {
        self.outbox.commit(index);
        self.tell_all();
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.outbox.next()
    }

    /// When to give it [`Input::Timer`], at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.leases.next()
    }

    fn received(&mut self, from: NodeRef, message: ToLeader, now: Millis) {
        if let ToLeader::Register(facts) = message {
            return self.register(from, *facts, now);
        }
        if !self.heard(from, now) {
            return;
        }
        match message {
            ToLeader::Register(_) => {}
            ToLeader::Renew { load } | ToLeader::Pong { load } => self.renewed(from, load),
            ToLeader::CapabilitiesChanged { version, delta } => {
                self.capabilities_changed(from, version, &delta, now);
            }
            ToLeader::Create { request, again, spec } => {
                if request.node == from {
                    self.create(request, Asker::Member(from), again, *spec, now);
                } else {
                    self.drop_word(from, "a creation of another node");
                }
            }
            ToLeader::Explain { request, spec } => self.explain(Asker::Member(from), request, *spec, now),
            ToLeader::Placed { request, outcome } => self.placed(from, request, outcome, now),
            ToLeader::NameFreed { name, address } => self.name_freed(from, name, address),
            ToLeader::ImageHeld { hash, held } => self.image_held(from, hash, held),
            ToLeader::Locate { node } => self.locate(from, node),
            ToLeader::Leave => self.left(from, now),
            ToLeader::GroupFreed { group, request } => self.group_freed(from, &group, request),
            ToLeader::Draining { draining } => self.draining_changed(from, draining, now),
            ToLeader::Watch { watch, members, images, capabilities } => {
                let wants = Wants { members, images, capabilities: capabilities.is_some() };
                self.watch(from, watch, wants, capabilities);
            }
            ToLeader::WatchNext { watch } => self.watch_next(from, watch),
            ToLeader::GoneSince { upto } => self.tell_gone_since(from, upto),
            ToLeader::RevokedSince { upto } => self.tell_revoked_since(from, upto),
            ToLeader::RevocationsDone { upto, dropped } => self.revocations_done(from, upto, &dropped),
            ToLeader::RegisterAuthority(claim) => self.register_authority(from, claim, now),
            ToLeader::AuthorityExited { address } => self.authority_exited(from, address),
            ToLeader::Seek { hash } => self.seek(from, hash),
        }
    }

    fn operate(&mut self, ticket: u64, operation: Operation, now: Millis) {
        let answer = match operation {
            Operation::CreateToken(fact) => Some(self.create_token(fact)),
            Operation::Admit { token, node, now_unix_s } => Some(self.admit(token, node, now_unix_s)),
            Operation::UseToken { token, now_unix_s } => Some(self.use_token(token, now_unix_s)),
            Operation::JudgeImage { image, approved, by, approval } => {
                Some(self.judge_image(image, approved, by, approval))
            }
            Operation::UnloadImage { hash } => Some(self.unload_image(hash)),
            Operation::RevokeImage { image, reason, by } => Some(self.revoke_image(image, reason, by, now)),
            Operation::Prefetch { hash, requirements } => Some(self.prefetch(hash, &requirements)),
            Operation::Confirmations { hash } => Some(self.tell_confirmations(hash)),
            Operation::SetAuthority(authority) => Some(self.set_authority(authority)),
            Operation::AuthorityMissing { address } => Some(self.authority_is_missing(address)),
            Operation::SetCapabilities { node, delta } => self.set_capabilities(ticket, node, delta),
            Operation::Create(spec) => {
                let request = self.creations.mint(self.me);
                self.create(request, Asker::Operator(ticket), false, *spec, now);
                None
            }
            Operation::Explain(spec) => {
                let request = self.creations.mint(self.me);
                self.explain(Asker::Operator(ticket), request, *spec, now);
                None
            }
        };
        if let Some(answer) = answer {
            self.answer(ticket, answer);
        }
    }

    /// Makes a fact true here and durable in the ledger.
    pub(super) fn persist(&mut self, record: Record) {
        let index = self.outbox.persist(record.clone());
        let authority = self.facts.authority_actor.as_ref().map(|who| who.node);
        self.apply(record);
        if let Some(node) = authority.filter(|_| self.facts.authority_actor.is_none()) {
            let text =
                "the actor that was the Source Authority is not any more: until another one is, no image is approved";
            self.outbox.notice(true, node, text.to_owned());
        }
        assert_eq!(index, self.facts.count(), "a record has the number that it is counted with");
    }

    pub(super) fn answer(&mut self, ticket: u64, answer: Answer) {
        self.outbox.after_facts(Effect::Answer { ticket, answer });
    }

    pub(super) fn send(&mut self, to: NodeRef, message: ToMember) {
        self.outbox.after_facts(Effect::Send { to, message });
    }

    /// Sends to every member that is registered on its present link.
    pub(super) fn broadcast(&mut self, message: &ToMember) {
        let all: Vec<NodeRef> = self.peers.live.values().filter(|p| p.current).map(|p| p.node).collect();
        for to in all {
            self.send(to, message.clone());
        }
    }

    /// A word that makes no sense harms only who said it.
    pub(super) fn drop_word(&mut self, from: NodeRef, what: &str) {
        self.dropped = self.dropped.saturating_add(1);
        self.outbox.notice(true, from, format!("dropped {what}, said by {from}"));
    }

    /// Words of members that made no sense and were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether some member of the ledger has not spoken since this leader started and may still live.
    pub(super) fn recovering(&self) -> bool {
        !self.awaited.is_empty()
    }

    pub(super) fn reply(
        &mut self,
        asker: Asker,
        request: RequestId,
        member: impl FnOnce(RequestId) -> ToMember,
        operator: Answer,
    ) {
        match asker {
            Asker::Member(node) if self.peers.of(node).is_some_and(|p| p.current) => self.send(node, member(request)),
            Asker::Member(_) => {}
            Asker::Operator(ticket) => self.answer(ticket, operator),
        }
    }
}
