//! What is going to happen: events in the order of their times, and those of one time in the order in which they were
//! put in.

use odeon::{Address, NodeRef};
use odeon_convention::types::SourceHash;
use odeon_convention::wire::{ToLeader, ToMember};
use odeon_convention::{leader, member};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Leader(Box<leader::Input>),
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
    /// Of this start: the words of a round have left.
    LeaderFlushed {
        start: u32,
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
    /// What a node does about a revoked image is done.
    Revoked {
        node: usize,
        me: NodeRef,
        hash: SourceHash,
        end: bool,
    },
    /// An actor comes to its request to exit.
    Exits {
        node: usize,
        me: NodeRef,
        actor: Address,
    },
    Fault,
    Work,
    /// An operator asks who has confirmed what is revoked.
    Audit,
    /// Everybody asks for what is revoked.
    Temptation,
}

/// The events that are still to come, by their times. These are whole milliseconds, so there are far fewer times than
/// events, and a lookup is cheaper than a heap of all events.
#[derive(Debug, Default)]
pub(super) struct Queue {
    by_time: BTreeMap<u64, VecDeque<Event>>,
}

impl Queue {
    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.by_time.entry(at).or_default().push_back(event);
    }

    /// The next event and its time, if that comes until then.
    pub(super) fn pop_until(&mut self, end: u64) -> Option<(u64, Event)> {
        let mut first = self.by_time.first_entry().filter(|first| *first.key() <= end)?;
        let (at, event) = (*first.key(), first.get_mut().pop_front());
        if first.get().is_empty() {
            first.remove();
        }
        event.map(|event| (at, event))
    }
}
