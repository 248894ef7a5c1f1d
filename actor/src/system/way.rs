//! The way to an actor for threads of the program: an [`Inlet`] that puts into its mailbox.

use super::core::{Core, Posted};
use super::mailbox::ActorState;
use super::pool;
use crate::pipe::Inlet;
use crate::{Address, AnyMessage};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

pub(super) struct Way {
    pub(super) core: Arc<Core>,
    pub(super) actor: Address,
}

impl Inlet for Way {
    fn put(&self, message: AnyMessage) -> Result<(), AnyMessage> {
        match self.core.post(&self.actor, &self.actor, message) {
            Posted::Dead(message) => Err(message),
            Posted::Kept | Posted::Over => Ok(()),
        }
    }

    fn is_open(&self) -> bool {
        self.core.find(&self.actor).is_some_and(|cell| cell.mailbox.lock().state != ActorState::Exiting)
    }

    fn is_worker(&self) -> bool {
        pool::is_worker()
    }

    fn hold(&self) -> Box<dyn Send + Sync> {
        self.core.holds.fetch_add(1, SeqCst);
        Box::new(Hold(self.core.clone()))
    }
}

/// What a shutdown waits for beside actors.
struct Hold(Arc<Core>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, SeqCst);
        self.0.quiet.notify_all();
    }
}
