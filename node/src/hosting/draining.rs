//! A node that is to become empty: its actors create their children elsewhere, and are asked to exit.

use super::Hosting;
use hashbrown::HashSet;
use odeon::system::Envelope;
use odeon::{ActorExitRequest, Address, AnyMessage};
use std::sync::atomic::Ordering;

impl Hosting {
    pub(crate) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Asks every actor without a parent here to exit with its children, but for those in `asked`, which it adds to.
    /// Gives how many actors are left. The node's own Source Authority stays as long as the node.
    pub(crate) fn ask_all_to_exit(&self, asked: &mut HashSet<Address>) -> usize {
        let mut actors = self.system().actors();
        let stays = self.own_family(&actors);
        actors.retain(|actor| !stays.contains(&actor.address));
        let here: HashSet<Address> = actors.iter().map(|actor| actor.address).collect();
        let roots = actors.iter().filter(|actor| actor.parent.is_none_or(|parent| !here.contains(&parent)));
        for root in roots.map(|actor| actor.address).filter(|root| asked.insert(*root)) {
            let message = AnyMessage::new(ActorExitRequest::default());
            self.system().deliver(Envelope { to: root, sender: self.nobody(), message });
        }
        asked.retain(|address| here.contains(address));
        actors.len()
    }
}
