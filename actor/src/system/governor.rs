//! How much actors may send in a second, where that is bounded at all.
//!
//! Each actor, and all of a system together, have a time at which what they have sent so far would have been due at the
//! rate. Whoever is ahead of it by more than a burst is put to rest after the current message, until it is not. What is
//! sent is never refused, and who sends more in one message than the rate allows rests for longer.

use super::limits::{RATE_BURST, REST_TIME_MAX};
use crate::Address;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const SHARDS: usize = 16;
/// Marks the tickets of those who rest, so that they are told from those of the outside.
const TICKET: u64 = 1 << 62;

/// How many messages may be sent in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// By each actor.
    pub actor: Option<NonZeroU32>,
    /// By all actors of a system together.
    pub system: Option<NonZeroU32>,
}

impl RateLimits {
    /// Whether there is any.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// When the next message is due, in nanoseconds since the system's start.
#[derive(Debug, Clone, Copy, Default)]
struct Due(u64);

impl Due {
    fn sent(&mut self, rate: NonZeroU32, now_ns: u64) {
        self.0 = self.0.max(now_ns) + 1_000_000_000 / u64::from(rate.get());
    }

    /// How far ahead of its rate the sender is, less the burst.
    fn ahead(self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now_ns)).saturating_sub(RATE_BURST)
    }
}

pub(super) struct Governor {
    limits: RateLimits,
    actors: [Mutex<HashMap<Address, Due>>; SHARDS],
    system: Mutex<Due>,
    rests: AtomicU64,
}

impl Governor {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            actors: std::array::from_fn(|_| Mutex::default()),
            system: Mutex::default(),
            rests: AtomicU64::new(0),
        }
    }

    pub(super) fn limits(&self) -> RateLimits {
        self.limits
    }

    /// How often an actor was put to rest.
    pub(super) fn rests(&self) -> u64 {
        self.rests.load(Relaxed)
    }

    /// Counts a message. Says whether its sender has to rest.
    pub(super) fn sent(&self, by: Address, now_ns: u64) -> bool {
        let of_actor = self.limits.actor.is_some_and(|rate| {
            let mut actors = self.shard(by).lock();
            let due = actors.entry(by).or_default();
            due.sent(rate, now_ns);
            !due.ahead(now_ns).is_zero()
        });
        let of_system = self.limits.system.is_some_and(|rate| {
            let mut due = self.system.lock();
            due.sent(rate, now_ns);
            !due.ahead(now_ns).is_zero()
        });
        of_actor || of_system
    }

    /// How long an actor has to rest now, and the ticket to wake it with; none where it need not.
    pub(super) fn rest(&self, actor: Address, now_ns: u64) -> Option<(Duration, u64)> {
        let own = self.shard(actor).lock().get(&actor).map_or(Duration::ZERO, |due| due.ahead(now_ns));
        let rest = own.max(self.system.lock().ahead(now_ns));
        (!rest.is_zero()).then(|| (rest.min(REST_TIME_MAX), TICKET | self.rests.fetch_add(1, Relaxed)))
    }

    /// An actor is gone.
    pub(super) fn forget(&self, actor: Address) {
        self.shard(actor).lock().remove(&actor);
    }

    fn shard(&self, actor: Address) -> &Mutex<HashMap<Address, Due>> {
        &self.actors[actor.nonce() as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, NodeId, NodeRef};

    const MS: u64 = 1_000_000;

    fn actor(slot: u32) -> Address {
        Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(1) }, slot, 9)
    }

    fn governor(actor: u32, system: u32) -> Governor {
        Governor::new(RateLimits { actor: NonZeroU32::new(actor), system: NonZeroU32::new(system) })
    }

    #[test]
    fn an_actor_rests_for_what_it_is_ahead_of_its_rate_and_a_burst() {
        let governor = governor(100, 0);
        let burst = (RATE_BURST.as_millis() / 10) as u64;
        assert!((0..burst).all(|_| !governor.sent(actor(1), 0)));
        assert_eq!(governor.rest(actor(1), 0), None);
        assert!(governor.sent(actor(1), 0));
        assert!(governor.sent(actor(1), 0));
        assert_eq!(governor.rest(actor(1), 0).map(|(rest, _)| rest), Some(Duration::from_millis(20)));
        assert_eq!(governor.rest(actor(1), 15 * MS).map(|(rest, _)| rest), Some(Duration::from_millis(5)));
        assert_eq!(governor.rest(actor(1), 20 * MS), None);
        assert!(!governor.sent(actor(2), 0), "another actor has a rate of its own");
        governor.forget(actor(1));
        assert_eq!(governor.rest(actor(1), 0), None);
        assert_eq!(governor.rests(), 2);
    }

    #[test]
    fn all_actors_share_the_rate_of_the_system_and_nobody_rests_for_ever() {
        let governor = governor(0, 1);
        for n in 0..10_000 {
            governor.sent(actor(n), 0);
        }
        assert_eq!(governor.rest(actor(3), 0).map(|(rest, _)| rest), Some(REST_TIME_MAX));
        let hours = 10_000 * 1_000 * MS;
        assert_eq!(governor.rest(actor(3), hours), None);
    }
}
