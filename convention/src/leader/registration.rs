//! Members come, speak and change.
//!
//! A start of a node (its incarnation) is registered, and renews its lease with every word until it ends.

use super::MemberState;
use super::departure::Ending;
use super::machine::Leader;
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{Load, Millis, NodeFacts, Role};
use crate::wire::{LeaderAt, ToMember};
use odeon::{NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Delta};

impl Leader {
    /// A link proves that the node lives; what it has is known once it registers.
    pub(super) fn connected(&mut self, node: NodeRef, role: Role, now: Millis) {
        if role == Role::Operator {
            return;
        }
        let (term, register_within_ms) = (self.facts.term, self.register_within_ms(node.id));
        self.send(node, ToMember::Leading { term, register_within_ms });
        if let Some(peer) = self.peers.of_mut(node) {
            peer.connected = true;
            peer.current = false;
            self.leases.renew(node.id, now);
            self.enter(node, MemberState::Alive, "its link is up", now);
        }
    }

    /// Nobody has to wait but those that turn to this leader together.
    fn register_within_ms(&self, id: NodeId) -> Millis {
        if !self.awaited.contains(&id) {
            return 0;
        }
        let all_us = limits::REGISTER_EACH_US.saturating_mul(self.awaited.len() as u64);
        (all_us / 1_000).min(limits::REGISTER_WITHIN_MS_MAX)
    }

    pub(super) fn disconnected(&mut self, node: NodeRef, now: Millis) {
        if let Some(peer) = self.peers.of_mut(node) {
            peer.connected = false;
            peer.current = false;
            self.enter(node, MemberState::Suspect, "its link is down", now);
        }
    }

    /// Whether the word of `from` counts. It renews the lease; who has not registered is told to.
    pub(super) fn heard(&mut self, from: NodeRef, now: Millis) -> bool {
        let Some(peer) = self.peers.of(from) else {
            match self.refusal_of(from) {
                Some((code, reason)) => self.refuse(from, code, reason),
                None => self.send(from, ToMember::RegisterAgain),
            }
            return false;
        };
        let (current, news) = (peer.current, !peer.connected || peer.state() != MemberState::Alive);
        self.leases.renew(from.id, now);
        // Most words of most members change nothing, and whoever is touched is looked at by all that follows from it.
        if news && let Some(peer) = self.peers.of_mut(from) {
            peer.connected = true;
            self.enter(from, MemberState::Alive, "it spoke", now);
        }
        if !current {
            self.send(from, ToMember::RegisterAgain);
        }
        current
    }

    pub(super) fn register(&mut self, from: NodeRef, facts: NodeFacts, now: Millis) {
        let refusal = self.refusal_of(from).or_else(|| self.refusal_of_facts(from, &facts));
        if let Some((code, reason)) = refusal {
            if let Some(peer) = self.peers.of_mut(from) {
                peer.current = false;
                self.leases.renew(from.id, now);
            }
            return self.refuse(from, code, reason);
        }
        let earlier = self.peers.live.get(&from.id).map(|p| p.node).filter(|node| *node != from);
        if let Some(earlier) = earlier {
            self.gone(&[earlier], Ending::Superseded, now);
        }
        self.record_registration(from, &facts);
        if !self.peers.live.contains_key(&from.id) {
            self.peers.begin(from, MemberState::Suspect, now);
        }
        self.peers.link_in(from, facts.natives);
        self.peers.holds(from, facts.images.into_iter().collect());
        let Some(peer) = self.peers.of_mut(from) else { return };
        peer.connected = true;
        peer.current = true;
        peer.capabilities_version = facts.capabilities_version;
        peer.actors = facts.load.actors;
        peer.draining = facts.draining;
        let groups = facts.hosted.iter().filter_map(|h| h.distinct.clone().map(|group| (group, h.request)));
        peer.groups = groups.collect();
        self.leases.renew(from.id, now);
        self.watchers.forget(from.id);
        self.peers.returned(from.id);
        self.enter(from, MemberState::Alive, "it registered", now);
        self.tell_leaders();
        self.welcome(from);
        self.adopt_hosted(from, facts.hosted, now);
        self.resend_placements(from, now);
        self.settle_changes(from);
        self.resend_changes(from);
        if self.awaited.remove(&from.id) {
            self.returned = now;
        }
        self.resume_held(now);
    }

