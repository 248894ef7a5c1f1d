//! A message that goes on being handled after `receive` has returned.

use crate::Failure;

/// How the handling of a message has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was handled.
    Handled,
    /// It failed, as if `receive` had.
    Failed(Failure),
    /// There was no actor to handle it, and none could be built: the actor ends.
    Unbuilt(Failure),
}

/// The promise that a message, whose `receive` has returned, comes to an end. Until then its actor is given no other one.
///
/// Whoever drops it instead has failed the message.
#[must_use = "dropped, it fails the message"]
pub struct Suspended(Option<Box<dyn FnOnce(Ending) + Send>>);

impl Suspended {
    /// One whose end is told by this call, which must not block.
    pub fn new(end: impl FnOnce(Ending) + Send + 'static) -> Self {
        Self(Some(Box::new(end)))
    }

    /// Ends the message. From whatever thread.
    pub fn end(mut self, ending: Ending) {
        self.tell(ending);
    }

    fn tell(&mut self, ending: Ending) {
        if let Some(end) = self.0.take() {
            end(ending);
        }
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.tell(Ending::Failed(Failure::new("whoever handled it is gone")));
    }
}
