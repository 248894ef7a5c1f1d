//! A request is created at most once, as far as living nodes that are not declared gone can tell.

use super::{Checker, Seen};
use odeon::NodeRef;
use odeon_convention::types::RequestId;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct CreatedOnce {
    hosts: BTreeMap<RequestId, NodeRef>,
}

impl Checker for CreatedOnce {
    fn name(&self) -> &'static str {
        "created at most once"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::ActorBorn { host, request, .. } => {
                if let Some(first) = self.hosts.insert(*request, *host) {
                    return Err(format!("{request:?} was created on {first} and on {host}"));
                }
            }
            Seen::NodeEnded { node } | Seen::DeclaredGone { node, .. } => self.hosts.retain(|_, host| host != node),
            _ => {}
        }
        Ok(())
    }
}
