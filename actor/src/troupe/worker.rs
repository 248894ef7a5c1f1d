//! A worker: an actor as a troupe knows it.

use super::TroupeMember;
use super::messages::{Probe, Probed, Work, WorkDone, WorkLost};
use crate::kept::Kept;
use crate::type_name::TypeName;
use crate::{Actor, ActorType, Address, AnyMessage, CapabilityView, Context, Failure, Requirements};

/// The actor type of the workers of a [`super::Troupe`]; only a troupe creates them. Named, with the troupe itself, where an
/// image or a registry says what it offers.
pub struct TroupeWorker<A> {
    actor: Kept<A>,
    /// Whose worker it is: whoever gave it the first work.
    troupe: Option<Address>,
    /// The number of the work that goes on.
    current: Option<u64>,
}

impl<A: TroupeMember> TroupeWorker<A> {
    const TYPE_NAME: &'static TypeName = &TypeName::of(A::NAME, ".worker");

    fn work(&mut self, work: &Work, cx: &mut Context) -> Result<(), Failure> {
        let troupe = *self.troupe.get_or_insert(cx.sender());
        if troupe != cx.sender() {
            cx.warn("found work from another troupe, which is ignored");
            return Ok(());
        }
        self.current = Some(work.number);
        cx.set_sender(work.sender);
        let handled = self.actor.receive(&work.message, cx);
        match handled {
            Ok(()) => self.settle(cx),
            // It is given once more, and at last the troupe gets it back.
            Err(_) => self.current = None,
        }
        handled
    }

    fn probed(&self, probe: &Probe, cx: &Context) {
        cx.reply(Probed { number: probe.number, has_it: self.current == Some(probe.number) });
    }

    fn other(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let handled = self.actor.receive(message, cx);
        match (&handled, self.troupe) {
            (Ok(()), _) => self.settle(cx),
            (Err(_), Some(troupe)) => {
                self.current.take().into_iter().for_each(|number| cx.send(troupe, WorkLost { number }));
            }
            (Err(_), None) => {}
        }
        handled
    }

    /// Tells the troupe when the work does not go on.
    fn settle(&mut self, cx: &Context) {
        let goes_on = self.actor.actor().is_some_and(A::in_progress);
        if let Some(troupe) = self.troupe
            && !goes_on
        {
            self.current.take().into_iter().for_each(|number| cx.send(troupe, WorkDone { number }));
        }
    }
}

impl<A: TroupeMember> Actor for TroupeWorker<A> {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if let Some(work) = message.of_name::<Work>() {
            self.work(work, cx)
        } else if let Some(probe) = message.of_name::<Probe>() {
            self.probed(probe, cx);
            Ok(())
        } else {
            self.other(message, cx)
        }
    }
}

impl<A: TroupeMember> ActorType for TroupeWorker<A> {
    const NAME: &'static str = Self::TYPE_NAME.as_str();
    const REQUIRED: &'static [&'static str] = A::REQUIRED;
    const CHECKS: bool = A::CHECKS;

    fn create() -> Result<Self, Failure> {
        Ok(Self { actor: Kept::create()?, troupe: None, current: None })
    }

    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        A::check(capabilities, requirements)
    }
}
