//! The creations that are under way, and the answers that were given.
//!
//! A request is asked for once or many times and is created once: an unfinished one is not begun again, a finished
//! one is answered again, and one that may exist from an earlier leader waits until whoever could host it has spoken.

use super::Answer;
use super::machine::Leader;
use super::placing::Stage;
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{CreateOutcome, CreateSpec, Millis, RequestId};
use crate::wire::ToMember;
use odeon::{Address, NodeId, NodeRef};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Member(NodeRef),
    Operator(u64),
}

/// One creation under way.
#[derive(Debug)]
pub(super) struct Creation {
    pub(super) asker: Asker,
    pub(super) again: bool,
    pub(super) spec: CreateSpec,
    pub(super) begun: Millis,
    pub(super) stage: Stage,
    /// Nodes that were asked in vain, with the reason.
    pub(super) tried: BTreeMap<NodeId, Tried>,
    /// Creations of the same global name that wait for this one.
    pub(super) followers: Vec<(RequestId, Asker, CreateSpec)>,
}

#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub(super) name: String,
    pub(super) reason: String,
}

#[derive(Debug, Default)]
pub(super) struct Creations {
    pub(super) open: BTreeMap<RequestId, Creation>,
    /// Those that wait for members of the ledger to speak.
    pub(super) held: BTreeSet<RequestId>,
    /// The creation that a global name is kept for.
    pub(super) reserved: BTreeMap<String, RequestId>,
    /// Requests that follow another one, with the one that they follow.
    following: BTreeMap<RequestId, RequestId>,
    finished: BTreeMap<RequestId, CreateOutcome>,
    order: VecDeque<RequestId>,
    per_asker: BTreeMap<NodeId, usize>,
    minted: u64,
}

impl Creations {
    /// Begins the numbers of a term, which no other term of this start of the node has.
    pub(super) fn begin_term(&mut self, term: u64) {
        self.minted = (term & 0x7fff_ffff) << 32;
    }

    /// The number of a creation that an operator asks for here. The highest bit keeps it apart from those of the
    /// member that lives in the same process.
    pub(super) fn mint(&mut self, me: NodeRef) -> RequestId {
        self.minted += 1;
        RequestId { node: me, number: self.minted | 1 << 63 }
    }

    fn remember(&mut self, request: RequestId, outcome: CreateOutcome) {
        if self.finished.insert(request, outcome).is_none() {
            self.order.push_back(request);
        }
        while self.order.len() > limits::FINISHED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.finished.remove(&oldest);
            }
        }
    }

    /// The creation goes on without its name.
    pub(super) fn release_name(&mut self, request: RequestId) {
        if let Some(name) = self.open.get_mut(&request).and_then(|c| c.spec.global_name.take()) {
            self.reserved.remove(&name);
        }
    }

    fn admit(&mut self, asker: NodeId) -> bool {
        let waiting = self.per_asker.entry(asker).or_default();
        let free = *waiting < limits::CREATIONS_PER_ASKER_MAX;
        *waiting += usize::from(free);
        free
    }

    fn release(&mut self, asker: NodeId) {
        if let Some(waiting) = self.per_asker.get_mut(&asker) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.per_asker.remove(&asker);
            }
        }
    }
}

impl Leader {
    pub(super) fn create(&mut self, request: RequestId, asker: Asker, again: bool, spec: CreateSpec, now: Millis) {
        if let Some(outcome) = self.creations.finished.get(&request).cloned() {
            return self.tell(request, asker, outcome);
        }
        if self.creations.open.contains_key(&request) || self.creations.following.contains_key(&request) {
            return;
        }
        if let Some(reason) = oversized(&spec) {
            return self.tell(request, asker, CreateOutcome::Refused { code: codes::BAD_REQUEST, reason });
        }
        if !self.creations.admit(request.node.id) {
            let reason = format!("more than {} creations of one node wait", limits::CREATIONS_PER_ASKER_MAX);
            return self.tell(request, asker, CreateOutcome::Refused { code: codes::BAD_REQUEST, reason });
        }
        self.begin(request, asker, again, spec, now);
    }

