//! What a system says about the actors in it.

use super::cell::Cell;
use super::core::Core;
use super::mailbox::ActorState;
use super::outside::Envelope;
use crate::{ActorStatusReport, ActorStatusRequest, Address, AnyMessage, ReportedStatus};
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;

/// One actor as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorStatus {
    /// Its address.
    pub address: Address,
    /// The name of its type.
    pub actor: String,
    /// The source hash of its image.
    pub image: Option<String>,
    /// Its parent.
    pub parent: Option<Address>,
    /// Its global name.
    pub global_name: Option<String>,
    /// What it does.
    pub state: ActorState,
    /// Messages that it was given since it was created.
    pub received: u64,
    /// Messages that wait for it; while it runs this may lag by one turn.
    pub queued: usize,
    /// Its children, here and elsewhere.
    pub children: usize,
}

impl Core {
    /// Has an actor told how another one is. Of one that is here without its doing anything: it may be stuck.
    pub(super) fn request_status(&self, by: Address, of: Address) {
        if self.is_own(&of) || self.find(&of).is_some() {
            let message = AnyMessage::new(self.report(of));
            let _ = self.post(&by, &of, message);
        } else {
            let message = AnyMessage::new(ActorStatusRequest);
            let _ = self.outside.send(Envelope { to: of, sender: by, message });
        }
    }

    /// How an actor is, for messages.
    pub(super) fn report(&self, of: Address) -> ActorStatusReport {
        ActorStatusReport { of, status: self.find(&of).map(|cell| cell.status().into()) }
    }
}

impl From<ActorStatus> for ReportedStatus {
    fn from(status: ActorStatus) -> Self {
        Self {
            actor: status.actor,
            image: status.image,
            global_name: status.global_name,
            state: status.state.to_string(),
            received: status.received,
            queued: status.queued as u64,
            children: status.children as u64,
        }
    }
}

impl Cell {
    pub(super) fn status(&self) -> ActorStatus {
        let (state, queued) = {
            let mailbox = self.mailbox.lock();
            (mailbox.state, mailbox.len())
        };
        ActorStatus {
            address: self.address,
            actor: self.name.to_string(),
            image: self.image.as_deref().map(str::to_owned),
            parent: self.parent,
            global_name: self.global_name.as_deref().map(str::to_owned),
            state,
            received: self.received.load(Relaxed),
            queued,
            children: self.family.lock().len(),
        }
    }
}
