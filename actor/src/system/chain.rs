//! Who waits for whom.

use super::cell::Cell;
use super::limits::CHAIN_ACTORS_MAX;
use super::mailbox::ActorState;
use super::pressure::Pressed;
use crate::Address;
use std::sync::Arc;

/// Where those who wait, one for the next, lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// To one that does not wait for another actor.
    Ends,
    /// To the one that was looked for, or to more than [`CHAIN_ACTORS_MAX`] of them.
    Returns,
    /// To one that waits for this ticket.
    Leaves(u64),
}

impl Cell {
    /// Follows those who wait from this one on.
    pub(super) fn chain(self: &Arc<Self>, origin: &Address) -> Chain {
        let mut at = self.clone();
        for _ in 0..CHAIN_ACTORS_MAX {
            if at.address == *origin {
                return Chain::Returns;
            }
            at = match at.waits_for() {
                Some(Pressed::Mailbox(next)) => next,
                Some(Pressed::Held { ticket, .. }) => return Chain::Leaves(ticket),
                Some(Pressed::Ticket { .. } | Pressed::Rate) | None => return Chain::Ends,
            };
        }
        Chain::Returns
    }

    fn waits_for(&self) -> Option<Pressed> {
        let mailbox = self.mailbox.lock();
        let is_put_aside = mailbox.state == ActorState::PutAside;
        is_put_aside.then(|| self.pressed.lock().clone()).flatten()
    }
}
