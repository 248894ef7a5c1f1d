//! Whatever was answered as done is in the ledger, and a leader that starts from the ledger has it.

use super::{Checker, Seen};
use odeon::{Address, NodeId, NodeRef};
use odeon_convention::leader::{Answer, Operation};
use odeon_convention::record::Record;
use odeon_convention::types::CreateOutcome;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct AnswersAreDurable {
    images: BTreeMap<[u8; 32], bool>,
    revoked: BTreeSet<[u8; 32]>,
    tokens: BTreeMap<[u8; 32], u32>,
    admitted: BTreeSet<NodeId>,
    registered: BTreeSet<NodeRef>,
    names: BTreeSet<(String, Address)>,
    /// An actor that has exited needs no name.
    ended: BTreeSet<Address>,
}

impl AnswersAreDurable {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::ImageJudged { image, approved, .. } => {
                self.images.insert(image.hash.0, *approved);
            }
            Record::ImageUnloaded { hash } => {
                self.images.remove(&hash.0);
            }
            Record::ImageRevoked { hash, .. } => {
                self.images.insert(hash.0, false);
                self.revoked.insert(hash.0);
            }
            Record::TokenCreated(fact) => {
                self.tokens.insert(fact.id, 0);
            }
            Record::TokenUsed { id } => *self.tokens.entry(*id).or_default() += 1,
            Record::NodeAdmitted { node, .. } => {
                self.admitted.insert(*node);
            }
            Record::NodeRegistered { node, .. } => {
                self.registered.insert(*node);
            }
            Record::NameTaken { name, address, .. } => {
                self.names.insert((name.clone(), *address));
            }
            _ => {}
        }
    }

    fn holds(&self, operation: &Operation) -> bool {
        match operation {
            Operation::CreateToken(fact) => self.tokens.contains_key(&fact.id),
            Operation::Admit { node, .. } => self.admitted.contains(node),
            Operation::JudgeImage { image, approved, .. } => self.images.get(&image.hash.0) == Some(approved),
            Operation::UnloadImage { hash } => !self.images.contains_key(&hash.0),
            Operation::RevokeImage { image, .. } => self.revoked.contains(&image.hash.0),
            _ => true,
        }
    }
}

impl Checker for AnswersAreDurable {
    fn name(&self) -> &'static str {
        "answers are durable"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Durable { record } => self.apply(record),
            Seen::OperatorAnswered { operation, answer: Answer::Done | Answer::Admitted { .. } }
                if !self.holds(operation) =>
            {
                return Err(format!("{operation:?} was answered and is not in the ledger"));
            }
            Seen::Welcomed { node } if !self.registered.contains(node) => {
                return Err(format!("{node} was told that it is registered, and is not in the ledger"));
            }
            Seen::Answered { spec, outcome: CreateOutcome::Created { address, .. }, .. } => {
                if let Some(name) = &spec.global_name
                    && !self.names.contains(&(name.clone(), *address))
                    && !self.ended.contains(address)
                {
                    return Err(format!("{address} was answered as {name:?}, and that is not in the ledger"));
                }
            }
            Seen::ActorEnded { address, .. } => {
                self.ended.insert(*address);
            }
            Seen::LeaderStarted { images, tokens } => {
                let (images, tokens): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    (images.iter().copied().collect(), tokens.iter().copied().collect());
                if images != self.images || tokens != self.tokens {
                    return Err("the leader that started shows other images or tokens than its ledger".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
