//! Actors that need some messages before they can handle any other: what they are told first, in whatever order it comes.

use crate::host::Level;
use crate::kept::Kept;
use crate::type_name::TypeName;
use crate::{
    Actor, ActorExitRequest, ActorType, Address, AnyMessage, CapabilityView, Context, Failure, Message, Requirements,
    Wakeup, WakeupMessage, dispatch,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An actor that is not ready before it has had certain messages, where it is created as an [`Initialising`].
pub trait Initialise: ActorType {
    /// The names of the messages that it needs, one of each. Its handlers take them.
    const NEEDS: &'static [&'static str];
    /// How long after its first message it has to have all of them.
    const WITHIN: Duration = Duration::from_secs(60);

    /// Called once it has had all of them, before anything else. A failure is one of the last of them.
    fn initialised(&mut self, cx: &mut Context) -> Result<(), Failure> {
        let _ = cx;
        Ok(())
    }
}

/// An `A` that is given one message of each type in [`Initialise::NEEDS`] before any other.
///
/// Those go to its handlers as they come, in any order and from any sender. Everything else waits ([`Context::defer`]) and
/// follows in its order. An actor that does not have them all within [`Initialise::WITHIN`] exits: its parent is told, and
/// what waited becomes dead letters. One that fails later is given them again before it goes on; in an image only if its
/// handler has returned the failure, as a panic there takes what was remembered along, so that it exits as said.
///
/// Its type is called like that of `A` with `.initialising` behind it.
///
/// ```
/// use odeon::{Context, Initialise, Initialising, Message, actor};
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Currency(String);
///
/// #[derive(Default)]
/// struct Till {
///     currency: String,
/// }
///
/// #[actor]
/// impl Till {
///     #[handler]
///     fn currency(&mut self, currency: &Currency, _: &mut Context) {
///         self.currency = currency.0.clone();
///     }
///
///     #[handler]
///     fn price(&mut self, price: &i64, cx: &mut Context) {
///         cx.reply(format!("{price} {}", self.currency));
///     }
/// }
///
/// impl Initialise for Till {
///     const NEEDS: &'static [&'static str] = &[Currency::NAME];
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = odeon::system::ActorSystem::simple();
/// let till = system.create_actor::<Initialising<Till>>()?;
/// system.tell(till, 5i64);
/// system.tell(till, Currency("EUR".into()));
/// let answer = system.listen(std::time::Duration::from_secs(10)).ok_or("no answer")?;
/// assert_eq!(answer.message.get::<String>().map(String::as_str), Some("5 EUR"));
/// # Ok(())
/// # }
/// ```
pub struct Initialising<A> {
    actor: Kept<A>,
    /// What it has had of what it needs, each with its sender.
    had: Vec<Option<(Address, AnyMessage)>>,
    is_ready: bool,
    /// When it has to be ready. None before the first message.
    deadline: Option<Wakeup>,
}

/// What the wakeup at the deadline carries.
#[derive(Serialize, Deserialize)]
struct Deadline;

impl Message for Deadline {
    const NAME: &'static str = "odeon.InitialisingDeadline";
}

impl<A: Initialise> Initialising<A> {
    const TYPE_NAME: &'static TypeName = &TypeName::of(A::NAME, ".initialising");

    /// Which of what it needs and has not had yet a message is.
    fn place(&self, message: &AnyMessage) -> Option<usize> {
        let name = dispatch::meant(message, A::NEEDS);
        A::NEEDS.iter().position(|needed| *needed == name).filter(|place| self.had[*place].is_none())
    }

    /// A message while the actor is not ready.
    fn before(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if self.deadline.is_none() {
            self.deadline = Some(cx.wakeup_after_with(A::WITHIN, Deadline));
        }
        match self.place(message) {
            Some(place) => self.initialise(place, message, cx),
            None => {
                cx.defer();
                Ok(())
            }
        }
    }

    fn initialise(&mut self, place: usize, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let mut initialised = self.actor.receive(message, cx);
        self.had[place] = Some((cx.sender(), message.clone()));
        let is_ready = self.had.iter().all(Option::is_some);
        if initialised.is_ok() && is_ready {
            initialised = self.actor.run(|actor| actor.initialised(cx));
        }
        if initialised.is_err() {
            self.had[place] = None;
            self.give_again(cx);
        } else if is_ready {
            self.is_ready = true;
            self.deadline.into_iter().for_each(|deadline| cx.cancel_wakeup(deadline));
            cx.resume_deferred();
        }
        initialised
    }

    /// Gives a new actor what the one before it has had.
    fn give_again(&mut self, cx: &mut Context) {
        let mut given = Ok(());
        for (sender, message) in self.had.iter().flatten() {
            cx.set_sender(*sender);
            given = given.and_then(|()| self.actor.receive(message, cx));
        }
        if self.is_ready {
            given = given.and_then(|()| self.actor.run(|actor| actor.initialised(cx)));
        }
        if let Err(failure) = given {
            cx.log(Level::Error, format!("exits, as it cannot be initialised again: {failure}"));
            cx.exit();
        }
    }

    /// The wakeup at a deadline; one that an instance before this one has asked for does not count.
    fn deadline(&mut self, deadline: Wakeup, cx: &Context) {
        if !self.is_ready && self.deadline == Some(deadline) {
            cx.warn(format!("exits, as it did not have in time what it needs: {}", self.missing().join(", ")));
            cx.exit();
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let had = A::NEEDS.iter().zip(&self.had);
        had.filter(|(_, had)| had.is_none()).map(|(name, _)| *name).collect()
    }
}

impl<A: Initialise> Actor for Initialising<A> {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if let Some(wakeup) = message.of_name::<WakeupMessage>()
            && wakeup.payload.as_ref().is_some_and(|payload| payload.name == Deadline::NAME)
        {
            self.deadline(wakeup.wakeup, cx);
            return Ok(());
        }
        if !self.is_ready && message.name() != ActorExitRequest::NAME {
            return self.before(message, cx);
        }
        let sender = cx.sender();
        let handled = self.actor.receive(message, cx);
        if handled.is_err() {
            self.give_again(cx);
            cx.set_sender(sender);
        }
        handled
    }
}

impl<A: Initialise> ActorType for Initialising<A> {
    const NAME: &'static str = Self::TYPE_NAME.as_str();
    const REQUIRED: &'static [&'static str] = A::REQUIRED;
    const CHECKS: bool = A::CHECKS;

    fn create() -> Result<Self, Failure> {
        let had = A::NEEDS.iter().map(|_| None).collect();
        Ok(Self { actor: Kept::create()?, had, is_ready: A::NEEDS.is_empty(), deadline: None })
    }

    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        A::check(capabilities, requirements)
    }
}
