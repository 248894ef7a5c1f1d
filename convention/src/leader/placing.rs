//! One creation, step by step: find who accepts, choose, ask, and on a refusal or a death ask the next.
//!
//! A node is asked at most once per creation. A placement ends by its node's answer or by its node's end, never by
//! a time of its own: so it can never be that two nodes create for one request.

use super::Effect;
use super::choosing::Choice;
use super::creations::{Creation, Tried};
use super::machine::Leader;
use super::survey::Waiter;
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{CreateOutcome, Hosted, Millis, RequestId};
use crate::wire::{PlaceOutcome, ToMember};
use odeon::{Address, NodeRef};
use std::collections::BTreeSet;

/// Where a creation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for members of the ledger to speak.
    Held,
    /// It waits for the answer of a check.
    Checking,
    /// This node was asked to host it.
    Placing(NodeRef),
}

impl Leader {
    /// Does the next step of a creation that waits for nothing.
    pub(super) fn advance(&mut self, request: RequestId, now: Millis) {
        let Some(creation) = self.creations.open.get(&request) else { return };
        if self.recovering() && (creation.again || creation.spec.global_name.is_some()) {
            return self.hold(request);
        }
        let (spec, begun, tried) = (creation.spec.clone(), creation.begun, creation.tried.clone());
        let plan = match self.plan(spec, begun) {
            Ok(plan) => plan,
            Err(refusal) if self.recovering() && refusal.may_pass() => return self.hold(request),
            Err(refusal) => {
                let outcome = CreateOutcome::Refused { code: refusal.code, reason: refusal.reason };
                return self.finish(request, outcome, now);
            }
        };
        let mut choice = self.choose(&plan, &tried, request.node);
        if choice == Choice::Nobody && !self.recovering() {
            // What refuses is to be explained: answers of checks that were forgotten since are asked for again.
            self.shortlists.renew(&plan.key);
            choice = self.choose(&plan, &tried, request.node);
        }
        match choice {
            Choice::Host(node) => self.place(request, node),
            Choice::Ask(map) => {
                self.stage(request, Stage::Checking);
                self.ask_check(&plan, map, Waiter::Creation(request));
            }
            Choice::Nobody if self.recovering() => self.hold(request),
            Choice::Nobody => {
                let explanation = self.explanation(&plan, &tried, request.node);
                self.finish(request, CreateOutcome::NoCompatibleNode(explanation), now);
            }
        }
    }

    fn stage(&mut self, request: RequestId, stage: Stage) {
        self.creations.held.remove(&request);
        if let Some(creation) = self.creations.open.get_mut(&request) {
            creation.stage = stage;
        }
    }

    fn hold(&mut self, request: RequestId) {
        self.stage(request, Stage::Held);
        self.creations.held.insert(request);
    }

    /// Goes on with what waited for members to speak, as far as it may.
    pub(super) fn resume_held(&mut self, now: Millis) {
        let held: Vec<RequestId> = self.creations.held.iter().copied().collect();
        for request in held {
            self.advance(request, now);
        }
    }

    fn place(&mut self, request: RequestId, node: NodeRef) {
        self.stage(request, Stage::Placing(node));
        if let Some(peer) = self.peers.of_mut(node) {
            peer.placing += 1;
        }
        self.ask_to_host(request, node);
    }

    /// Asks a node to host, or leaves it for when the node registers on a new link.
    fn ask_to_host(&mut self, request: RequestId, node: NodeRef) {
        let Some(spec) = self.creations.open.get(&request).map(|c| Box::new(c.spec.clone())) else { return };
        if let Some(group) = &spec.distinct
            && let Some(peer) = self.peers.of_mut(node)
        {
            peer.groups.entry(group.clone()).or_insert(request);
        }
        if !self.peers.of(node).is_some_and(|p| p.current) {
            return;
        }
        let image = spec.image.and_then(|hash| self.facts.images.get(&hash)).map(|j| Box::new(j.image.clone()));
        if let Some(image) = &image
            && self.is_carried(image, node)
        {
            self.outbox.after_facts(Effect::Carry { to: node, hash: image.hash });
        }
        let sources = spec.image.map(|hash| self.sources(hash, node)).unwrap_or_default();
        self.send(node, ToMember::Place { request, spec, image, sources });
    }

    /// Asks again what a node may have missed; it hosts a request once however often it is asked.
    pub(super) fn resend_placements(&mut self, node: NodeRef, _now: Millis) {
        let waiting: Vec<RequestId> = self.placing_on(node).collect();
        for request in waiting {
            self.ask_to_host(request, node);
        }
    }

    fn placing_on(&self, node: NodeRef) -> impl Iterator<Item = RequestId> {
        self.creations.open.iter().filter(move |(_, c)| c.stage == Stage::Placing(node)).map(|(request, _)| *request)
    }

