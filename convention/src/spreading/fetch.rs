//! One fetch of one image: whom to ask, what to take, when to rest, to seek others, and to give up.
//!
//! Peers are asked first, several at once. The leader is asked while fewer than [`LEADER_BELOW`] of them give anything:
//! so it seeds what nobody has, and is otherwise left alone.

use super::Chunks;
use crate::limits::{FETCH_AT_ONCE_MAX, FETCH_GIVE_UP_MS, FETCH_PEERS_MAX, SEEKS_MAX};
use crate::random::Random;
use crate::types::Millis;
use odeon::NodeRef;

/// The leader is asked while fewer peers than these are at work.
const LEADER_BELOW: usize = 2;
/// Other peers are sought while fewer than these can be asked.
const PEERS_WANTED: usize = 3;
/// How long a peer is left alone that had nothing, or no place; twice as long every time after.
const PAUSE_MIN_MS: Millis = 50;
const PAUSE_MAX_MS: Millis = 2_000;
/// How long one that broke is left alone; twice as long every time after.
const BROKEN_PAUSE_MS: Millis = 500;
/// How long others are waited for before they are sought again; twice as long every time after.
const SEEK_PAUSE_MS: Millis = 500;
const SEEK_PAUSE_MAX_MS: Millis = 4_000;
/// A peer that broke so often in a row is not asked again.
const BREAKS_MAX: u32 = 4;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask this node for one of these.
    Ask(NodeRef, Chunks),
    /// Ask the leader who else can be asked.
    Seek,
    /// Wait for a word of a node, or until then.
    Wait(Millis),
    /// All chunks are here.
    Done,
    /// It came to nothing.
    GiveUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Asked,
    Receiving(u16),
    Resting(Millis),
    /// It served rot or refused: it is not asked again.
    Out,
}

impl State {
    fn is_at_work(self) -> bool {
        matches!(self, State::Asked | State::Receiving(_))
    }
}

#[derive(Debug, Clone)]
struct Peer {
    node: NodeRef,
    state: State,
    pause: Millis,
    breaks: u32,
}

impl Peer {
    fn new(node: NodeRef) -> Self {
        Self { node, state: State::Idle, pause: PAUSE_MIN_MS, breaks: 0 }
    }
}

/// One fetch of one image.
#[derive(Debug, Clone)]
pub struct Fetch {
    here: Chunks,
    all: Chunks,
    /// None of them is the leader.
    peers: Vec<Peer>,
    leader: Option<Peer>,
    random: Random,
    /// When something came last.
    progress: Millis,
    seeks: u32,
    seek_at: Millis,
}

impl Fetch {
    /// Of an image of so many chunks, of which these are here.
    pub fn new(count: u16, here: Chunks, now: Millis, seed: u64) -> Self {
        let (peers, random) = (Vec::new(), Random::new(seed));
        Self { here, all: Chunks::first(count), peers, leader: None, random, progress: now, seeks: 0, seek_at: now }
    }

    /// Who can be asked, the leader last. What is known of one that is named again stays.
    pub fn know(&mut self, sources: &[NodeRef]) {
        let Some((leader, peers)) = sources.split_last() else { return };
        self.peers.retain(|peer| peer.node != *leader);
        if self.leader.as_ref().is_none_or(|known| known.node != *leader) {
            self.leader = Some(Peer::new(*leader));
        }
        for node in peers {
            let known = |peer: &Peer| peer.node == *node;
            if self.peers.iter().any(known) || !self.make_room() {
                continue;
            }
            self.peers.push(Peer::new(*node));
        }
    }

    /// One that rests makes room, if need be. Those that are out stay known while there is room for them, so that they
    /// are not taken for new ones.
    fn make_room(&mut self) -> bool {
        let out = self.peers.iter().filter(|peer| peer.state == State::Out).count();
        if self.peers.len() - out < FETCH_PEERS_MAX && self.peers.len() < 4 * FETCH_PEERS_MAX {
            return true;
        }
        let rests = |peer: &Peer| matches!(peer.state, State::Resting(_)) && peer.pause > PAUSE_MIN_MS;
        let at = self.peers.iter().position(rests);
        at.map(|at| self.peers.swap_remove(at)).is_some()
    }

    /// What is here.
    pub fn here(&self) -> Chunks {
        self.here
    }

