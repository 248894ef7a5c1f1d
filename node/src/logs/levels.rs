//! The levels of single actors, which an operator sets while they run.

use hashbrown::HashMap;
use odeon::{Address, Level};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Actors with a level of their own at most.
pub const CHOSEN_MAX: usize = 1_024;

/// From which level on lines of single actors are shown, whatever the filters of the outputs say.
#[derive(Clone, Default)]
pub struct ActorLevels(Arc<Levels>);

#[derive(Default)]
struct Levels {
    of: RwLock<HashMap<Address, Level>>,
    /// Whether there is one: all that a line costs where there is none.
    any: AtomicBool,
}

impl ActorLevels {
    /// The level that was chosen for an actor.
    pub fn of(&self, actor: Address) -> Option<Level> {
        if self.any() { self.0.of.read().get(&actor).copied() } else { None }
    }

    /// Sets it, or with none has the filters decide again. Where there are too many, those of actors that are gone go
    /// first; gives whether there was room.
    pub fn set(&self, actor: Address, level: Option<Level>, lives: impl Fn(Address) -> bool) -> bool {
        let mut of = self.0.of.write();
        match level {
            None => drop(of.remove(&actor)),
            Some(level) => {
                if of.len() >= CHOSEN_MAX && !of.contains_key(&actor) {
                    of.retain(|&actor, _| lives(actor));
                }
                if of.len() >= CHOSEN_MAX && !of.contains_key(&actor) {
                    return false;
                }
                of.insert(actor, level);
            }
        }
        let any = !of.is_empty();
        drop(of);
        if self.0.any.swap(any, Ordering::Relaxed) != any {
            // `tracing` keeps what nobody wants to see; that has changed.
            tracing::callsite::rebuild_interest_cache();
        }
        true
    }

    pub(super) fn any(&self) -> bool {
        self.0.any.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId, NodeRef};

    fn actor(slot: u32) -> Address {
        Address::mint(NodeRef { id: NodeId([7; 16]), incarnation: Incarnation(3) }, slot, 1)
    }

    #[test]
    fn there_is_room_for_so_many_and_for_those_that_live_before_those_that_are_gone() {
        let levels = ActorLevels::default();
        for slot in 0..CHOSEN_MAX as u32 {
            assert!(levels.set(actor(slot), Some(Level::Debug), |_| true));
        }
        assert!(!levels.set(actor(9_999), Some(Level::Trace), |_| true));
        assert!(levels.set(actor(0), Some(Level::Error), |_| true), "one that has a level may have another");
        assert!(levels.set(actor(9_999), Some(Level::Trace), |address| address != actor(5)));
        assert_eq!(levels.of(actor(5)), None);
        assert_eq!((levels.of(actor(9_999)), levels.of(actor(0))), (Some(Level::Trace), Some(Level::Error)));
        assert!(levels.set(actor(0), None, |_| true));
        assert_eq!(levels.of(actor(0)), None);
    }
}
