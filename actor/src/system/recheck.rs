//! What creators asked of the system, kept for as long as the actors live: a change of capabilities ends those that it no
//! longer suits.

use super::core::Core;
use super::mailbox::Mail;
use super::{Spawn, SpawnError};
use crate::{ActorExitRequest, Address, AnyMessage, Requirements};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Requirements by actor. Most actors have none, and take no lock here.
#[derive(Default)]
pub(super) struct Required {
    of: Mutex<HashMap<Address, Requirements>>,
    count: AtomicUsize,
}

impl Required {
    fn note(&self, actor: Address, requirements: Requirements) {
        let mut of = self.of.lock();
        of.insert(actor, requirements);
        self.count.store(of.len(), SeqCst);
    }

    pub(super) fn forget(&self, actor: &Address) {
        if self.count.load(SeqCst) > 0 {
            let mut of = self.of.lock();
            of.remove(actor);
            self.count.store(of.len(), SeqCst);
        }
    }

    fn of(&self, actor: &Address) -> Option<Requirements> {
        if self.count.load(SeqCst) == 0 { None } else { self.of.lock().get(actor).cloned() }
    }
}

impl Core {
    /// Creates an actor of which its creator asked something.
    pub(super) fn spawn_where(
        self: &Arc<Self>,
        spawn: Spawn,
        requirements: Requirements,
    ) -> Result<Address, SpawnError> {
        let actor = self.spawn(spawn)?;
        if !requirements.is_empty() {
            self.required.note(actor, requirements);
            // It may be gone already.
            if self.find(&actor).is_none() {
                self.required.forget(&actor);
            }
        }
        Ok(actor)
    }

    /// Asks those actors to exit that may not be here any more. Actors of one type, of which nobody asked anything, are
    /// alike.
    pub(super) fn recheck(&self) {
        let mut known = HashMap::new();
        for cell in self.cells() {
            let accepted = match self.required.of(&cell.address) {
                Some(requirements) => self.outside.accepts(&cell.name, cell.image.as_deref(), &requirements),
                None => *known
                    .entry((cell.name.clone(), cell.image.clone()))
                    .or_insert_with(|| self.outside.accepts(&cell.name, cell.image.as_deref(), &Requirements::none())),
            };
            if !accepted {
                let message = AnyMessage::new(ActorExitRequest::default());
                self.deliver(cell.address, Mail { sender: cell.address, message });
            }
        }
    }
}
