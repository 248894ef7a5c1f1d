//! Who could host an actor, and why the others could not. One path for creating and for explaining.

use super::creations::{Asker, Tried};
use super::machine::Leader;
use super::memo::CheckKey;
use super::peers::Peer;
use super::placing::Refusal;
use super::{Answer, Effect};
use crate::codes;
use crate::fit::{self, Wish};
use crate::limits;
use crate::placement::{self, Candidate};
use crate::types::{
    CheckOutcome, CheckVerdict, CreateSpec, Explanation, ImageInfo, Millis, Rejection, RequestId, SourceHash,
};
use crate::wire::ToMember;
use odeon::{NodeId, NodeRef};
use odeon_capabilities::CapabilityMap;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A creation that was understood.
pub(super) struct Plan {
    pub(super) spec: CreateSpec,
    wish: Wish,
    /// What the type in the image requires; a linked type says so node by node.
    pub(super) required: Option<Vec<String>>,
    pub(super) key: CheckKey,
    /// Failures of the check count as its answer from then on. One that failed since the question was asked is not
    /// asked again for it.
    pub(super) failures_since: Millis,
}

/// Who waits for the answer of a check.
#[derive(Debug, Clone)]
pub(super) enum Waiter {
    Creation(RequestId),
    Explain(Asker, RequestId, Box<CreateSpec>, Millis),
}

/// Checks that were asked and not answered; at most one per actor type and requirements at a time, because its
/// answer may hold for all the others.
#[derive(Debug, Default)]
pub(super) struct Checks {
    tickets: u64,
    open: BTreeMap<u64, OpenCheck>,
    by_key: HashMap<CheckKey, u64>,
}

#[derive(Debug)]
struct OpenCheck {
    key: CheckKey,
    capabilities: CapabilityMap,
    waiters: Vec<Waiter>,
}

impl Leader {
    /// For a question that was asked at `asked`.
    pub(super) fn plan(&mut self, spec: CreateSpec, asked: Millis) -> Result<Plan, Refusal> {
        let selection = self
            .selector
            .select(&self.index, &spec.requirements)
            .map_err(|e| Refusal { code: codes::BAD_REQUIREMENT, reason: e.to_string() })?;
        let wish = Wish::of(Arc::clone(selection.matcher()));
        let required = match spec.image {
            Some(hash) => Some(self.required_in_image(hash, &spec.actor)?),
            None => {
                self.known_native(&spec.actor)?;
                None
            }
        };
        if let Some(on) = spec.on
            && !self.peers.live.contains_key(&on)
        {
            return Err(Refusal { code: codes::NODE_UNKNOWN, reason: format!("no live member is {on}") });
        }
        let failures_since = asked.saturating_sub(limits::CHECK_FAILURE_REMEMBERED_MS);
        Ok(Plan { wish, required, key: CheckKey::of(&spec), spec, failures_since })
    }

    /// An image that actors may be created from.
    pub(super) fn usable_image(&self, hash: SourceHash) -> Result<&ImageInfo, Refusal> {
        if let Some(refusal) = self.revoked(hash) {
            return Err(refusal);
        }
        let judged = self
            .facts
            .images
            .get(&hash)
            .ok_or_else(|| Refusal { code: codes::IMAGE_UNKNOWN, reason: format!("no image has the hash {hash}") })?;
        if !judged.approved {
            let reason = format!("image {hash} was rejected: {}", judged.by);
            return Err(Refusal { code: codes::IMAGE_NOT_APPROVED, reason });
        }
        if !self.is_usable(judged) {
            let reason = format!("the approval of image {hash} has run out: {}", judged.by);
            return Err(Refusal { code: codes::IMAGE_EXPIRED, reason });
        }
        Ok(&judged.image)
    }

    fn required_in_image(&self, hash: SourceHash, actor: &str) -> Result<Vec<String>, Refusal> {
        let image = self.usable_image(hash)?;
        let found = image.actors.iter().find(|a| a.name == actor);
        found.map(|a| a.required.clone()).ok_or_else(|| Refusal {
            code: codes::ACTOR_TYPE_UNKNOWN,
            reason: format!("image {} {} has no actor {actor:?}", image.name, image.version),
        })
    }

    fn known_native(&self, actor: &str) -> Result<(), Refusal> {
        if self.peers.link_in_some(actor) {
            return Ok(());
        }
        let reason = format!("no live member has an actor {actor:?} linked in, and no image was named");
        Err(Refusal { code: codes::ACTOR_TYPE_UNKNOWN, reason })
    }

