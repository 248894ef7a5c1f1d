//! At most one living actor has a global name, on nodes that are not declared gone.

use super::{Checker, Seen};
use odeon::{Address, NodeRef};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct OneActorPerName {
    owners: BTreeMap<String, (Address, NodeRef)>,
}

impl Checker for OneActorPerName {
    fn name(&self) -> &'static str {
        "one actor per global name"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::ActorBorn { host, address, name: Some(name), .. } => {
                if let Some((other, on)) = self.owners.insert(name.clone(), (*address, *host)) {
                    return Err(format!("{name:?} is {other} on {on} and {address} on {host}"));
                }
            }
            Seen::ActorEnded { address, .. } => self.owners.retain(|_, (owner, _)| owner != address),
            Seen::NodeEnded { node } | Seen::DeclaredGone { node, .. } => self.owners.retain(|_, (_, on)| on != node),
            _ => {}
        }
        Ok(())
    }
}
