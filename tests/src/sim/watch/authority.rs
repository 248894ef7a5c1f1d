//! Only an actor that an operator lets be it becomes the Source Authority, and in the end only one that lives is it.

use super::{Checker, Seen};
use odeon::{Address, NodeRef};
use odeon_convention::record::{AuthoritySetting, Record, Registrants};
use odeon_convention::types::AuthorityActor;
use std::collections::HashSet;

#[derive(Debug, Default)]
pub(super) struct AuthorityIsPermittedAndLives {
    setting: AuthoritySetting,
    exited: HashSet<Address>,
    ended: HashSet<NodeRef>,
}

impl AuthorityIsPermittedAndLives {
    fn permitted(&self, who: &AuthorityActor) -> bool {
        match &self.setting {
            AuthoritySetting::Actor { from: Registrants::Nodes(nodes), .. } => nodes.contains(&who.node.id),
            _ => false,
        }
    }
}

impl Checker for AuthorityIsPermittedAndLives {
    fn name(&self) -> &'static str {
        "the authority is permitted and lives"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Durable { record: Record::AuthoritySet { authority } } => self.setting = authority.clone(),
            Seen::Durable { record: Record::AuthorityRegistered { authority } } if !self.permitted(authority) => {
                return Err(format!("{authority} on {} became it under {:?}", authority.node, self.setting));
            }
            Seen::ActorEnded { address, .. } => {
                self.exited.insert(*address);
            }
            Seen::NodeEnded { node } => {
                self.ended.insert(*node);
            }
            Seen::Settled { authority: Some(who), .. }
                if self.exited.contains(&who.address) || self.ended.contains(&who.node) =>
            {
                return Err(format!("{who} on {} is gone, and is it in the end", who.node));
            }
            _ => {}
        }
        Ok(())
    }
}
