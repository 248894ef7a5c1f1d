//! The Source Authority as an actor: who may be it, who is it, and how that ends.
//!
//! An operator says that an actor decides and which may register; the last that registers is it. Both are facts, so the
//! next leader knows them. It ends with the actor, with its start of a node, with a revocation of its image, and with
//! another word of the operator. Then nobody is, and nothing is approved.

use super::Answer;
use super::machine::Leader;
use super::placing::truncate;
use crate::codes;
use crate::limits;
use crate::record::{AuthoritySetting, Record, Registrants};
use crate::types::{AuthorityActor, AuthorityClaim, Millis, Role};
use crate::wire::ToMember;
use odeon::{Address, NodeRef};
use std::collections::VecDeque;

/// When actors became the authority, the last few.
#[derive(Debug, Default)]
pub(super) struct Takeovers(VecDeque<Millis>);

impl Takeovers {
    /// Whether there may be another one now. Each is a record, and two actors could take turns for ever.
    fn take(&mut self, now: Millis) -> bool {
        let since = now.saturating_sub(limits::TAKEOVERS_WITHIN_MS);
        while self.0.front().is_some_and(|at| *at < since) {
            self.0.pop_front();
        }
        let has_room = self.0.len() < limits::TAKEOVERS_MAX;
        if has_room {
            self.0.push_back(now);
        }
        has_room
    }
}

impl Leader {
    pub(super) fn set_authority(&mut self, authority: AuthoritySetting) -> Answer {
        let refused = |reason| Answer::Refused { code: codes::BAD_REQUEST, reason };
        if let AuthoritySetting::Actor { from, answer_ms } = &authority {
            let (min, max) = (limits::VERDICT_MS_MIN, limits::VERDICT_MS_MAX);
            if !(min..=max).contains(answer_ms) {
                return refused(format!("an authority is given {answer_ms} ms to answer: expected {min} to {max}"));
            }
            if let Registrants::Nodes(nodes) = from
                && !(1..=limits::REGISTRANTS_MAX).contains(&nodes.len())
            {
                return refused(format!("{} nodes: expected 1 to {}", nodes.len(), limits::REGISTRANTS_MAX));
            }
        }
        if let AuthoritySetting::Keyring { age_identity: Some(path), .. } = &authority
            && path.len() > limits::PATH_BYTES_MAX
        {
            return refused(format!("a path of {} bytes: at most {} are kept", path.len(), limits::PATH_BYTES_MAX));
        }
        self.persist(Record::AuthoritySet { authority });
        Answer::Done
    }

    /// An actor of a member wants to be the authority.
    pub(super) fn register_authority(&mut self, from: NodeRef, claim: AuthorityClaim, now: Millis) {
        let AuthorityClaim { address, mut actor, image } = claim;
        truncate(&mut actor);
        let who = AuthorityActor { address, node: from, actor, image };
        let refusal = self.refusal_of_authority(&who, now);
        // A refusal is in the log of its node, in the actor's name.
        if refusal.is_none() && self.facts.authority_actor.as_ref() != Some(&who) {
            self.outbox.notice(false, from, format!("{who} is the Source Authority"));
            self.persist(Record::AuthorityRegistered { authority: who });
        }
        self.send(from, ToMember::AuthorityAnswered { address, refusal });
    }

    fn refusal_of_authority(&mut self, who: &AuthorityActor, now: Millis) -> Option<String> {
        let AuthoritySetting::Actor { from, .. } = &self.facts.authority else {
            return Some("no actor may be, until an operator says so with `odeon authority set actor`".to_owned());
        };
        let may = match from {
            Registrants::Leaders => self.facts.admitted.get(&who.node.id).is_some_and(|a| a.role == Role::Leader),
            Registrants::Nodes(nodes) => nodes.contains(&who.node.id),
            Registrants::Actor { address, node } => (*address, *node) == (who.address, who.node),
        };
        if !may {
            let allowed = match from {
                Registrants::Leaders => "only actors on nodes that may lead",
                Registrants::Nodes(_) => "only actors on the nodes that the operator named",
                Registrants::Actor { .. } => "only the actor that the operator named",
            };
            return Some(format!("{allowed} may be: `odeon authority set actor` says which"));
        }
        if let Some(revoked) = who.image.and_then(|hash| self.revoked(hash)) {
            return Some(revoked.reason);
        }
        let is_already = self.facts.authority_actor.as_ref() == Some(who);
        (!is_already && !self.takeovers.take(now)).then(|| {
            let (times, s) = (limits::TAKEOVERS_MAX, limits::TAKEOVERS_WITHIN_MS / 1_000);
            format!("actors became it {times} times within {s} s, and no more do")
        })
    }

    /// An actor that may have been the authority is gone.
    pub(super) fn authority_exited(&mut self, from: NodeRef, address: Address) {
        if self.facts.authority_actor.as_ref().is_some_and(|who| (who.node, who.address) == (from, address)) {
            self.persist(Record::AuthorityGone { address });
        }
    }

    /// Nobody is at an address that the driver asked for a verdict.
    pub(super) fn authority_is_missing(&mut self, address: Address) -> Answer {
        if self.facts.authority_actor.as_ref().is_some_and(|who| who.address == address) {
            self.persist(Record::AuthorityGone { address });
        }
        Answer::Done
    }

    /// The actor that decides on images; none where none has registered, or another authority is set.
    pub fn authority_actor(&self) -> Option<&AuthorityActor> {
        self.facts.authority_actor.as_ref()
    }
}
