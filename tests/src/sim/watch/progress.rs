//! Once the faults stop, everything that was asked is answered and every living node is registered as it is.

use odeon::NodeRef;
use odeon_capabilities::CapabilityMap;
use odeon_convention::leader::{MemberState, MemberView};
use std::collections::HashMap;

/// A node that lives at the end.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) node: NodeRef,
    pub(crate) capabilities: CapabilityMap,
    pub(crate) unanswered: usize,
}

/// The name of this invariant.
pub(crate) const NAME: &str = "progress once the faults stop";

/// Compares the living nodes with what the leader shows, and the operators' questions with their answers.
pub(crate) fn settled(
    living: &[Ending],
    shown: &[MemberView],
    operations: usize,
) -> Result<(), (&'static str, String)> {
    let fail = |what| Err((NAME, what));
    if operations > 0 {
        return fail(format!("{operations} operations were not answered"));
    }
    let shown: HashMap<NodeRef, &MemberView> = shown.iter().map(|view| (view.node, view)).collect();
    for end in living {
        if end.unanswered > 0 {
            return fail(format!("{} creations of {} were not answered", end.unanswered, end.node));
        }
        match shown.get(&end.node) {
            None => return fail(format!("{} lives and is not registered", end.node)),
            Some(view) if view.state != MemberState::Alive => {
                return fail(format!("{} lives and is shown as {:?}", end.node, view.state));
            }
            Some(view) if view.capabilities != end.capabilities => {
                return fail(format!("{} is shown with capabilities that it does not have", end.node));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
