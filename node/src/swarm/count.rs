//! What all members of a swarm count together, and what QUIC counted for them.

use super::told::Told as News;
use super::turn::Turn;
use odeon::NodeRef;
use parking_lot::Mutex;
use quinn::ConnectionStats;
use std::collections::BTreeMap;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Counters that every member adds to.
#[derive(Default)]
pub(super) struct Tally {
    /// Words to the leader.
    pub(super) said: AtomicU64,
    /// Words of the leader.
    pub(super) heard: AtomicU64,
    /// Members that were turned away for good, and why the last one was.
    lost: Mutex<(u64, Option<(u16, String)>)>,
    /// Who was told to be gone.
    gone: Mutex<BTreeMap<NodeRef, Told>>,
    /// The last term that a member heard of.
    turn: Mutex<Turn>,
    /// Who was told of news.
    pub(super) told: News,
}

/// How a death came round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// When the first member heard of it.
    pub(super) first: Instant,
    /// When the last one so far did.
    pub(super) last: Instant,
    /// How many have.
    pub(super) members: u64,
}

impl Tally {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, code: u16, reason: String) {
        let mut lost = self.lost.lock();
        lost.0 += 1;
        lost.1 = Some((code, reason));
    }

    /// Members that were turned away for good, and why the last one was.
    pub(super) fn lost(&self) -> (u64, Option<(u16, String)>) {
        self.lost.lock().clone()
    }

    pub(super) fn is_registered(&self, node: NodeRef, in_term: u64) {
        self.turn.lock().is_registered(node, in_term);
    }

    pub(super) fn hears_of(&self, node: NodeRef, term: u64) {
        self.turn.lock().is_heard(node, term);
    }

    /// The last term that a member heard of, as far as it has come.
    pub(super) fn turn(&self) -> Turn {
        self.turn.lock().clone()
    }

    /// The last term that a member heard of, and how many are registered in it.
    pub(super) fn registered(&self) -> (u64, u64) {
        let turn = self.turn.lock();
        (turn.term, turn.registered.len() as u64)
    }

    pub(super) fn is_gone(&self, node: NodeRef) {
        let now = Instant::now();
        let mut gone = self.gone.lock();
        let told = gone.entry(node).or_insert(Told { first: now, last: now, members: 0 });
        told.last = now;
        told.members += 1;
    }

    pub(super) fn told_of(&self, node: NodeRef) -> Option<Told> {
        self.gone.lock().get(&node).copied()
    }
}

/// What QUIC counted, on the members' side, and the signs of life beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Members with a connection.
    pub(super) connected: u64,
    pub(super) datagrams_to_leader: u64,
    pub(super) datagrams_from_leader: u64,
    /// Frames of streams: words and their acknowledgements.
    pub(super) stream_frames_to_leader: u64,
    pub(super) stream_frames_from_leader: u64,
    pub(super) acks_to_leader: u64,
    pub(super) acks_from_leader: u64,
    /// Signs of life for want of anything else.
    pub(super) pings_to_leader: u64,
    /// Packets that were sent again.
    pub(super) lost_packets: u64,
    /// Members with words that their leader has not acknowledged.
    pub(super) unsaid: u64,
}

impl From<(ConnectionStats, (u64, u64))> for Traffic {
    fn from((stats, (given, answered)): (ConnectionStats, (u64, u64))) -> Self {
        Self {
            connected: 1,
            datagrams_to_leader: stats.udp_tx.datagrams + given,
            datagrams_from_leader: stats.udp_rx.datagrams + answered,
            stream_frames_to_leader: stats.frame_tx.stream,
            stream_frames_from_leader: stats.frame_rx.stream,
            acks_to_leader: stats.frame_tx.acks,
            acks_from_leader: stats.frame_rx.acks,
            pings_to_leader: stats.frame_tx.ping,
            lost_packets: stats.path.lost_packets,
            unsaid: 0,
        }
    }
}

impl Traffic {
    fn with(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            connected: of(self.connected, other.connected),
            datagrams_to_leader: of(self.datagrams_to_leader, other.datagrams_to_leader),
            datagrams_from_leader: of(self.datagrams_from_leader, other.datagrams_from_leader),
            stream_frames_to_leader: of(self.stream_frames_to_leader, other.stream_frames_to_leader),
            stream_frames_from_leader: of(self.stream_frames_from_leader, other.stream_frames_from_leader),
            acks_to_leader: of(self.acks_to_leader, other.acks_to_leader),
            acks_from_leader: of(self.acks_from_leader, other.acks_from_leader),
            pings_to_leader: of(self.pings_to_leader, other.pings_to_leader),
            lost_packets: of(self.lost_packets, other.lost_packets),
            unsaid: of(self.unsaid, other.unsaid),
        }
    }
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

/// What came between two counts. A connection that was made anew counts from nothing: never below zero.
impl Sub for Traffic {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }
}
