//! Troupes: one address, and behind it as many workers as the work needs.
//!
//! `crew` decides who works on what; here are the two actor types around it. A troupe has no clock: it counts in wakeups.

mod crew;
mod messages;
mod worker;

use crate::type_name::TypeName;
use crate::{Actor, ActorType, AnyMessage, CapabilityView, Context, Failure, Requirements};
use crew::Crew;
#[cfg(all(feature = "system", target_os = "linux"))]
pub(crate) use messages::named;
pub use messages::{TroupeStatus, TroupeStatusRequest, UpdateTroupeSettings};
use std::marker::PhantomData;
use std::time::Duration;
pub use worker::TroupeWorker;

/// How often a message is given to another worker before its sender gets it back: workers that exited count, not failures.
pub const TROUPE_ATTEMPTS_MAX: u32 = 3;
/// Messages that wait for a worker. What comes then goes back to its sender.
pub const TROUPE_WAITING_MESSAGES_MAX: usize = 1 << 16;
/// Workers of one troupe, whatever its settings say.
pub const TROUPE_WORKERS_MAX: u32 = 10_000;
/// How long more workers than are to stay idle have to be idle before they are dismissed.
pub const TROUPE_PAUSE: Duration = Duration::from_secs(2);
/// How often a worker that has had work for so long is asked whether it still has it.
pub const TROUPE_PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// An actor that can work in a [`Troupe`].
pub trait TroupeMember: ActorType {
    /// The most workers at a time, from 1 to [`TROUPE_WORKERS_MAX`].
    const MAX: u32 = 10;
    /// How many workers stay when there is nothing to do.
    const IDLE: u32 = 2;

    /// Whether the work that the actor was given goes on after its handler has returned: it waits for answers or wakeups.
    /// Asked after every message. While it is so, the actor is given no other work.
    fn in_progress(&self) -> bool {
        false
    }
}

/// A troupe of `A`s: an actor that hands every message to an idle `A`, creates more when none is idle, and dismisses those
/// that it does not need.
///
/// A worker sees the message as if its sender had sent it there, and its answer goes there. Idle workers have their turns
/// one after the other. Messages that find no idle worker wait in their order.
///
/// - A worker that fails twice on a message: the sender gets the `PoisonMessage`, as from any actor.
/// - A worker that exits: its message goes to another one, at most [`TROUPE_ATTEMPTS_MAX`] times in all, then back to its
///   sender as a `PoisonMessage`. So work may be done twice, and a message that kills workers does not do so for ever.
/// - More than [`TROUPE_WAITING_MESSAGES_MAX`] waiting messages: what comes next goes back as a `PoisonMessage`.
/// - The exit of the troupe takes its workers along; what waits then goes back as `PoisonMessage`s.
///
/// [`TroupeStatusRequest`] and [`UpdateTroupeSettings`] are for the troupe itself. Its type is called like the worker's with
/// `.troupe` behind it, and that of its workers has `.worker`: an image or a registry offers both.
///
/// ```
/// use odeon::system::ActorSystem;
/// use odeon::{Context, Troupe, TroupeMember, TroupeStatus, TroupeStatusRequest, TroupeWorker, actor};
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Squarer;
///
/// #[actor]
/// impl Squarer {
///     #[handler]
///     fn square(&mut self, number: &i64, cx: &mut Context) {
///         cx.reply(number * number);
///     }
/// }
///
/// impl TroupeMember for Squarer {
///     const MAX: u32 = 4;
/// }
///
/// // For an image or a node; the program below needs no list.
/// odeon::export!(Troupe<Squarer>, TroupeWorker<Squarer>);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = ActorSystem::threads();
/// let squarers = system.create_actor::<Troupe<Squarer>>()?;
/// let wait = Duration::from_secs(10);
/// assert_eq!(system.ask::<i64>(squarers, 12i64, wait)?, 144);
/// let status: TroupeStatus = system.ask(squarers, TroupeStatusRequest, wait)?;
/// assert_eq!((status.workers, status.max), (1, 4));
/// # Ok(())
/// # }
/// ```
pub struct Troupe<A> {
    crew: Crew,
    of: PhantomData<fn() -> A>,
}

impl<A: TroupeMember> Troupe<A> {
    const TYPE_NAME: &'static TypeName = &TypeName::of(A::NAME, ".troupe");
}

impl<A: TroupeMember> Actor for Troupe<A> {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        self.crew.receive(message, cx);
        Ok(())
    }
}

impl<A: TroupeMember> ActorType for Troupe<A> {
    const NAME: &'static str = Self::TYPE_NAME.as_str();
    const REQUIRED: &'static [&'static str] = A::REQUIRED;
    const CHECKS: bool = A::CHECKS;

    fn create() -> Result<Self, Failure> {
        let crew = Crew::new(A::MAX, A::IDLE, |cx| cx.create_actor::<TroupeWorker<A>>().start());
        Ok(Self { crew, of: PhantomData })
    }

    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        A::check(capabilities, requirements)
    }
}
