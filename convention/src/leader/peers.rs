//! What a leader knows of its members that need not outlive it: links, states, load, what is on its way to them.

use super::{MemberState, MemberView};
use crate::limits;
use crate::types::{Millis, NativeActor, RequestId, SourceHash};
use odeon::{NodeId, NodeRef};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A live member.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeRef,
    state: MemberState,
    pub(crate) since: Millis,
    /// Whether its link is up.
    pub(crate) connected: bool,
    /// Whether it has told everything about itself on this link, and it was accepted.
    pub(crate) current: bool,
    pub(crate) capabilities_version: u64,
    pub(crate) natives: Vec<NativeActor>,
    pub(crate) images: BTreeSet<SourceHash>,
    pub(crate) actors: u32,
    /// Placements that it was given and has not answered.
    pub(crate) placing: u32,
    /// Whether it takes no actor any more.
    pub(crate) draining: bool,
    /// The groups of which it has an actor, or was given one, each with the creation of that.
    pub(crate) groups: BTreeMap<String, RequestId>,
}

impl Peer {
    pub(crate) fn new(node: NodeRef, state: MemberState, now: Millis) -> Self {
        Self {
            node,
            state,
            since: now,
            connected: false,
            current: false,
            capabilities_version: 0,
            natives: Vec::new(),
            images: BTreeSet::new(),
            actors: 0,
            placing: 0,
            draining: false,
            groups: BTreeMap::new(),
        }
    }

    pub(crate) fn state(&self) -> MemberState {
        self.state
    }

    /// Moves to another state, and says from which one when it is another.
    pub(crate) fn enter(&mut self, next: MemberState, now: Millis) -> Option<MemberState> {
        if self.state == next {
            return None;
        }
        assert!(self.state.may_become(next), "a member cannot go from {:?} to {next:?}", self.state);
        self.since = now;
        Some(std::mem::replace(&mut self.state, next))
    }

    /// An actor of the group is gone, or did not come to be.
    pub(crate) fn free_group(&mut self, group: &str, request: RequestId) {
        if self.groups.get(group) == Some(&request) {
            self.groups.remove(group);
        }
    }

    pub(crate) fn native(&self, actor: &str) -> Option<&NativeActor> {
        self.natives.iter().find(|n| n.name == actor)
    }
}

impl MemberState {
    /// The table of transitions. The end of a start is final: what comes back is another start.
    pub fn may_become(self, next: MemberState) -> bool {
        use MemberState::{Alive, Dead, Left, Suspect};
        matches!((self, next), (Alive, Suspect | Dead | Left) | (Suspect, Alive | Dead | Left))
    }

    /// The word that people see.
    pub fn name(self) -> &'static str {
        match self {
            MemberState::Alive => "alive",
            MemberState::Suspect => "suspect",
            MemberState::Dead => "dead",
            MemberState::Left => "left",
        }
    }
}

/// The live members, and the last of those that are gone.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    pub(crate) live: BTreeMap<NodeId, Peer>,
    departed: VecDeque<(Millis, MemberView)>,
}

impl Peers {
    /// The peer of exactly this start.
    pub(crate) fn of(&self, node: NodeRef) -> Option<&Peer> {
        self.live.get(&node.id).filter(|p| p.node == node)
    }

    pub(crate) fn of_mut(&mut self, node: NodeRef) -> Option<&mut Peer> {
        self.live.get_mut(&node.id).filter(|p| p.node == node)
    }

    pub(crate) fn depart(&mut self, now: Millis, view: MemberView) {
        self.departed.push_back((now, view));
        while self.departed.len() > limits::DEPARTED_SHOWN_MAX {
            self.departed.pop_front();
        }
    }

    /// A node that is back is no longer listed as gone.
    pub(crate) fn returned(&mut self, id: NodeId) {
        self.departed.retain(|(_, view)| view.node.id != id);
    }

    pub(crate) fn departed(&self, now: Millis) -> impl Iterator<Item = MemberView> {
        self.departed.iter().map(move |(at, view)| MemberView { since_ms: now.saturating_sub(*at), ..view.clone() })
    }
}
