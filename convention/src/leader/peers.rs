//! What a leader knows of its members that need not outlive it: links, states, load, what is on its way to them.

use super::holders::Holders;
use super::natives::{Linked, LinkedLists};
use super::{MemberState, MemberView};
use crate::limits;
use crate::types::{Millis, NativeActor, RequestId, SourceHash};
use odeon::{NodeId, NodeRef};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

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
    linked: Arc<Linked>,
    images: BTreeSet<SourceHash>,
    /// The images that it was told where to fetch, and does not hold.
    fetching: BTreeSet<SourceHash>,
    /// How many revocations, ever, it has confirmed.
    revoked_upto: u64,
    pub(crate) actors: u32,
    /// Placements that it was given and has not answered.
    pub(crate) placing: u32,
    /// Whether it takes no actor any more.
    pub(crate) draining: bool,
    /// The groups of which it has an actor, or was given one, each with the creation of that.
    pub(crate) groups: BTreeMap<String, RequestId>,
}

impl Peer {
    fn new(node: NodeRef, state: MemberState, linked: Arc<Linked>, now: Millis) -> Self {
        Self {
            node,
            state,
            since: now,
            connected: false,
            current: false,
            capabilities_version: 0,
            linked,
            images: BTreeSet::new(),
            fetching: BTreeSet::new(),
            revoked_upto: 0,
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

    /// The images that it holds, as it says.
    pub(crate) fn images(&self) -> &BTreeSet<SourceHash> {
        &self.images
    }

    /// Whether it has confirmed the revocation of this number, and has not said since that it holds the image.
    pub(crate) fn has_confirmed(&self, number: u64, hash: SourceHash) -> bool {
        self.revoked_upto >= number && !self.images.contains(&hash)
    }

    /// What is linked into it.
    pub(crate) fn linked(&self) -> &Arc<Linked> {
        &self.linked
    }

    /// Actors that live there, with those that are on their way.
    pub(crate) fn load(&self) -> u32 {
        self.actors.saturating_add(self.placing)
    }

    /// Whether it can be asked now; another one is asked only when none of these is left.
    pub(crate) fn reachable(&self) -> bool {
        self.current && self.state == MemberState::Alive
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
    pub(crate) live: Live,
    linked: LinkedLists,
    holders: Holders,
    fetchers: Holders,
    departed: VecDeque<(Millis, MemberView)>,
}

/// The live members by id. Who may have changed is noted, so that what is derived from them can follow.
#[derive(Debug, Default)]
pub(crate) struct Live {
    by_id: BTreeMap<NodeId, Peer>,
    touched: Vec<NodeId>,
}

impl Deref for Live {
    type Target = BTreeMap<NodeId, Peer>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl Live {
    fn touch(&mut self, id: NodeId) {
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }
}

impl Peers {
    /// A member lives from now on.
    pub(crate) fn begin(&mut self, node: NodeRef, state: MemberState, now: Millis) {
        self.end(node.id);
        let linked = self.linked.take(Vec::new());
        self.live.touch(node.id);
        self.live.by_id.insert(node.id, Peer::new(node, state, linked, now));
    }

    /// It does not live any more.
    pub(crate) fn end(&mut self, id: NodeId) -> Option<Peer> {
        let peer = self.live.by_id.remove(&id)?;
        self.linked.give_back(&peer.linked);
        for hash in &peer.images {
            self.holders.remove(*hash, id);
        }
        for hash in &peer.fetching {
            self.fetchers.remove(*hash, id);
        }
        self.live.touch(id);
        Some(peer)
    }

    /// What is linked into a member.
    pub(crate) fn link_in(&mut self, node: NodeRef, natives: Vec<NativeActor>) {
        let linked = self.linked.take(natives);
        let before = match self.of_mut(node) {
            Some(peer) => std::mem::replace(&mut peer.linked, linked),
            None => linked,
        };
        self.linked.give_back(&before);
    }

    /// Whether an actor type is linked into some live member.
    pub(crate) fn link_in_some(&self, actor: &str) -> bool {
        self.linked.know(actor)
    }

    /// The images that a member holds, all of them.
    pub(crate) fn holds(&mut self, node: NodeRef, images: BTreeSet<SourceHash>) {
        let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) else { return };
        for hash in peer.images.difference(&images) {
            self.holders.remove(*hash, node.id);
        }
        for hash in images.difference(&peer.images) {
            self.holders.add(*hash, node.id);
        }
        for hash in peer.fetching.extract_if(.., |hash| images.contains(hash)) {
            self.fetchers.remove(hash, node.id);
        }
        peer.images = images;
    }

    /// A member fetches an image, unless it holds that or fetches too many.
    pub(crate) fn fetches(&mut self, node: NodeRef, hash: SourceHash) {
        let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) else { return };
        let has_room = peer.fetching.len() < limits::FETCHING_MAX;
        if has_room && !peer.images.contains(&hash) && peer.fetching.insert(hash) {
            self.fetchers.add(hash, node.id);
        }
    }

    /// A member fetches an image no longer.
    pub(crate) fn fetches_not(&mut self, node: NodeRef, hash: SourceHash) {
        let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) else { return };
        if peer.fetching.remove(&hash) {
            self.fetchers.remove(hash, node.id);
        }
    }

    /// An image is not to be had any more.
    pub(crate) fn nobody_fetches(&mut self, hash: SourceHash) {
        for id in self.fetchers.of(hash).to_vec() {
            self.fetchers.remove(hash, id);
            if let Some(peer) = self.live.by_id.get_mut(&id) {
                peer.fetching.remove(&hash);
            }
        }
    }

    /// A member holds one more image, unless it says so of too many.
    pub(crate) fn hold(&mut self, node: NodeRef, hash: SourceHash) {
        self.fetches_not(node, hash);
        let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) else { return };
        if peer.images.len() < limits::IMAGES_HELD_MAX && peer.images.insert(hash) {
            self.holders.add(hash, node.id);
        }
    }

    /// A member holds an image no longer.
    pub(crate) fn let_go(&mut self, node: NodeRef, hash: SourceHash) {
        let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) else { return };
        if peer.images.remove(&hash) {
            self.holders.remove(hash, node.id);
        }
    }

    /// A member has done what so many revocations ask of it.
    pub(crate) fn confirm(&mut self, node: NodeRef, upto: u64) {
        if let Some(peer) = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node) {
            peer.revoked_upto = peer.revoked_upto.max(upto);
        }
    }

    /// The members that hold an image.
    pub(crate) fn holders(&self, hash: SourceHash) -> &[NodeId] {
        self.holders.of(hash)
    }

    /// The members that fetch an image.
    pub(crate) fn fetchers(&self, hash: SourceHash) -> &[NodeId] {
        self.fetchers.of(hash)
    }

    /// Notes that something about a member may be different that is not kept here.
    pub(crate) fn touch(&mut self, id: NodeId) {
        self.live.touch(id);
    }

    /// Who may have changed since this was asked last; one may be named twice.
    pub(crate) fn take_touched(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.live.touched)
    }

    /// The peer of exactly this start.
    pub(crate) fn of(&self, node: NodeRef) -> Option<&Peer> {
        self.live.get(&node.id).filter(|p| p.node == node)
    }

    pub(crate) fn of_mut(&mut self, node: NodeRef) -> Option<&mut Peer> {
        let peer = self.live.by_id.get_mut(&node.id).filter(|p| p.node == node)?;
        if self.live.touched.last() != Some(&node.id) {
            self.live.touched.push(node.id);
        }
        Some(peer)
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
