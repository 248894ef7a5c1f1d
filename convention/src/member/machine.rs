//! The member itself: its state, its verbs, and the match over what can happen to it.

use super::authority::Authorities;
use super::gone::Gone;
use super::revoking::Revocations;
use super::state::{Ask, Images, Job, Link, Placements};
use super::watching::Watching;
use super::{Effect, Input};
use crate::limits;
use crate::random::Random;
use crate::types::{Load, Millis, NodeFacts, RequestId, SourceHash};
use crate::wire::{ToLeader, ToMember};
use odeon::{Address, NodeRef};
use odeon_capabilities::CapabilityMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What an operator can tune.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// How often to renew until the leader says how often.
    pub renew_every_ms: Millis,
    /// How long to keep what needs the leader while there is no link to one.
    pub leader_absent_ms: Millis,
}

impl Default for MemberConfig {
    fn default() -> Self {
        Self { renew_every_ms: limits::RENEW_EVERY_MS, leader_absent_ms: limits::LEADER_ABSENT_MS }
    }
}

/// A member of a convention: one start of one node.
///
/// The driver gives it whatever happens with [`handle`](Member::handle), then does every
/// [`next_effect`](Member::next_effect) in order and wakes it at [`next_deadline`](Member::next_deadline).
/// A delta for [`Input::ChangeCapabilities`] that the map refuses changes nothing: the driver checks it first.
#[derive(Debug)]
pub struct Member {
    pub(super) config: MemberConfig,
    pub(super) me: NodeRef,
    /// As they are now; what it hosts and holds is kept apart.
    pub(super) facts: NodeFacts,
    pub(super) random: Random,
    pub(super) effects: VecDeque<Effect>,
    pub(super) link: Link,
    pub(super) term: u64,
    /// The highest term that somebody said to lead in: words of a lower one are out of date.
    pub(super) heard: u64,
    /// Since when the leader has not had this node in its list.
    pub(super) absent_since: Millis,
    pub(super) renew_every_ms: Millis,
    pub(super) renew_at: Millis,
    pub(super) numbers: u64,
    pub(super) asking: BTreeMap<u64, Ask>,
    pub(super) jobs: BTreeMap<RequestId, Job>,
    /// How many jobs are launching.
    pub(super) launching: usize,
    /// Actors that exited while something was launching, and that may be what was.
    pub(super) early_exits: BTreeSet<Address>,
    pub(super) checks: BTreeMap<u64, RequestId>,
    pub(super) tickets: u64,
    pub(super) placements: Placements,
    pub(super) gone: Gone,
    pub(super) images: Images,
    pub(super) revocations: Revocations,
    pub(super) watching: Watching,
    pub(super) authorities: Authorities,
}

impl Member {
    /// A member that has no link yet. `facts` says what the node is and has; `hosted` in it is not used.
    pub fn new(config: MemberConfig, me: NodeRef, mut facts: NodeFacts, seed: u64) -> Self {
        let images = Images { held: std::mem::take(&mut facts.images).into_iter().collect(), ..Images::default() };
        facts.hosted.clear();
        Self {
            renew_every_ms: config.renew_every_ms,
            config,
            me,
            facts,
            random: Random::new(seed),
            effects: VecDeque::new(),
            link: Link::Down,
            term: 0,
            heard: 0,
            absent_since: 0,
            renew_at: 0,
            numbers: 0,
            asking: BTreeMap::new(),
            jobs: BTreeMap::new(),
            launching: 0,
            early_exits: BTreeSet::new(),
            checks: BTreeMap::new(),
            tickets: 0,
            placements: Placements::default(),
            gone: Gone::default(),
            images,
            revocations: Revocations::default(),
            watching: Watching::default(),
            authorities: Authorities::default(),
        }
    }

    /// The leader that it follows, whether it is registered there or not.
    pub fn leader(&self) -> Option<NodeRef> {
        self.link.leader()
    }

    /// What the node has, as of now.
    pub fn capabilities(&self) -> &CapabilityMap {
        &self.facts.capabilities
    }

    /// While this node is to become empty: how many actors are being launched all the same, because that had begun.
    pub fn draining(&self) -> Option<usize> {
        self.facts.draining.then_some(self.launching)
    }

    /// How much may still come of an image here: creations that have begun, and one more while it may be used.
    pub fn awaited_of(&self, hash: SourceHash) -> usize {
        let begun = self.jobs.values().filter(|job| job.spec.image == Some(hash)).count();
        begun + usize::from(self.images.approved.contains(&hash))
    }

