//! Actors that end by themselves: some time after their first message, or once nobody has sent them anything for a while.

use crate::kept::Kept;
use crate::type_name::TypeName;
use crate::{
    Actor, ActorType, AnyMessage, CapabilityView, Context, Failure, Message, Requirements, Troupe, TroupeMember,
    Wakeup, WakeupMessage,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Parts of an idle time: it is looked at so often, and may end a part too late.
const IDLE_PARTS: u32 = 4;

/// When a [`Transient`] actor ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So long after its first message.
    AfterFirst(Duration),
    /// When it has had no message for so long; a quarter of it later at the latest.
    Idle(Duration),
}

/// An actor whose time is limited where it is created as a [`Transient`].
pub trait TransientActor: ActorType {
    /// When it ends.
    const LIFETIME: Lifetime;
}

/// A troupe of such actors has their lifetime as a whole: [`Lifetime::Idle`] counts what its workers say as well.
impl<A: TransientActor + TroupeMember> TransientActor for Troupe<A> {
    const LIFETIME: Lifetime = A::LIFETIME;
}

/// An `A` that exits, with its children, when its [`TransientActor::LIFETIME`] is over. Its time begins with its first
/// message.
///
/// What is in its mailbox then becomes dead letters, as with every exit. Wakeups count as messages, and so does the exit of a
/// child. Its type is called like that of `A` with `.transient` behind it.
///
/// ```
/// use odeon::{Context, Lifetime, Transient, TransientActor, actor};
/// use std::time::Duration;
///
/// /// Remembers what was looked up, for as long as somebody asks.
/// #[derive(Default)]
/// struct Cache;
///
/// #[actor]
/// impl Cache {
///     #[handler]
///     fn look_up(&mut self, key: &String, cx: &mut Context) {
///         cx.reply(format!("what {key} is"));
///     }
/// }
///
/// impl TransientActor for Cache {
///     const LIFETIME: Lifetime = Lifetime::Idle(Duration::from_millis(40));
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = odeon::system::ActorSystem::threads();
/// let cache = system.create_actor::<Transient<Cache>>()?;
/// let wait = Duration::from_secs(10);
/// assert_eq!(system.ask::<String>(cache, String::from("rust"), wait)?, "what rust is");
/// while system.system().status(cache).is_some() {
///     std::thread::sleep(Duration::from_millis(10));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Transient<A> {
    actor: Kept<A>,
    /// The wakeup that counts. None before the first message.
    next: Option<Wakeup>,
    /// Whether a message came since the last look.
    heard: bool,
    /// Looks in a row without one.
    quiet: u32,
}

/// What the wakeups of a transient actor carry.
#[derive(Serialize, Deserialize)]
struct Tick;

impl Message for Tick {
    const NAME: &'static str = "odeon.TransientTick";
}

impl<A: TransientActor> Transient<A> {
    const TYPE_NAME: &'static TypeName = &TypeName::of(A::NAME, ".transient");

    fn begin(&mut self, cx: &Context) {
        let delay = match A::LIFETIME {
            Lifetime::AfterFirst(time) => time,
            Lifetime::Idle(time) => time / IDLE_PARTS,
        };
        self.next = Some(cx.wakeup_after_with(delay, Tick));
    }

    fn look(&mut self, cx: &Context) {
        let quiet = if std::mem::take(&mut self.heard) { 0 } else { self.quiet + 1 };
        match A::LIFETIME {
            Lifetime::Idle(_) if quiet < IDLE_PARTS => {
                self.quiet = quiet;
                self.begin(cx);
            }
            Lifetime::Idle(_) | Lifetime::AfterFirst(_) => cx.exit(),
        }
    }
}

impl<A: TransientActor> Actor for Transient<A> {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if let Some(wakeup) = message.of_name::<WakeupMessage>()
            && wakeup.payload.as_ref().is_some_and(|payload| payload.name == Tick::NAME)
        {
            // One that an instance before this one has asked for does not count.
            if self.next == Some(wakeup.wakeup) {
                self.look(cx);
            }
            return Ok(());
        }
        self.heard = true;
        if self.next.is_none() {
            self.begin(cx);
        }
        self.actor.receive(message, cx)
    }
}

impl<A: TransientActor> ActorType for Transient<A> {
    const NAME: &'static str = Self::TYPE_NAME.as_str();
    const REQUIRED: &'static [&'static str] = A::REQUIRED;
    const CHECKS: bool = A::CHECKS;

    fn create() -> Result<Self, Failure> {
        Ok(Self { actor: Kept::create()?, next: None, heard: false, quiet: 0 })
    }

    fn check(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool {
        A::check(capabilities, requirements)
    }
}
