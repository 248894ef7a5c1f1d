//! A node has at most one living actor of a group.

use super::{Checker, Seen};
use odeon::{Address, NodeRef};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct OneActorPerGroup {
    living: BTreeMap<(NodeRef, String), Address>,
}

impl Checker for OneActorPerGroup {
    fn name(&self) -> &'static str {
        "one actor per group and node"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::ActorBorn { host, address, group: Some(group), .. } => {
                if let Some(first) = self.living.insert((*host, group.clone()), *address) {
                    return Err(format!("{host} has {first} and {address} of group {group:?}"));
                }
            }
            Seen::ActorEnded { address, .. } => self.living.retain(|_, living| living != address),
            Seen::NodeEnded { node } => self.living.retain(|(host, _), _| host != node),
            _ => {}
        }
        Ok(())
    }
}
