//! What is going to happen: events in the order of their times, and those of one time in the order in which they were
//! put in.

use odeon::NodeRef;
use odeon_convention::wire::{ToLeader, ToMember};
use odeon_convention::{leader, member};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Leader(leader::Input),
    LeaderTimer,
    LeaderWakes,
    LeaderRestarts,
    LeaderCrashes,
    LeaderMoves,
    LeaderStalls,
    /// Of this start: all that had arrived by then is handled.
    LeaderEcho {
        start: u32,
        at: u64,
    },
    Commit {
        term: u32,
    },
    Member {
        node: usize,
        me: NodeRef,
        input: Box<member::Input>,
    },
    MemberTimer {
        node: usize,
        me: NodeRef,
    },
    ToLeader {
        node: usize,
        epoch: u64,
        from: NodeRef,
        to: NodeRef,
        message: Box<ToLeader>,
    },
    ToMember {
        node: usize,
        epoch: u64,
        from: NodeRef,
        message: Box<ToMember>,
    },
    Dial {
        node: usize,
    },
    /// An end notices that its link is silent.
    LeaderEndDown {
        node: usize,
        epoch: u64,
    },
    MemberEndDown {
        node: usize,
        epoch: u64,
    },
    IdleOut {
        node: usize,
        epoch: u64,
    },
    Heal {
        node: usize,
    },
    Start {
        node: usize,
    },
    Fault,
    Work,
}

/// The events that are still to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Time, number and slot of each. The events lie apart, since what a heap moves should be small.
    order: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    number: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.number += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.order.push(Reverse((at, self.number, slot)));
    }

    /// The next event and its time, if that comes until then.
    pub(super) fn pop_until(&mut self, end: u64) -> Option<(u64, Event)> {
        self.order.peek().filter(|Reverse((at, ..))| *at <= end)?;
        let Reverse((at, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        self.events[slot].take().map(|event| (at, event))
    }
}
