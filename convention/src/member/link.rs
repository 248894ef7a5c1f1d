//! The member keeps itself registered: the link, the registration, the lease, and its capabilities.

use super::Effect;
use super::machine::Member;
use super::state::{Link, Origin, Step};
use crate::codes;
use crate::limits;
use crate::types::{Millis, NodeFacts, RequestId, SourceHash};
use crate::wire::{LeaderAt, ToLeader};
use odeon::NodeRef;
use odeon_capabilities::Delta;

impl Member {
    /// A link to a leader, perhaps another one than before. What a leader asked for on an earlier link and is not
    /// launched yet is given up: the leader that still wants it asks again, another one would not know of it.
    pub(super) fn connected(&mut self, leader: NodeRef, register_within_ms: Millis, now: Millis) {
        if matches!(self.link, Link::Registered { .. }) {
            self.absent_since = now;
        }
        let given_up: Vec<RequestId> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.origin == Origin::Leader && job.step != Step::Launching)
            .map(|(request, _)| *request)
            .collect();
        for request in given_up {
            self.jobs.remove(&request);
        }
        self.checks.retain(|_, request| self.jobs.contains_key(request));
        self.link = Link::Settling { leader, until: now.saturating_add(self.random_ms(register_within_ms)) };
        self.schedule_renewal(now);
        self.settle(now);
    }

    /// Somebody says that it leads. The higher term is right; a lower one is of a leader that does not know of its end.
    pub(super) fn leading(&mut self, from: NodeRef, term: u64, register_within_ms: Millis, now: Millis) {
        let follows = self.link.leader() == Some(from);
        let known = self.heard;
        self.heard = known.max(term);
        if term < known || (follows && (term == known || known == 0)) {
            return;
        }
        self.connected(from, register_within_ms.min(limits::REGISTER_WITHIN_MS_MAX), now);
    }

    pub(super) fn know_leaders(&mut self, leaders: Vec<LeaderAt>) {
        if !leaders.is_empty() {
            self.effects.push_back(Effect::LeadersKnown(leaders));
        }
    }

    /// When it registers, with which leader: once no launch of an earlier link is under way.
    fn settles(&self) -> Option<(Millis, NodeRef)> {
        let Link::Settling { leader, until } = self.link else { return None };
        let launching = self.jobs.values().any(|j| j.origin == Origin::Leader && j.step == Step::Launching);
        (!launching).then_some((until, leader))
    }

    pub(super) fn settles_at(&self) -> Option<Millis> {
        self.settles().map(|(at, _)| at)
    }

    pub(super) fn settle(&mut self, now: Millis) {
        if let Some((at, leader)) = self.settles()
            && at <= now
        {
            self.register(leader, now);
        }
    }

    fn register(&mut self, leader: NodeRef, now: Millis) {
        self.link = Link::Registering { leader };
        let facts = NodeFacts {
            images: self.images.held.iter().copied().collect(),
            hosted: self.placements.list(),
            ..self.facts.clone()
        };
        self.says_what_is_held();
        self.send(leader, ToLeader::Register(Box::new(facts)));
        self.schedule_renewal(now);
    }

    pub(super) fn register_again(&mut self, now: Millis) {
        match self.link {
            Link::Registered { leader } => {
                self.absent_since = now;
                self.register(leader, now);
            }
            Link::Settling { leader, .. } => {
                self.link = Link::Settling { leader, until: now };
                self.settle(now);
            }
            // The word that it answers was said before the registration that is under way.
            Link::Registering { .. } | Link::Down | Link::Refused { .. } => {}
        }
    }

    pub(super) fn registered(&mut self, leader: NodeRef, term: u64, renew_every_ms: Millis, now: Millis) {
        self.heard = self.heard.max(term);
        if term != self.term {
            self.placements.forget_refusals();
            self.term = term;
        }
        self.renew_every_ms = renew_every_ms;
        self.schedule_renewal(now);
        self.link = Link::Registered { leader };
        self.effects.push_back(Effect::Joined { leader, term });
    }

    /// A refusal for what the node claims can be cured by a change of its capabilities. Every other one needs the
    /// driver: another name, or another start.
    pub(super) fn refused(&mut self, leader: NodeRef, code: u16, reason: String, now: Millis) {
        if matches!(self.link, Link::Registered { .. }) {
            self.absent_since = now;
        }
        self.link = Link::Refused { leader, curable: code == codes::CLAIM };
        self.effects.push_back(Effect::Rejected { code, reason });
    }

    pub(super) fn disconnected(&mut self, leader: NodeRef, now: Millis) {
        if self.link.leader() != Some(leader) {
            return;
        }
        if matches!(self.link, Link::Registered { .. }) {
            self.absent_since = now;
        }
        self.link = Link::Down;
    }

    pub(super) fn renew(&mut self, now: Millis) {
        if let Some(leader) = self.link.renews() {
            self.send(leader, ToLeader::Renew { load: self.facts.load });
            self.schedule_renewal(now);
        }
    }

    /// Up to an eighth early, so that members that came together do not renew together for ever.
    fn schedule_renewal(&mut self, now: Millis) {
        let early = self.random_ms(self.renew_every_ms / 8);
        self.renew_at = now.saturating_add(self.renew_every_ms.saturating_sub(early).max(1));
    }

    pub(super) fn random_ms(&mut self, max: Millis) -> Millis {
        self.random.below(usize::try_from(max).unwrap_or(0) + 1) as Millis
    }

    /// Changes this node's capabilities. A leader that asked is told even where nothing is different: that is the
    /// answer it waits for.
    pub(super) fn change_capabilities(&mut self, delta: &Delta, asked_by_leader: bool, now: Millis) {
        let Ok(changed) = self.facts.capabilities.apply(delta) else { return };
        if !changed && !asked_by_leader {
            return;
        }
        self.facts.capabilities_version += 1;
        if changed {
            self.effects.push_back(Effect::CapabilitiesChanged(self.facts.capabilities.clone()));
        }
        match self.link {
            Link::Refused { leader, curable: true } => {
                self.link = Link::Settling { leader, until: now };
                self.settle(now);
            }
            _ => {
                let version = self.facts.capabilities_version;
                self.tell(ToLeader::CapabilitiesChanged { version, delta: delta.clone() });
            }
        }
    }

    pub(super) fn leave(&mut self, _now: Millis) {
        self.tell(ToLeader::Leave);
        self.link = Link::Down;
        self.effects.push_back(Effect::Left);
    }

    /// The leader's list of what may be used: what is held and not on it is dropped.
    pub(super) fn learn_images(&mut self, approved: Vec<SourceHash>) {
        self.images.approved = approved.into_iter().collect();
        let dropped: Vec<SourceHash> =
            self.images.held.iter().filter(|hash| !self.images.approved.contains(*hash)).copied().collect();
        for hash in dropped {
            self.image_unloaded(hash);
        }
    }

    pub(super) fn image_unloaded(&mut self, hash: SourceHash) {
        self.images.approved.remove(&hash);
        self.images.known.remove(&hash);
        if self.images.held.remove(&hash) {
            self.tell(ToLeader::ImageHeld { hash, held: false });
        }
        self.effects.push_back(Effect::ImageUnloaded { hash });
        self.watched_unloaded(hash);
    }
}
