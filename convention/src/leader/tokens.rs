//! Tokens: who may come in, as what, and how often. The secret is never here, only the digest of its public key.

use super::machine::Leader;
use super::{Answer, Effect};
use crate::codes;
use crate::limits;
use crate::record::{Record, TokenFact};
use crate::types::Role;
use odeon::NodeId;

impl Leader {
    pub(super) fn create_token(&mut self, fact: TokenFact) -> Answer {
        // Those that are used up make room when the record is applied.
        if self.facts.tokens.len() >= limits::TOKENS_MAX && self.facts.tokens.values().all(|token| !token.used_up()) {
            let reason = format!("more than {} tokens can still be used", limits::TOKENS_MAX);
            return Answer::Refused { code: codes::BAD_REQUEST, reason };
        }
        if !self.facts.tokens.contains_key(&fact.id) {
            self.persist(Record::TokenCreated(fact));
            self.outbox.after_facts(Effect::TokensChanged);
        }
        Answer::Done
    }

    /// Lets a node in. The same node may be let in again as what it is, even when the token is used up: its first
    /// answer may have been lost.
    pub(super) fn admit(&mut self, id: [u8; 32], node: NodeId, now_unix_s: u64) -> Answer {
        let Some(token) = self.facts.tokens.get(&id) else { return unknown() };
        if token.fact.expires_unix_s < now_unix_s {
            return expired();
        }
        let (role, claims) = (token.fact.role, token.fact.claims.clone());
        if role == Role::Operator {
            let reason = "the token is an operator's, not a node's".to_owned();
            return Answer::Refused { code: codes::ROLE, reason };
        }
        let used_up = token.used_up();
        if self.facts.admitted.get(&node).is_some_and(|a| a.role == role && a.claims == claims) {
            return Answer::Admitted { role, claims };
        }
        if used_up {
            return spent();
        }
        self.persist(Record::TokenUsed { id });
        self.persist(Record::NodeAdmitted { node, role, claims: claims.clone() });
        self.outbox.after_facts(Effect::TokensChanged);
        Answer::Admitted { role, claims }
    }

    pub(super) fn use_token(&mut self, id: [u8; 32], now_unix_s: u64) -> Answer {
        let Some(token) = self.facts.tokens.get(&id) else { return unknown() };
        if token.fact.expires_unix_s < now_unix_s {
            return expired();
        }
        if token.used_up() {
            return spent();
        }
        let (role, claims, counted) = (token.fact.role, token.fact.claims.clone(), token.fact.uses.is_some());
        if counted {
            self.persist(Record::TokenUsed { id });
            self.outbox.after_facts(Effect::TokensChanged);
        }
        Answer::Admitted { role, claims }
    }
}

fn unknown() -> Answer {
    Answer::Refused { code: codes::TOKEN_UNKNOWN, reason: "the leader does not know the token".to_owned() }
}

fn expired() -> Answer {
    Answer::Refused { code: codes::TOKEN_EXPIRED, reason: "the token's time is over".to_owned() }
}

fn spent() -> Answer {
    let reason = "the token has been used as often as it may be".to_owned();
    Answer::Refused { code: codes::TOKEN_USED_UP, reason }
}