    pub(super) fn placed(&mut self, from: NodeRef, request: RequestId, outcome: PlaceOutcome, now: Millis) {
        let asked = self.creations.open.get(&request).is_some_and(|c| c.stage == Stage::Placing(from));
        if !asked {
            return self.drop_word(from, "the end of a placement that it was not asked for");
        }
        if let Some(peer) = self.peers.of_mut(from) {
            peer.placing = peer.placing.saturating_sub(1);
        }
        match outcome {
            PlaceOutcome::Placed { address } if self.may_be_at(request, address, from) => {
                if let Some(peer) = self.peers.of_mut(from) {
                    peer.actors = peer.actors.saturating_add(1);
                }
                self.finish(request, CreateOutcome::Created { address, node: from, existing: false }, now);
            }
            PlaceOutcome::Placed { .. } => {
                self.drop_word(from, "an address that is not its own");
                self.try_next(request, from, "gave an address that is not its own".to_owned(), now);
            }
            PlaceOutcome::Refused { mut reason } => {
                if let Some(hash) = self.creations.open.get(&request).and_then(|creation| creation.spec.image) {
                    self.peers.fetches_not(from, hash);
                }
                truncate(&mut reason);
                self.try_next(request, from, reason, now);
            }
        }
    }

    /// An actor's address was minted where it lives, or was promised by the node that asked for it.
    fn may_be_at(&self, request: RequestId, address: Address, host: NodeRef) -> bool {
        let promised = self.creations.open.get(&request).and_then(|c| c.spec.promised);
        promised.map_or(address.node() == host, |promised| promised == address)
    }

    fn try_next(&mut self, request: RequestId, node: NodeRef, reason: String, now: Millis) {
        let name = self.facts.registered.get(&node.id).map_or_else(|| node.id.to_string(), |r| r.name.clone());
        if let Some(creation) = self.creations.open.get_mut(&request) {
            if let (Some(group), Some(peer)) = (&creation.spec.distinct, self.peers.of_mut(node)) {
                peer.free_group(group, request);
            }
            creation.tried.insert(node.id, Tried { name, reason });
            creation.stage = Stage::Held;
        }
        self.advance(request, now);
    }

    /// The node is gone: what it was asked for goes to the next.
    pub(super) fn abandon_placements(&mut self, node: NodeRef, now: Millis) {
        let waiting: Vec<RequestId> = self.placing_on(node).collect();
        for request in waiting {
            self.try_next(request, node, "went away while it was asked".to_owned(), now);
        }
    }

    /// Takes in what a node says it hosts: requests that an earlier leader placed, and global names.
    ///
    /// That another actor got the name meanwhile cannot be: a name is kept for one request before any node is asked,
    /// and after a restart no name is given away before every node that could host it has spoken or is gone. If a
    /// broken node says so all the same, the first actor keeps the name and an operator is told.
    pub(super) fn adopt_hosted(&mut self, node: NodeRef, hosted: Vec<Hosted>, now: Millis) {
        let freed: Vec<String> = {
            let kept: BTreeSet<&String> = hosted.iter().filter_map(|h| h.global_name.as_ref()).collect();
            self.facts.names_on(node).filter(|name| !kept.contains(name)).cloned().collect()
        };
        for name in freed {
            self.persist(Record::NameFreed { name });
        }
        for one in hosted {
            self.adopt(node, one, now);
        }
    }

    fn adopt(&mut self, node: NodeRef, hosted: Hosted, now: Millis) {
        let Hosted { request, address, global_name, distinct: _ } = hosted;
        if !address.is_promised() && address.node() != node {
            return self.drop_word(node, "an address that is not its own");
        }
        if global_name.is_none() {
            // It has exited meanwhile: the request is done, but the name is free.
            self.creations.release_name(request);
        }
        let stage = self.creations.open.get(&request).map(|c| c.stage);
        match stage {
            Some(Stage::Placing(other)) if other != node => {
                return self.drop_word(node, "a creation that another node was asked for");
            }
            Some(Stage::Placing(_)) => {
                return self.placed(node, request, PlaceOutcome::Placed { address }, now);
            }
            Some(Stage::Held | Stage::Checking) => {
                let outcome = CreateOutcome::Created { address, node, existing: false };
                return self.finish(request, outcome, now);
            }
            None => self.remember_hosted(request, address, node),
        }
        if let Some(name) = global_name {
            self.adopt_name(node, name, request, address, now);
        }
    }

    fn adopt_name(&mut self, node: NodeRef, name: String, request: RequestId, address: Address, now: Millis) {
        match self.facts.names.get(&name) {
            Some(owner) if owner.address == address => {}
            Some(owner) => {
                let text = format!("{node} hosts {address} as {name:?}, which is {}", owner.address);
                self.outbox.notice(true, node, text);
            }
            None => {
                self.persist(Record::NameTaken { name: name.clone(), request, address, node });
                // Who asked for the name meanwhile gets the actor that has it.
                if let Some(waiting) = self.creations.reserved.get(&name).copied() {
                    self.finish(waiting, CreateOutcome::Created { address, node, existing: true }, now);
                }
            }
        }
    }
}

impl Creation {
    /// Whether the creation waits for a check.
    pub(super) fn is_checking(&self) -> bool {
        self.stage == Stage::Checking
    }
}

pub(super) fn truncate(reason: &mut String) {
    if reason.len() > limits::REASON_BYTES_MAX {
        let end = (0..=limits::REASON_BYTES_MAX).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        reason.truncate(end);
    }
}

/// Why a creation cannot even be tried.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Refusal {
    /// Whether a member that has not spoken yet could change it.
    fn may_pass(&self) -> bool {
        matches!(self.code, codes::ACTOR_TYPE_UNKNOWN | codes::NODE_UNKNOWN)
    }
}