    /// Takes in what happened. `now` never goes back.
    pub fn handle(&mut self, now: Millis, input: Input) {
        match input {
            Input::Connected { leader } => self.connected(leader, 0, now),
            Input::Disconnected { leader } => self.disconnected(leader, now),
            Input::Received { from, message: ToMember::Leading { term, register_within_ms } } => {
                self.leading(from, term, register_within_ms, now);
            }
            Input::Received { from, message } => {
                // A word of another leader, or of an earlier start of this one, was meant for an earlier link.
                if self.link.leader() == Some(from) {
                    self.received(from, message, now);
                }
            }
            Input::Create { ticket, spec } => self.create(ticket, spec, now),
            Input::Explain { ticket, spec } => self.explain(ticket, spec, now),
            Input::Checked { ticket, outcome } => self.checked(ticket, outcome, now),
            Input::Fetched { hash, failure } => self.fetched(hash, failure, now),
            Input::Seek { hash } => self.tell(ToLeader::Seek { hash }),
            Input::ImageLost { hash } => self.image_lost(hash),
            Input::ImageRevoked { hash, end } => self.revocation_done(hash, end, now),
            Input::Launched { request, result } => self.launched(request, result, now),
            Input::ChangeCapabilities { delta } => self.change_capabilities(&delta, false, now),
            Input::Exited { address, global_name } => {
                self.watcher_gone(address);
                self.authority_gone(address);
                self.exited(address, global_name);
            }
            Input::Watch { by, topic, on } => self.watch(by, topic, on),
            Input::ClaimAuthority(claim) => self.claim_authority(claim),
            Input::LoadChanged { load } => self.facts.load = load,
            Input::Locate { node } => self.locate(node, now),
            Input::Drain { draining } => self.drain(draining, now),
            Input::Leave => self.leave(now),
            Input::Timer => self.timer(now),
        }
    }

    fn received(&mut self, from: NodeRef, message: ToMember, now: Millis) {
        match message {
            // Taken before, from whoever says it.
            ToMember::Leading { .. } => {}
            // What is answered is an earlier registration; the one that comes has an answer of its own, and says what has
            // changed since.
            ToMember::Registered { .. } | ToMember::RegistrationRefused { .. } if self.link.settles() => {}
            ToMember::Leaders { leaders } => self.know_leaders(leaders),
            ToMember::Registered { term, lease_ms, renew_every_ms, images, gone, gone_upto, leaders, revoked } => {
                let renew_every_ms = renew_every_ms.min(lease_ms).max(1);
                self.registered(from, term, renew_every_ms, now);
                self.know_leaders(leaders);
                self.welcomed_with_revoked(from, revoked, now);
                self.learn_images(images);
                self.welcomed_with(from, gone, gone_upto);
                self.ask_all(now);
                self.watch_anew();
                self.claim_authority_anew();
            }
            ToMember::RegistrationRefused { code, reason } => self.refused(from, code, reason, now),
            ToMember::RegisterAgain => self.register_again(now),
            ToMember::Place { request, spec, image, sources } => self.place(request, spec, image, sources),
            ToMember::Created { request, outcome } => self.created(request, outcome),
            ToMember::Explained { request, explanation } => self.explained(request, explanation),
            ToMember::MembersGone { nodes, reason, upto } => self.members_gone(nodes, &reason, upto),
            ToMember::GoneBefore { nodes, upto, last } => self.gone_before(nodes, upto, last),
            ToMember::Prefetch { image, sources } => self.prefetch(image, sources),
            ToMember::ImageUnloaded { hash } => self.image_unloaded(hash),
            ToMember::ImagesRevoked { revoked, confirm_within_ms } => {
                self.images_revoked(revoked, confirm_within_ms, now);
            }
            ToMember::SetCapabilities { delta } => self.change_capabilities(&delta, true, now),
            ToMember::Located { node, at } => self.located(node, at),
            ToMember::Ping => self.tell(ToLeader::Pong { load: self.facts.load }),
            ToMember::Reach { node, listen } => self.reach(node, listen),
            ToMember::Watched(told) => self.watched(from, *told),
            ToMember::AuthorityAnswered { address, refusal } => self.authority_answered(address, refusal),
            ToMember::Sources { hash, sources } => self.effects.push_back(Effect::Sources { hash, sources }),
        }
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to give it [`Input::Timer`], at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        let renew = self.link.renews().map(|_| self.renew_at);
        [renew, self.settles_at(), self.confirms_at(), self.give_up_at()].into_iter().flatten().min()
    }

    fn timer(&mut self, now: Millis) {
        if self.link.renews().is_some() && self.renew_at <= now {
            self.renew(now);
        }
        self.settle(now);
        self.confirm_revocations(now);
        self.give_up(now);
    }

    pub(super) fn send(&mut self, to: NodeRef, message: ToLeader) {
        self.effects.push_back(Effect::Send { to, message });
    }

    /// Tells the leader what happened, if it has been told what went before.
    pub(super) fn tell(&mut self, message: ToLeader) {
        if let Some(to) = self.link.told() {
            self.send(to, message);
        }
    }

    pub(super) fn load_by(&mut self, more: i64) {
        let actors = i64::from(self.facts.load.actors) + more;
        self.facts.load = Load { actors: u32::try_from(actors.max(0)).unwrap_or(u32::MAX) };
    }
}
