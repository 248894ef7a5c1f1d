//! A node is declared gone only when it is, or when its link was not sound; each member hears of it once.

use super::{Checker, Seen};
use odeon::NodeRef;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct GoneIsTrueAndToldOnce {
    lease_ms: u64,
    told: BTreeSet<(NodeRef, NodeRef)>,
    declared: BTreeSet<NodeRef>,
}

impl GoneIsTrueAndToldOnce {
    pub(super) fn new(lease_ms: u64) -> Self {
        Self { lease_ms, told: BTreeSet::new(), declared: BTreeSet::new() }
    }
}

impl Checker for GoneIsTrueAndToldOnce {
    fn name(&self) -> &'static str {
        "gone is true and told once"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::DeclaredGone { node, sound_for_ms } => {
                if !self.declared.insert(*node) {
                    return Err(format!("{node} was declared gone twice"));
                }
                match sound_for_ms {
                    Some(ms) if *ms > self.lease_ms => {
                        return Err(format!("{node} lives and had a sound link for {ms} ms, but was declared gone"));
                    }
                    _ => {}
                }
            }
            Seen::ToldGone { to, node } => {
                if !self.declared.contains(node) {
                    return Err(format!("{to} was told that {node} is gone before that was durable"));
                }
                if !self.told.insert((*to, *node)) {
                    return Err(format!("{to} was told twice that {node} is gone"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