    /// Why nothing that this start of a node says can count.
    fn refusal_of(&self, from: NodeRef) -> Option<(u16, String)> {
        let Some(admission) = self.facts.admitted.get(&from.id) else {
            return Some((codes::IDENTITY, format!("{} was never admitted to this convention", from.id)));
        };
        if admission.seen > Some(from.incarnation) {
            let seen = admission.seen.map_or(0, |i| i.0);
            let reason = format!("start {} of the node is over: start {seen} is known", from.incarnation);
            return Some((codes::SUPERSEDED, reason));
        }
        if admission.gone >= Some(from.incarnation) {
            let reason = format!("start {} of the node was declared gone: it has to start again", from.incarnation);
            return Some((codes::DECLARED_GONE, reason));
        }
        None
    }

    fn refusal_of_facts(&self, from: NodeRef, facts: &NodeFacts) -> Option<(u16, String)> {
        if let Some(what) = oversized(facts) {
            return Some((codes::BAD_REQUEST, what));
        }
        if let Some(key) = self.unclaimed(from.id, &facts.capabilities) {
            return Some((codes::CLAIM, format!("the node's token does not let it claim capability {key:?}")));
        }
        let taken = self.facts.named(&facts.name).filter(|id| *id != from.id);
        taken.map(|id| (codes::NODE_NAME_TAKEN, format!("the name {:?} belongs to {id}, which lives", facts.name)))
    }

    /// A key that the node must not claim.
    pub(super) fn unclaimed<'a>(&self, id: NodeId, map: &'a CapabilityMap) -> Option<&'a str> {
        let claims = self.facts.admitted.get(&id)?.claims.as_ref()?;
        map.iter().map(|(key, _)| key).find(|key| !claims.iter().any(|claim| claim == key))
    }

    fn refuse(&mut self, from: NodeRef, code: u16, reason: String) {
        self.outbox.notice(true, from, format!("refused {from}: {}: {reason}", codes::name(code)));
        self.send(from, ToMember::RegistrationRefused { code, reason });
    }

    /// Only news is written: a reconnection with the same facts costs no record.
    fn record_registration(&mut self, node: NodeRef, facts: &NodeFacts) {
        let known = self.facts.registered.get(&node.id).is_some_and(|r| {
            r.node == node && r.name == facts.name && r.listen == facts.listen && r.capabilities == facts.capabilities
        });
        if !known {
            self.persist(Record::NodeRegistered {
                node,
                name: facts.name.clone(),
                listen: facts.listen.clone(),
                capabilities: facts.capabilities.clone(),
            });
        }
    }

    fn welcome(&mut self, to: NodeRef) {
        let gone_upto = self.facts.gone_upto();
        let message = ToMember::Registered {
            term: self.facts.term,
            lease_ms: self.config.lease_ms,
            renew_every_ms: self.config.renew_every_ms,
            images: self.facts.approved().filter(|judged| self.is_usable(judged)).map(|j| j.image.hash).collect(),
            gone: self.facts.gone_after(gone_upto.saturating_sub(limits::GONE_WELCOMED_WITH)),
            gone_upto,
            leaders: self.leaders_told.clone(),
            revoked: self.revoked_at(to),
        };
        self.send(to, message);
    }

    /// Another group leads from now on.
    pub(super) fn regroup(&mut self, leaders: Vec<LeaderAt>) {
        self.leaders = leaders;
        self.tell_leaders();
    }

    /// Tells everyone where the leaders are, when that is news. A leader that registered is where it says.
    fn tell_leaders(&mut self) {
        let at = |leader: &LeaderAt| {
            let listen = self.facts.listen_of(leader.node).unwrap_or(&leader.listen);
            LeaderAt { node: leader.node, listen: listen.to_owned() }
        };
        let leaders: Vec<LeaderAt> = self.leaders.iter().map(at).collect();
        if self.leaders_told != leaders {
            self.leaders_told.clone_from(&leaders);
            self.broadcast(&ToMember::Leaders { leaders });
        }
    }

    pub(super) fn renewed(&mut self, from: NodeRef, load: Load) {
        if self.peers.of(from).is_some_and(|peer| peer.actors != load.actors)
            && let Some(peer) = self.peers.of_mut(from)
        {
            peer.actors = load.actors;
        }
    }

    /// A node that is to become empty takes no actor; one that takes them again may be what somebody waits for.
    pub(super) fn draining_changed(&mut self, from: NodeRef, draining: bool, now: Millis) {
        let Some(peer) = self.peers.of_mut(from) else { return };
        if std::mem::replace(&mut peer.draining, draining) == draining {
            return;
        }
        let name = self.facts.registered.get(&from.id).map_or("", |r| r.name.as_str());
        let what = if draining { "is draining: it takes no actor any more" } else { "takes actors again" };
        self.outbox.notice(false, from, format!("member {name} {from} {what}"));
        self.resume_held(now);
    }

    pub(super) fn capabilities_changed(&mut self, from: NodeRef, version: u64, delta: &Delta, now: Millis) {
        let Some(registration) = self.facts.registered.get(&from.id) else { return };
        let mut capabilities = registration.capabilities.clone();
        let (name, listen) = (registration.name.clone(), registration.listen.clone());
        let Some(peer) = self.peers.of_mut(from) else { return };
        if peer.capabilities_version.checked_add(1) != Some(version) || capabilities.apply(delta).is_err() {
            peer.current = false;
            return self.send(from, ToMember::RegisterAgain);
        }
        peer.capabilities_version = version;
        if let Some(key) = self.unclaimed(from.id, &capabilities) {
            let reason = format!("the node's token does not let it claim capability {key:?}");
            if let Some(peer) = self.peers.of_mut(from) {
                peer.current = false;
            }
            return self.refuse(from, codes::CLAIM, reason);
        }
        if self.facts.registered.get(&from.id).is_some_and(|r| r.capabilities != capabilities) {
            self.persist(Record::NodeRegistered { node: from, name, listen, capabilities });
        }
        self.settle_changes(from);
        self.resume_held(now);
    }

    /// Says where a node is. One that only dials is told to dial the asker, unless the asker only dials as well.
    pub(super) fn locate(&mut self, from: NodeRef, node: NodeId) {
        let at = self.facts.registered.get(&node).map(|r| (r.node, r.listen.clone()));
        if let Some((to, listen)) = &at
            && listen.is_empty()
            && self.peers.of(*to).is_some_and(|peer| peer.connected)
            && let Some(listen) = self.facts.listen_of(from.id).filter(|listen| !listen.is_empty())
            && from.id != node
        {
            let reach = ToMember::Reach { node: from, listen: listen.to_owned() };
            self.send(*to, reach);
        }
        self.send(from, ToMember::Located { node, at });
    }

    /// Changes a member's state and logs it once, with the old and the new one.
    pub(super) fn enter(&mut self, node: NodeRef, next: MemberState, why: &str, now: Millis) {
        let Some(peer) = self.peers.of_mut(node) else { return };
        if let Some(old) = peer.enter(next, now) {
            let name = self.facts.registered.get(&node.id).map_or("", |r| r.name.as_str());
            let text = format!("member {name} {node}: {} -> {}: {why}", old.name(), next.name());
            self.outbox.notice(next == MemberState::Dead, node, text);
        }
    }
}

