//! The network between every member and the leader: ordered per link and direction, links break and heal, and a
//! direction may fail while the other works. Nothing is lost but with its link.

use super::random::Random;
use odeon::NodeRef;

/// What a message takes at most, unless something delays it.
pub(super) const USUAL_DELAY_MS: u64 = 15;

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToLeader,
    ToMember,
}

/// What connects one node with the leader.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Counted up by every connection.
    pub(super) epoch: u64,
    /// The connection that the member's end has, and the leader's end.
    pub(super) at_member: Option<u64>,
    pub(super) at_leader: Option<(u64, NodeRef)>,
    /// Directions in which nothing passes now.
    blocked: [bool; 2],
    /// Directions of the present connection in which something was lost: nothing more passes on it.
    torn: [bool; 2],
    /// When the last message in a direction arrives.
    last_ms: [u64; 2],
    /// The last time that anything was wrong with it.
    pub(super) disturbed_ms: u64,
}

impl Link {
    pub(super) fn block(&mut self, way: Way, now: u64) {
        self.blocked[way as usize] = true;
        self.disturbed_ms = now;
    }

    pub(super) fn heal(&mut self, now: u64) {
        if self.blocked != [false; 2] {
            self.disturbed_ms = now;
        }
        self.blocked = [false; 2];
    }

    pub(super) fn passable(&self) -> bool {
        self.blocked == [false; 2]
    }

    /// Nothing is wrong with it now.
    pub(super) fn sound(&self) -> bool {
        self.passable() && self.torn == [false; 2] && self.at_member.is_some() && self.at_leader.is_some()
    }

    pub(super) fn connect(&mut self, node: NodeRef, now: u64) -> u64 {
        self.epoch += 1;
        self.torn = [false; 2];
        self.last_ms = [now; 2];
        self.at_leader = Some((self.epoch, node));
        self.disturbed_ms = now;
        self.epoch
    }

    /// When a message that is sent now arrives; none when it is lost, and with it all that follows.
    pub(super) fn carry(&mut self, way: Way, now: u64, random: &mut Random) -> Option<u64> {
        let at = way as usize;
        if self.blocked[at] || self.torn[at] {
            self.torn[at] = true;
            self.disturbed_ms = now;
            return None;
        }
        let delay = if random.mishap(2) { random.within(20, 300) } else { random.within(1, USUAL_DELAY_MS) };
        self.last_ms[at] = self.last_ms[at].max(now + delay);
        Some(self.last_ms[at])
    }
}
