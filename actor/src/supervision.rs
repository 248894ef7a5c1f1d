//! Children that are created again when they exit: the parent says which, how often and how soon.
//!
//! Beside the rule that a parent is told, which stays as it is. All time is counted in wakeups, all chance is that of the
//! children's addresses, so that a supervisor does the same again where these are the same.

use crate::{ActorExitRequest, Address, ChildActorExited, Context, Failure, Message, Wakeup, WakeupMessage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Children of one [`Supervisor`].
pub const SUPERVISED_CHILDREN_MAX: usize = 65_536;

/// How often a child is created again, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    /// How often within [`Restarts::within`]. One exit more, and it is given up.
    pub max: u32,
    /// How long an exit counts.
    pub within: Duration,
    /// The pause before the first. It doubles with every exit that counts.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// By how much of itself a pause may be shorter, in percent: so that not all come back at the same moment.
    pub jitter_percent: u32,
}

impl Default for Restarts {
    /// Five within a minute, after 100 ms at first and 10 s at most, half of which is left to chance.
    fn default() -> Self {
        Self {
            max: 5,
            within: Duration::from_secs(60),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            jitter_percent: 50,
        }
    }
}

impl Restarts {
    /// The pause after so many exits, one at least. `chance` is any number.
    fn pause(&self, exits: u32, chance: u64) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(exits - 1).unwrap_or(u32::MAX));
        let pause = doubled.min(self.longest);
        let part = f64::from(mixed(chance) as u32) / f64::from(u32::MAX);
        pause.mul_f64(1.0 - f64::from(self.jitter_percent.min(100)) / 100.0 * part)
    }
}

/// Bits without a pattern, from a number that may have one: the end of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// A child of a [`Supervisor`], whichever actor it is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Supervised(u64);

/// What follows from the exit of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The supervisor does not have it.
    NotSupervised,
    /// It is created again after this pause.
    Restarts {
        /// Which child.
        child: Supervised,
        /// The pause.
        pause: Duration,
    },
    /// It exited too often; the supervisor does not have it any more.
    GivenUp {
        /// Which child it was.
        child: Supervised,
    },
}

type Create = Box<dyn Fn(&Context) -> Address + Send>;

struct Child {
    id: Supervised,
    create: Create,
    restarts: Restarts,
    /// None during a pause.
    address: Option<Address>,
    /// The end of the pause.
    pause: Option<Wakeup>,
    /// One for each exit that counts.
    exits: Vec<Wakeup>,
}

/// A part of a parent that creates children again when they exit.
///
/// The parent hands it the [`ChildActorExited`]s and [`WakeupMessage`]s that it gets, all of them: what is not the supervisor's is left
/// alone. A parent that fails and is built anew has lost its supervisor with its state; its children are still there.
///
/// ```
/// use odeon::{ActorExitRequest, ChildActorExited, Consequence, Context, Restarts, Supervised, Supervisor, WakeupMessage, actor};
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Engine;
///
/// #[actor]
/// impl Engine {
///     #[handler]
///     fn run(&mut self, number: &i64, cx: &mut Context) {
///         cx.reply(number + 1);
///     }
/// }
///
/// #[derive(Default)]
/// struct Driver {
///     children: Supervisor,
///     engine: Option<Supervised>,
/// }
///
/// #[actor]
/// impl Driver {
///     #[handler]
///     fn begin(&mut self, _: &String, cx: &mut Context) -> Result<(), odeon::Failure> {
///         let restarts = Restarts { first: Duration::from_millis(10), ..Restarts::default() };
///         self.engine = Some(self.children.start(cx, restarts, |cx| cx.create_actor::<Engine>().start())?);
///         Ok(())
///     }
///
///     #[handler]
///     fn run(&mut self, number: &i64, cx: &mut Context) {
///         match self.engine.and_then(|engine| self.children.address(engine)) {
///             Some(engine) => cx.forward(engine, &odeon::AnyMessage::new(*number)),
///             None => cx.info("the engine starts again"),
///         }
///     }
///
///     #[handler]
///     fn exited(&mut self, exited: &ChildActorExited, cx: &mut Context) {
///         if let Consequence::GivenUp { .. } = self.children.exited(exited, cx) {
///             cx.exit();
///         }
///     }
///
///     #[handler]
///     fn woken(&mut self, wakeup: &WakeupMessage, cx: &mut Context) {
///         self.children.woken(wakeup, cx);
///     }
/// }
/// ```
#[derive(Default)]
pub struct Supervisor {
    children: Vec<Child>,
    ids: u64,
}

