//! How many strangers may be in the doorway at once: in all, and from one address.

use super::limits::{HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Inside>);

#[derive(Default)]
struct Inside {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A place in the doorway; it is free again when this is dropped.
pub(crate) struct Place {
    gate: Gate,
    source: IpAddr,
}

impl Gate {
    pub(crate) fn enter(&self, source: IpAddr) -> Option<Place> {
        let mut state = self.0.state.lock();
        let here = state.by_source.get(&source).copied().unwrap_or(0);
        if state.open >= HANDSHAKES_MAX || here >= HANDSHAKES_PER_SOURCE_MAX {
            return None;
        }
        state.open += 1;
        state.by_source.insert(source, here + 1);
        Some(Place { gate: self.clone(), source })
    }

    pub(crate) fn open(&self) -> usize {
        self.0.state.lock().open
    }

    /// Waits until somebody has left since the last call.
    pub(crate) async fn left(&self) {
        self.0.left.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.0.state.lock();
        state.open -= 1;
        if let Some(here) = state.by_source.get_mut(&self.source) {
            *here -= 1;
            if *here == 0 {
                state.by_source.remove(&self.source);
            }
        }
        drop(state);
        self.gate.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_fill_the_doorway_and_leaves_it_as_it_was() {
        let gate = Gate::default();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let places: Vec<_> = std::iter::from_fn(|| gate.enter(a)).collect();
        assert_eq!(places.len(), HANDSHAKES_PER_SOURCE_MAX);
        assert!(gate.enter(b).is_some());
        drop(places);
        assert_eq!(gate.open(), 0);
        assert!(gate.enter(a).is_some());
    }
}
