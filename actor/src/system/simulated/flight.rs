//! What is under way, by the time at which it arrives. What one sends to one other arrives in its order.

use crate::definition::Definition;
use crate::system::Envelope;
use crate::{Address, AnyMessage, Requirements};
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Something under way between two.
pub(super) enum Cargo {
    Mail(Envelope),
    /// An actor is to be created on the first of these nodes that still lives and accepts it.
    Create {
        child: Address,
        parent: Address,
        places: VecDeque<(usize, Definition)>,
        requirements: Requirements,
    },
    /// An actor is told what it watches.
    News {
        to: Address,
        news: AnyMessage,
    },
    /// A child is gone.
    Exited {
        parent: Address,
        child: Address,
        reason: String,
    },
}

impl Cargo {
    pub(super) fn to(&self) -> Address {
        match self {
            Cargo::Mail(envelope) => envelope.to,
            Cargo::News { to, .. } => *to,
            Cargo::Create { child, .. } => *child,
            Cargo::Exited { parent, .. } => *parent,
        }
    }

    fn from(&self) -> Address {
        match self {
            Cargo::Mail(envelope) => envelope.sender,
            Cargo::News { to, .. } => *to,
            Cargo::Create { parent, .. } => *parent,
            Cargo::Exited { child, .. } => *child,
        }
    }
}

#[derive(Default)]
pub(super) struct Flight {
    /// By arrival in nanoseconds, then by number.
    under_way: BTreeMap<(u64, u64), Cargo>,
    number: u64,
    /// How much is under way from one to another, and when the last of it arrives.
    pairs: HashMap<(Address, Address), (usize, u64)>,
    /// How much is under way to one.
    to: HashMap<Address, usize>,
}

impl Flight {
    /// Sends something so that it arrives at this time, or with what was sent before it if that is later.
    pub(super) fn send(&mut self, cargo: Cargo, arrives_ns: u64) {
        let (count, last) = self.pairs.entry((cargo.from(), cargo.to())).or_default();
        *count += 1;
        *last = arrives_ns.max(*last);
        let at = *last;
        *self.to.entry(cargo.to()).or_default() += 1;
        self.number += 1;
        self.under_way.insert((at, self.number), cargo);
    }

    /// When the next of it arrives.
    pub(super) fn next(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// What arrives first, when that is not later than `now_ns`.
    pub(super) fn arrive(&mut self, now_ns: u64) -> Option<Cargo> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now_ns)?;
        let cargo = entry.remove();
        let pair = (cargo.from(), cargo.to());
        if let Some((count, _)) = self.pairs.get_mut(&pair) {
            *count -= 1;
            if *count == 0 {
                self.pairs.remove(&pair);
            }
        }
        if let Some(count) = self.to.get_mut(&pair.1) {
            *count -= 1;
            if *count == 0 {
                self.to.remove(&pair.1);
            }
        }
        Some(cargo)
    }

    /// How much is under way to one.
    pub(super) fn count_to(&self, to: Address) -> usize {
        self.to.get(&to).copied().unwrap_or(0)
    }
}