/// What the wakeups of a supervisor carry.
#[derive(Serialize, Deserialize)]
struct Tick;

impl Message for Tick {
    const NAME: &'static str = "odeon.SupervisorTick";
}

impl Supervisor {
    /// Creates a child, and again when it exits. Fails where there are [`SUPERVISED_CHILDREN_MAX`].
    pub fn start(
        &mut self,
        cx: &Context,
        restarts: Restarts,
        create: impl Fn(&Context) -> Address + Send + 'static,
    ) -> Result<Supervised, Failure> {
        if self.children.len() >= SUPERVISED_CHILDREN_MAX {
            return Err(Failure::new(format!("a supervisor has {SUPERVISED_CHILDREN_MAX} children and no more")));
        }
        self.ids += 1;
        let id = Supervised(self.ids);
        let address = Some(create(cx));
        let create = Box::new(create);
        self.children.push(Child { id, create, restarts, address, pause: None, exits: Vec::new() });
        Ok(id)
    }

    /// Where a child is. None during a pause, and when it was given up or stopped.
    pub fn address(&self, child: Supervised) -> Option<Address> {
        self.children.iter().find(|c| c.id == child)?.address
    }

    /// Asks a child to exit, for good. False when the supervisor does not have it.
    pub fn stop(&mut self, child: Supervised, cx: &Context) -> bool {
        let Some(place) = self.children.iter().position(|c| c.id == child) else { return false };
        let child = self.children.swap_remove(place);
        child.forget(cx);
        child.address.into_iter().for_each(|address| cx.send(address, ActorExitRequest::default()));
        true
    }

    /// What the parent does with a [`ChildActorExited`].
    pub fn exited(&mut self, exited: &ChildActorExited, cx: &Context) -> Consequence {
        let Some(place) = self.children.iter().position(|c| c.address == Some(exited.child)) else {
            return Consequence::NotSupervised;
        };
        let child = &mut self.children[place];
        let (id, restarts) = (child.id, child.restarts);
        if child.exits.len() >= restarts.max as usize {
            self.children.swap_remove(place).forget(cx);
            return Consequence::GivenUp { child: id };
        }
        child.exits.push(cx.wakeup_after_with(restarts.within, Tick));
        let pause = restarts.pause(child.exits.len() as u32, exited.child.nonce());
        child.address = None;
        child.pause = Some(cx.wakeup_after_with(pause, Tick));
        Consequence::Restarts { child: id, pause }
    }

    /// What the parent does with a [`WakeupMessage`]. Says who was created again, and where.
    pub fn woken(&mut self, wakeup: &WakeupMessage, cx: &Context) -> Option<(Supervised, Address)> {
        for child in &mut self.children {
            if child.pause == Some(wakeup.wakeup) {
                let address = (child.create)(cx);
                child.pause = None;
                child.address = Some(address);
                return Some((child.id, address));
            }
            child.exits.retain(|exit| *exit != wakeup.wakeup);
        }
        None
    }
}

impl Child {
    /// Nothing comes for it any more.
    fn forget(&self, cx: &Context) {
        self.pause.iter().chain(&self.exits).for_each(|wakeup| cx.cancel_wakeup(*wakeup));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit_and_chance_only_shortens_it() {
        let restarts = Restarts { jitter_percent: 0, ..Restarts::default() };
        let pauses: Vec<_> = [1, 2, 3, 4, 7, 8, 9, 32, 33, 1000].map(|exits| restarts.pause(exits, 7)).into();
        assert_eq!(
            pauses.iter().map(Duration::as_millis).collect::<Vec<_>>(),
            [100, 200, 400, 800, 6_400, 10_000, 10_000, 10_000, 10_000, 10_000]
        );
        let half = Restarts::default();
        let pauses: Vec<_> = (0..1000).map(|chance| half.pause(1, chance).as_millis()).collect();
        assert!(pauses.iter().all(|pause| (50..=100).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause < 60) && pauses.iter().any(|pause| *pause > 90));
    }
}
