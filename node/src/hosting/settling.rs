//! Creations elsewhere, under addresses that this node promised: how they ended.

use super::Hosting;
use super::frame::Frame;
use super::routes::{Promise, Waiting};
use odeon::{Address, NodeRef};
use odeon_convention::types::CreateOutcome;

impl Hosting {
    /// A creation that this node promised an address for has ended.
    pub(crate) fn settle(&self, child: Address, outcome: &CreateOutcome) {
        match outcome {
            CreateOutcome::Created { address, node, existing } => self.settle_at(child, *node, *address, *existing),
            CreateOutcome::NoCompatibleNode(explanation) => {
                let reasons: Vec<_> =
                    explanation.rejected.iter().map(|r| format!("{} ({} nodes)", r.reason, r.nodes)).collect();
                self.settle_nowhere(child, &format!("no compatible node: {}", reasons.join("; ")));
            }
            CreateOutcome::Refused { reason, .. } => self.settle_nowhere(child, reason),
        }
    }

    fn settle_at(&self, child: Address, host: NodeRef, address: Address, existing: bool) {
        let mut promises = self.promises.lock();
        // A child that exited before its creation was confirmed has been buried already.
        let Some(Promise::Pending { parent, waiting, askers }) = promises.remove(&child) else { return };
        promises.insert(child, Promise::At(host, address));
        if let Some(parent) = parent
            && !existing
            && host != self.me
        {
            promises.adopt(host, child, parent);
        }
        // Under the lock, so that nothing overtakes what waited.
        for envelope in waiting.queue {
            self.send_to(host, address, envelope);
        }
        drop(promises);
        self.system().resume(waiting.ticket);
        for asker in askers {
            self.frame_to(asker, self.lane_key(&child, &child), Frame::settled(child, Some((host, address))));
        }
    }

    pub(super) fn settle_nowhere(&self, child: Address, reason: &str) {
        let Some(Promise::Pending { parent, waiting, askers }) = self.promises.lock().remove(&child) else { return };
        self.bury(waiting);
        for asker in askers {
            self.frame_to(asker, self.lane_key(&child, &child), Frame::settled(child, None));
        }
        if let Some(parent) = parent {
            self.system().child_exited(parent, child, reason);
        }
    }

    pub(super) fn bury(&self, waiting: Waiting) {
        for envelope in waiting.queue {
            self.dead_letter(envelope);
        }
        self.system().resume(waiting.ticket);
    }
}