    /// The next thing to do at this time. To be asked again until it says to wait, or that it is over.
    pub fn next(&mut self, now: Millis) -> Step {
        if self.here == self.all {
            return Step::Done;
        }
        if now >= self.progress + FETCH_GIVE_UP_MS {
            return Step::GiveUp;
        }
        for peer in self.peers.iter_mut().chain(&mut self.leader) {
            if matches!(peer.state, State::Resting(until) if until <= now) {
                peer.state = State::Idle;
            }
        }
        let at_work = self.peers.iter().filter(|peer| peer.state.is_at_work()).count();
        let lacks = self.all.without(&self.here).without(&self.under_way());
        if !lacks.is_empty()
            && let Some(peer) = self.choose(at_work)
        {
            peer.state = State::Asked;
            return Step::Ask(peer.node, lacks);
        }
        let usable = self.peers.iter().filter(|peer| peer.state != State::Out).count();
        if usable < PEERS_WANTED || at_work == 0 {
            let leads = self.leader.as_ref().is_some_and(|leader| leader.state != State::Out);
            let nobody = usable == 0 && !leads;
            // Where everybody has refused, another word of the leader is waited for once.
            let seeks_max = if nobody { 1 } else { SEEKS_MAX };
            if now >= self.seek_at && self.seeks < seeks_max {
                self.seeks += 1;
                self.seek_at = now + self.jitter((SEEK_PAUSE_MS << self.seeks.min(8)).min(SEEK_PAUSE_MAX_MS));
                return Step::Seek;
            }
            if nobody && now >= self.seek_at {
                return Step::GiveUp;
            }
        }
        Step::Wait(self.wakes_at(now))
    }

    fn choose(&mut self, at_work: usize) -> Option<&mut Peer> {
        let idle: Vec<usize> = (0..self.peers.len()).filter(|at| self.peers[*at].state == State::Idle).collect();
        if at_work < FETCH_AT_ONCE_MAX && !idle.is_empty() {
            let at = idle[self.random.below(idle.len())];
            return self.peers.get_mut(at);
        }
        let leader = self.leader.as_mut().filter(|leader| leader.state == State::Idle);
        // One that was asked and has not answered may have nothing.
        let give = self.peers.iter().filter(|peer| matches!(peer.state, State::Receiving(_))).count();
        leader.filter(|_| give < LEADER_BELOW)
    }

    fn under_way(&self) -> Chunks {
        let mut under_way = Chunks::default();
        for peer in self.peers.iter().chain(&self.leader) {
            if let State::Receiving(number) = peer.state {
                under_way.insert(number);
            }
        }
        under_way
    }

    fn wakes_at(&self, now: Millis) -> Millis {
        let rests = self.peers.iter().chain(&self.leader).filter_map(|peer| match peer.state {
            State::Resting(until) => Some(until),
            _ => None,
        });
        let seeks = (self.seek_at > now).then_some(self.seek_at);
        rests.chain(seeks).chain([self.progress + FETCH_GIVE_UP_MS]).min().unwrap_or(now).max(now + 1)
    }

    /// Up to half as long again, so that those that began together do not ask together.
    fn jitter(&mut self, pause: Millis) -> Millis {
        pause + self.random.below(pause as usize / 2 + 1) as Millis
    }

    fn of(&mut self, node: NodeRef) -> Option<&mut Peer> {
        self.peers.iter_mut().chain(&mut self.leader).find(|peer| peer.node == node)
    }

    /// A node offers a chunk. Gives whether to take it: not when it is here or on its way from another.
    pub fn offered(&mut self, node: NodeRef, number: u16) -> bool {
        let takes = self.all.without(&self.here).without(&self.under_way()).contains(number);
        let Some(peer) = self.of(node) else { return false };
        peer.state = if takes { State::Receiving(number) } else { State::Idle };
        takes
    }

    /// Bytes of a chunk come.
    pub fn comes(&mut self, now: Millis) {
        self.progress = self.progress.max(now);
    }

    /// The chunk that a node offered is here, and is what it should be.
    pub fn arrived(&mut self, node: NodeRef, number: u16, now: Millis) {
        self.here.insert(number);
        self.comes(now);
        self.seeks = self.seeks.min(SEEKS_MAX / 2);
        if let Some(peer) = self.of(node) {
            *peer = Peer::new(peer.node);
        }
    }

    /// A node has nothing of what is lacked, or no place.
    pub fn rests(&mut self, node: NodeRef, now: Millis) {
        let Some(pause) = self.of(node).map(|peer| peer.pause) else { return };
        let until = now + self.jitter(pause);
        if let Some(peer) = self.of(node) {
            peer.state = State::Resting(until);
            peer.pause = (pause * 2).min(PAUSE_MAX_MS);
        }
    }

    /// A node cannot be reached, was silent, or broke off.
    pub fn broke(&mut self, node: NodeRef, now: Millis) {
        let leads = self.leader.as_ref().is_some_and(|leader| leader.node == node);
        let Some(breaks) = self.of(node).map(|peer| peer.breaks + 1) else { return };
        let until = now + self.jitter(BROKEN_PAUSE_MS << breaks.min(4));
        if let Some(peer) = self.of(node) {
            peer.breaks = breaks;
            peer.pause = PAUSE_MIN_MS * 2;
            peer.state = if breaks >= BREAKS_MAX && !leads { State::Out } else { State::Resting(until) };
        }
    }

    /// A node serves rot, or will never serve this image: it is not asked again.
    pub fn is_out(&mut self, node: NodeRef) {
        if let Some(peer) = self.of(node) {
            peer.state = State::Out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    fn node(n: u8) -> NodeRef {
        NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) }
    }

