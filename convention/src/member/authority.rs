//! Actors here that want to be the Source Authority: the leader decides, and hears when one is gone that may be it.
//!
//! A claim is kept until a leader has answered, and made again with every registration until then. Of the exit of one
//! that may be the authority every further leader is told: to hear it twice does no harm. One that is forgotten all the
//! same is found missing when it is asked for a verdict.

use super::Effect;
use super::machine::Member;
use crate::limits;
use crate::types::AuthorityClaim;
use crate::wire::ToLeader;
use odeon::Address;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Authorities {
    /// Claims without an answer, in the order in which they were made.
    asked: Vec<AuthorityClaim>,
    /// The last that a leader took.
    taken: Option<Address>,
    /// Those that are gone and were taken, or may have been.
    exited: VecDeque<Address>,
}

impl Member {
    pub(super) fn claim_authority(&mut self, claim: AuthorityClaim) {
        let asked = &mut self.authorities.asked;
        // However often it asks, it asks once at a time.
        if asked.last() == Some(&claim) {
            return;
        }
        asked.retain(|other| other.address != claim.address);
        if asked.len() >= limits::AUTHORITY_CLAIMS_MAX {
            let refusal = Some(format!("{} actors of its node wait to hear whether they are it", asked.len()));
            return self.effects.push_back(Effect::AuthorityAnswered { by: claim.address, refusal });
        }
        asked.push(claim.clone());
        self.tell(ToLeader::RegisterAuthority(claim));
    }

    pub(super) fn authority_answered(&mut self, address: Address, refusal: Option<String>) {
        let Some(at) = self.authorities.asked.iter().position(|claim| claim.address == address) else { return };
        self.authorities.asked.remove(at);
        if refusal.is_none() {
            self.authorities.taken = Some(address);
        }
        self.effects.push_back(Effect::AuthorityAnswered { by: address, refusal });
    }

    /// An actor here is gone, whichever.
    pub(super) fn authority_gone(&mut self, address: Address) {
        let Authorities { asked, taken, exited } = &mut self.authorities;
        let before = asked.len();
        asked.retain(|claim| claim.address != address);
        let was_taken = taken.take_if(|taken| *taken == address).is_some();
        if asked.len() == before && !was_taken {
            return;
        }
        if exited.len() >= limits::AUTHORITIES_EXITED_MAX {
            exited.pop_front();
        }
        exited.push_back(address);
        self.tell(ToLeader::AuthorityExited { address });
    }

    /// A leader has this node in its list, perhaps another one than before.
    pub(super) fn claim_authority_anew(&mut self) {
        for address in self.authorities.exited.clone() {
            self.tell(ToLeader::AuthorityExited { address });
        }
        for claim in self.authorities.asked.clone() {
            self.tell(ToLeader::RegisterAuthority(claim));
        }
    }
}
