//! What a system says about the actors in it.

use super::cell::Cell;
use super::mailbox::ActorState;
use crate::Address;
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