    const LEADER: u8 = 0;

    fn fetch(peers: &[u8]) -> Fetch {
        let mut fetch = Fetch::new(3, Chunks::default(), 0, 1);
        let sources: Vec<NodeRef> = peers.iter().chain(&[LEADER]).map(|n| node(*n)).collect();
        fetch.know(&sources);
        fetch
    }

    fn asked(fetch: &mut Fetch, now: Millis) -> Vec<NodeRef> {
        let mut asked = Vec::new();
        loop {
            match fetch.next(now) {
                Step::Ask(node, _) => asked.push(node),
                Step::Seek => {}
                _ => break,
            }
        }
        asked.sort();
        asked
    }

    #[test]
    fn peers_are_asked_and_the_leader_only_while_few_of_them_give() {
        let mut fetch = fetch(&[1, 2, 3]);
        assert_eq!(asked(&mut fetch, 0), [node(0), node(1), node(2), node(3)]);
        assert!(fetch.offered(node(1), 0) && fetch.offered(node(2), 1));
        fetch.rests(node(LEADER), 0);
        fetch.rests(node(3), 0);
        assert_eq!(asked(&mut fetch, 100), [node(3)], "two give");
        fetch.arrived(node(1), 0, 100);
        assert_eq!(asked(&mut fetch, 100), [node(0), node(1)]);
    }

    #[test]
    fn a_chunk_is_taken_from_one_and_one_that_served_rot_is_not_asked_again() {
        let mut fetch = fetch(&[1, 2]);
        asked(&mut fetch, 0);
        assert!(fetch.offered(node(1), 2));
        assert!(!fetch.offered(node(2), 2), "it is under way");
        assert!(!fetch.offered(node(LEADER), 3), "there is no such chunk");
        fetch.is_out(node(1));
        assert_eq!(asked(&mut fetch, 0), [node(0), node(2)]);
        assert!(fetch.offered(node(2), 2), "it is lacked again");
        fetch.know(&[node(1), node(2), node(LEADER)]);
        assert_eq!(asked(&mut fetch, 60_000), [], "it is over");
        for (number, from) in [(2, 2), (1, 2), (0, LEADER)] {
            fetch.arrived(node(from), number, 100);
        }
        assert_eq!(fetch.next(100), Step::Done);
    }

    #[test]
    fn one_that_breaks_off_again_and_again_is_not_asked_any_more() {
        let mut fetch = fetch(&[1]);
        let (mut now, mut times) = (0, 0);
        while now < FETCH_GIVE_UP_MS {
            if asked(&mut fetch, now).contains(&node(1)) {
                assert!(fetch.offered(node(1), 0));
                fetch.broke(node(1), now);
                times += 1;
            }
            now += 100;
        }
        assert_eq!(times, BREAKS_MAX);
    }

    #[test]
    fn a_fetch_ends_when_nobody_is_left_or_nothing_comes() {
        let mut refused = fetch(&[1]);
        asked(&mut refused, 0);
        refused.is_out(node(1));
        refused.is_out(node(LEADER));
        assert!(matches!(refused.next(0), Step::Wait(_)), "others were sought");
        let mut now = 0;
        let mut seeks = 0;
        loop {
            match refused.next(now) {
                Step::Wait(until) => now = until,
                Step::Seek => seeks += 1,
                step => break assert_eq!(step, Step::GiveUp),
            }
        }
        assert!(seeks <= SEEKS_MAX && now <= FETCH_GIVE_UP_MS, "{seeks} seeks until {now}");
        let mut silent = fetch(&[1]);
        asked(&mut silent, 0);
        assert!(matches!(silent.next(FETCH_GIVE_UP_MS - 1), Step::Wait(_) | Step::Seek));
        assert_eq!(silent.next(FETCH_GIVE_UP_MS), Step::GiveUp);
    }

    #[test]
    fn another_leader_takes_the_place_of_the_one_that_is_gone() {
        let mut fetch = fetch(&[]);
        assert_eq!(asked(&mut fetch, 0), [node(LEADER)]);
        fetch.broke(node(LEADER), 0);
        fetch.know(&[node(9)]);
        assert_eq!(asked(&mut fetch, 0), [node(9)]);
        assert!(!fetch.offered(node(LEADER), 0), "what it says late is not taken");
    }

    #[test]
    fn no_more_peers_are_known_than_may_be_and_those_that_rest_make_room() {
        let mut fetch = fetch(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(fetch.peers.len(), FETCH_PEERS_MAX);
        asked(&mut fetch, 0);
        for _ in 0..2 {
            fetch.rests(node(1), 0);
        }
        fetch.know(&[node(20), node(21), node(LEADER)]);
        assert_eq!(fetch.peers.len(), FETCH_PEERS_MAX);
        assert!(fetch.of(node(20)).is_some() && fetch.of(node(21)).is_none() && fetch.of(node(1)).is_none());
    }
}
