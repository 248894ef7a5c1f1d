//! An actor inside another one. After a failure it is built anew on its own, so that what stands around it stays.
//!
//! In an image only a failure that is returned leaves it so: a panic there ends the whole instance.

use crate::caught::{caught, dropped};
use crate::{ActorType, AnyMessage, Context, Failure};

pub(crate) struct Kept<A>(Option<A>);

impl<A: ActorType> Kept<A> {
    pub(crate) fn create() -> Result<Self, Failure> {
        A::create().map(|actor| Self(Some(actor)))
    }

    /// Hands on a message.
    pub(crate) fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        self.run(|actor| actor.receive(message, cx))
    }

    /// Has the actor do something. A failure is marked, so that nothing around this is thrown away for it.
    pub(crate) fn run(&mut self, act: impl FnOnce(&mut A) -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(actor) = &mut self.0 else { return Err(Failure::new("it could not be built again")) };
        caught(|| act(actor)).and_then(|done| done).map_err(|failure| self.rebuild(failure))
    }

    /// Where no new one can be built, the failure is one of all that stands around it.
    fn rebuild(&mut self, failure: Failure) -> Failure {
        dropped(self.0.take());
        match caught(A::create).and_then(|built| built) {
            Ok(actor) => {
                self.0 = Some(actor);
                failure.rebuilt()
            }
            Err(_) => failure,
        }
    }

    pub(crate) fn actor(&self) -> Option<&A> {
        self.0.as_ref()
    }
}
