//! Of a revoked image no actor is created at a node that was told of it or has confirmed, or that started later, and
//! none anywhere once an operator has heard that all have confirmed. In the end nobody has its bytes.

use super::{Checker, Left, Seen};
use odeon::NodeRef;
use odeon_convention::leader::{Answer, Confirmations, Operation};
use odeon_convention::record::Record;
use odeon_convention::types::SourceHash;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

#[derive(Debug, Default)]
pub(super) struct NothingOfTheRevoked {
    /// How many revocations are durable.
    count: u64,
    /// The number of the first of each image, and whether its actors are to end by any.
    revoked: BTreeMap<SourceHash, (u64, bool)>,
    living: HashMap<NodeRef, Node>,
    declared_gone: HashSet<NodeRef>,
    /// Images of which an operator has heard that all have confirmed.
    proven: BTreeSet<SourceHash>,
}

#[derive(Debug, Default)]
struct Node {
    /// How many revocations were durable when it started.
    started_after: u64,
    told: BTreeSet<SourceHash>,
    confirmed: u64,
}

impl NothingOfTheRevoked {
    fn born(&self, host: NodeRef, hash: SourceHash) -> Result<(), String> {
        let Some((number, _)) = self.revoked.get(&hash) else { return Ok(()) };
        let node = self.living.get(&host);
        let because = match node {
            Some(node) if node.told.contains(&hash) => "which was told of its revocation",
            Some(node) if node.confirmed >= *number => "which has confirmed its revocation",
            Some(node) if node.started_after >= *number => "which started after its revocation",
            // One that was declared gone and lives knows nothing, and nobody has counted it.
            _ if self.proven.contains(&hash) && !self.declared_gone.contains(&host) => "though all have confirmed",
            _ => return Ok(()),
        };
        Err(format!("an actor of image {hash} is created on {host}, {because}"))
    }

    fn left(&self, left: &Left) -> Result<(), String> {
        let Left { hash, unconfirmed, stores, actors } = left;
        let ends = self.revoked.get(hash).is_some_and(|(_, end)| *end);
        let actors = if ends { *actors } else { 0 };
        if unconfirmed + stores + actors > 0 {
            let still =
                format!("{unconfirmed} have not confirmed, {stores} have its bytes, {actors} actors did not end");
            return Err(format!("image {hash} was revoked, and in the end {still}"));
        }
        Ok(())
    }
}

impl Checker for NothingOfTheRevoked {
    fn name(&self) -> &'static str {
        "nothing of a revoked image"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Durable { record: Record::ImageRevoked { hash, end, .. } } => {
                self.count += 1;
                self.revoked.entry(*hash).or_insert((self.count, false)).1 |= end;
            }
            Seen::NodeStarted { node } => {
                self.living.insert(*node, Node { started_after: self.count, ..Node::default() });
            }
            Seen::NodeEnded { node } => {
                self.living.remove(node);
            }
            Seen::DeclaredGone { node, .. } => {
                self.declared_gone.insert(*node);
            }
            Seen::ToldRevoked { node, hash } => {
                if !self.revoked.contains_key(hash) {
                    return Err(format!("{node} is told that image {hash} is revoked before that is durable"));
                }
                self.living.entry(*node).or_default().told.insert(*hash);
            }
            Seen::ConfirmsRevocations { node, upto } => {
                if *upto > self.count {
                    return Err(format!("{node} confirms {upto} revocations of {}", self.count));
                }
                let confirmed = &mut self.living.entry(*node).or_default().confirmed;
                *confirmed = (*upto).max(*confirmed);
            }
            Seen::ActorBorn { host, image: Some(hash), .. } => return self.born(*host, *hash),
            Seen::OperatorAnswered {
                operation: Operation::Confirmations { hash },
                answer: Answer::Confirmations(Confirmations { unconfirmed, .. }),
            } if unconfirmed.is_empty() => {
                self.proven.insert(*hash);
            }
            Seen::Settled { revoked, .. } => {
                if revoked.len() != self.revoked.len() {
                    return Err(format!("{} images were revoked, {} are shown", self.revoked.len(), revoked.len()));
                }
                return revoked.iter().try_for_each(|left| self.left(left));
            }
            _ => {}
        }
        Ok(())
    }
}