/// What is larger than a node may say.
fn oversized(facts: &NodeFacts) -> Option<String> {
    let name = |what: &str, text: &str, max: usize| {
        (text.is_empty() || text.len() > max).then(|| format!("{what} has {} bytes, expected 1 to {max}", text.len()))
    };
    let count =
        |what: &str, found: usize, max: usize| (found > max).then(|| format!("{found} {what} are more than {max}"));
    name("the node's name", &facts.name, limits::NAME_BYTES_MAX)
        .or_else(|| (facts.listen.len() > limits::LISTEN_BYTES_MAX).then(|| "the address is too long".to_owned()))
        .or_else(|| count("linked actor types", facts.natives.len(), limits::NATIVES_MAX))
        .or_else(|| count("held images", facts.images.len(), limits::IMAGES_HELD_MAX))
        .or_else(|| count("hosted creations", facts.hosted.len(), limits::HOSTED_MAX))
        .or_else(|| facts.natives.iter().find_map(|n| name("an actor type's name", &n.name, limits::NAME_BYTES_MAX)))
        .or_else(|| {
            facts
                .hosted
                .iter()
                .filter_map(|h| h.global_name.as_ref())
                .find_map(|n| name("a global name", n, limits::NAME_BYTES_MAX))
        })
        .or_else(|| {
            let mut groups = facts.hosted.iter().filter_map(|h| h.distinct.as_ref());
            groups.find_map(|group| name("a group", group, limits::GROUP_BYTES_MAX))
        })
}