    /// Members that a creation may be put on at all.
    fn considered<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Peer, &'a super::facts::Registration)> {
        let on = plan.spec.on;
        self.peers
            .live
            .values()
            .filter(move |p| on.is_none_or(|on| on == p.node.id))
            .filter_map(|p| self.facts.registered.get(&p.node.id).map(|r| (p, r)))
    }

    fn lacks(&self, plan: &Plan, peer: &Peer, map: &CapabilityMap) -> Vec<String> {
        match (&plan.required, peer.linked().of(&plan.spec.actor)) {
            (Some(required), _) => plan.wish.lacks(map, required),
            (None, Some(native)) => plan.wish.lacks(map, &native.required),
            (None, None) if peer.current => vec![format!("has no actor {:?}", plan.spec.actor)],
            (None, None) => vec!["has not registered with this leader yet".to_owned()],
        }
    }

    /// Why each node accepts or does not, counted.
    pub(super) fn explanation(&self, plan: &Plan, tried: &BTreeMap<NodeId, Tried>, asker: NodeRef) -> Explanation {
        let mut candidates = Vec::new();
        let mut judged: Vec<(String, Vec<String>)> = Vec::new();
        for (peer, registration) in self.considered(plan) {
            let lacks = match tried.get(&peer.node.id) {
                Some(tried) => vec![tried.reason.clone()],
                None => self.reasons(plan, peer, &registration.capabilities),
            };
            if lacks.is_empty() {
                candidates.push(candidate(peer, plan.wish.score(&registration.capabilities), plan.spec.image));
            }
            judged.push((registration.name.clone(), lacks));
        }
        let nodes = u32::try_from(judged.len()).unwrap_or(u32::MAX);
        let went = tried.iter().filter(|(id, _)| !self.peers.live.contains_key(*id));
        judged.extend(went.map(|(_, tried)| (tried.name.clone(), vec![tried.reason.clone()])));
        // A copy of the generator: to explain changes nothing, not even the next draw.
        let mut random = self.random.clone();
        let chosen = placement::decide(&candidates, plan.spec.placement, asker, |bound| random.below(bound));
        let chosen = chosen.and_then(|node| self.facts.registered.get(&node.id)).map(|r| r.name.clone());
        Explanation { nodes, chosen, ..fit::counted(judged) }
    }

    fn reasons(&self, plan: &Plan, peer: &Peer, map: &CapabilityMap) -> Vec<String> {
        let mut reasons = self.lacks(plan, peer, map);
        reasons.extend(unwilling(peer, &plan.spec));
        if reasons.is_empty() {
            match self.verdicts.of(&plan.key, map, plan.failures_since) {
                Some(CheckVerdict::Refused) => reasons.push("the actor's own check refuses".to_owned()),
                Some(CheckVerdict::Failed(why)) => reasons.push(format!("the actor's own check failed: {why}")),
                Some(CheckVerdict::Accepted | CheckVerdict::Unknown) | None => {}
            }
        }
        reasons
    }

    pub(super) fn ask_check(&mut self, plan: &Plan, capabilities: CapabilityMap, waiter: Waiter) {
        if let Some(open) = self.checks.by_key.get(&plan.key).and_then(|t| self.checks.open.get_mut(t)) {
            open.waiters.push(waiter);
            return;
        }
        self.checks.tickets += 1;
        let ticket = self.checks.tickets;
        self.checks.by_key.insert(plan.key.clone(), ticket);
        let open = OpenCheck { key: plan.key.clone(), capabilities: capabilities.clone(), waiters: vec![waiter] };
        self.checks.open.insert(ticket, open);
        self.outbox.at_once(Effect::Check {
            ticket,
            actor: plan.spec.actor.clone(),
            image: plan.spec.image,
            requirements: plan.spec.requirements.clone(),
            capabilities,
        });
    }

    pub(super) fn checked(&mut self, ticket: u64, outcome: CheckOutcome, now: Millis) {
        let Some(open) = self.checks.open.remove(&ticket) else { return };
        self.checks.by_key.remove(&open.key);
        self.verdicts.remember(open.key, &open.capabilities, outcome, now);
        for waiter in open.waiters {
            match waiter {
                Waiter::Creation(request) => {
                    if self.creations.open.get(&request).is_some_and(|c| c.is_checking()) {
                        self.advance(request, now);
                    }
                }
                Waiter::Explain(asker, request, spec, asked) => self.explain(asker, request, *spec, asked),
            }
        }
    }

    pub(super) fn explain(&mut self, asker: Asker, request: RequestId, spec: CreateSpec, asked: Millis) {
        let explanation = match self.plan(spec, asked) {
            Ok(plan) => {
                self.shortlists.renew(&plan.key);
                if let Some(map) = self.unchecked(&plan) {
                    let waiter = Waiter::Explain(asker, request, Box::new(plan.spec.clone()), asked);
                    return self.ask_check(&plan, map, waiter);
                }
                self.explanation(&plan, &BTreeMap::new(), request.node)
            }
            Err(refusal) => {
                if let Asker::Operator(ticket) = asker {
                    let answer = Answer::Refused { code: refusal.code, reason: refusal.reason };
                    return self.answer(ticket, answer);
                }
                self.refused_everywhere(refusal)
            }
        };
        let answer = Answer::Explained(explanation.clone());
        let message = |request| ToMember::Explained { request, explanation: Box::new(explanation) };
        self.reply(asker, request, message, answer);
    }

    /// The explanation of what no node can do: one reason for all.
    fn refused_everywhere(&self, refusal: Refusal) -> Explanation {
        let nodes = u32::try_from(self.peers.live.len()).unwrap_or(u32::MAX);
        let example = self.facts.registered.values().next().map(|r| r.name.clone()).unwrap_or_default();
        let reason = format!("{}: {}", codes::name(refusal.code), refusal.reason);
        Explanation { nodes, rejected: vec![Rejection { reason, nodes, example }], ..Explanation::default() }
    }
}

/// Why a node takes no actor at the moment, whatever it has.
fn unwilling<'a>(peer: &'a Peer, spec: &'a CreateSpec) -> impl Iterator<Item = String> + 'a {
    let draining = peer.draining.then(|| fit::DRAINING.to_owned());
    let group = spec.distinct.as_ref().filter(|group| peer.groups.contains_key(*group));
    draining.into_iter().chain(group.map(|group| fit::has_group(group)))
}

fn candidate(peer: &Peer, score: u32, image: Option<SourceHash>) -> Candidate {
    let holds = image.is_some_and(|hash| peer.images().contains(&hash));
    Candidate { node: peer.node, actors: peer.load(), score, reachable: peer.reachable(), holds }
}