    /// Takes the global name, if any, or follows the creation that has it, and goes on.
    fn begin(&mut self, request: RequestId, asker: Asker, again: bool, spec: CreateSpec, now: Millis) {
        if let Some(name) = &spec.global_name {
            if let Some(owner) = self.facts.names.get(name).copied() {
                let existing = owner.request != request;
                let outcome = CreateOutcome::Created { address: owner.address, node: owner.node, existing };
                return self.close(request, asker, outcome);
            }
            if let Some(first) = self.creations.reserved.get(name).copied()
                && let Some(creation) = self.creations.open.get_mut(&first)
            {
                creation.followers.push((request, asker, spec));
                self.creations.following.insert(request, first);
                return;
            }
            self.creations.reserved.insert(name.clone(), request);
        }
        let (tried, followers) = (BTreeMap::new(), Vec::new());
        let creation = Creation { asker, again, spec, begun: now, stage: Stage::Held, tried, followers };
        self.creations.open.insert(request, creation);
        self.advance(request, now);
    }

    /// Ends a creation that is under way.
    pub(super) fn finish(&mut self, request: RequestId, outcome: CreateOutcome, now: Millis) {
        let Some(creation) = self.creations.open.remove(&request) else { return };
        self.creations.held.remove(&request);
        if let Some(name) = &creation.spec.global_name {
            self.creations.reserved.remove(name);
            if let CreateOutcome::Created { address, node, existing: false } = outcome {
                self.take_name(name, request, address, node);
            }
        }
        self.close(request, creation.asker, outcome);
        for (follower, asker, spec) in creation.followers {
            self.creations.following.remove(&follower);
            match self.creations.finished.get(&follower).cloned() {
                // Meanwhile its host has told of it.
                Some(outcome) => self.close(follower, asker, outcome),
                // The first finds the name taken, or takes it for the others.
                None => self.begin(follower, asker, false, spec, now),
            }
        }
    }

    fn take_name(&mut self, name: &str, request: RequestId, address: Address, node: NodeRef) {
        if self.facts.names.get(name).is_none_or(|owner| owner.address != address) {
            self.persist(Record::NameTaken { name: name.to_owned(), request, address, node });
        }
    }

    fn close(&mut self, request: RequestId, asker: Asker, outcome: CreateOutcome) {
        self.creations.release(request.node.id);
        self.creations.remember(request, outcome.clone());
        self.tell(request, asker, outcome);
    }

    fn tell(&mut self, request: RequestId, asker: Asker, outcome: CreateOutcome) {
        let answer = Answer::Created(outcome.clone());
        self.reply(asker, request, |request| ToMember::Created { request, outcome: Box::new(outcome) }, answer);
    }

    /// A creation that is known to live although nobody asks for it now: its asker may ask again.
    pub(super) fn remember_hosted(&mut self, request: RequestId, address: Address, node: NodeRef) {
        self.creations.remember(request, CreateOutcome::Created { address, node, existing: false });
    }

    pub(super) fn group_freed(&mut self, from: NodeRef, group: &str, request: RequestId) {
        if let Some(peer) = self.peers.of_mut(from) {
            peer.free_group(group, request);
        }
    }

    pub(super) fn name_freed(&mut self, from: NodeRef, name: String, address: Address) {
        match self.facts.names.get(&name) {
            Some(owner) if owner.node == from && owner.address == address => {
                self.persist(Record::NameFreed { name });
            }
            _ => self.drop_word(from, "the freeing of a name that is not its own"),
        }
    }
}

fn oversized(spec: &CreateSpec) -> Option<String> {
    let names = [Some(&spec.actor), spec.global_name.as_ref()].into_iter().flatten();
    let names = names.map(|name| ("a name", name, limits::NAME_BYTES_MAX));
    let group = spec.distinct.iter().map(|group| ("a group", group, limits::GROUP_BYTES_MAX));
    names
        .chain(group)
        .find(|(_, text, max)| text.is_empty() || text.len() > *max)
        .map(|(what, text, max)| format!("{what} has {} bytes, expected 1 to {max}", text.len()))
}
