//! Backpressure between nodes: actors here that have too much from elsewhere, and actors elsewhere for which senders here wait.
//!
//! An actor with more than it should have holds back the nodes that its mail comes from. Each is told to hold it, puts aside
//! whoever sends to that actor, and is told when the actor has drained. A word that is lost, as a link was full, costs
//! [`HELD_TIME_MAX`]. Whether an actor waits for itself by way of other nodes they find out together: a question follows
//! those who wait from node to node, and comes back to who asked only where they are a circle. The order in which actors are
//! marked and asked about is what keeps that right: see `actor/src/system/pressure.rs`.

use super::Hosting;
use super::frame::Frame;
use super::routes::Reach;
use hashbrown::HashMap;
use odeon::system::{Chain, Pressure};
use odeon::{Address, NodeRef};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Actors elsewhere that are held at once, and those of one node; senders to others are not held back.
const HELD_MAX: usize = 65_536;
const HELD_OF_A_NODE_MAX: usize = 4_096;
/// How long an actor elsewhere is held at most, should its node not say another word of it.
const HELD_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a node that was told to hold an actor and goes on sending is not told again.
const TOLD_AGAIN: Duration = Duration::from_secs(30);
/// Nodes to which a question is handed on; then whoever asked is let go.
const HOPS_MAX: u8 = 64;

#[derive(Default)]
pub(super) struct Pressing {
    /// Actors here that have too much, with the nodes that were told, and when.
    full: Mutex<HashMap<Address, HashMap<NodeRef, Instant>>>,
    held: RwLock<Held>,
    is_any_held: AtomicBool,
}

/// Actors elsewhere that are held.
#[derive(Default)]
struct Held {
    by_node: HashMap<NodeRef, HashMap<Address, Hold>>,
    by_ticket: HashMap<u64, (NodeRef, Address)>,
}

struct Hold {
    ticket: u64,
    since: Instant,
}

impl Held {
    fn ticket(&self, host: &NodeRef, actor: &Address) -> Option<u64> {
        Some(self.by_node.get(host)?.get(actor)?.ticket)
    }

    /// Holds an actor, or goes on to. Not where there are too many.
    fn insert(&mut self, host: NodeRef, actor: Address, since: Instant, ticket: impl FnOnce() -> u64) {
        let of_node = self.by_node.get(&host).map_or(0, HashMap::len);
        if let Some(hold) = self.by_node.get_mut(&host).and_then(|actors| actors.get_mut(&actor)) {
            hold.since = since;
        } else if of_node < HELD_OF_A_NODE_MAX && self.by_ticket.len() < HELD_MAX {
            let ticket = ticket();
            self.by_node.entry(host).or_default().insert(actor, Hold { ticket, since });
            self.by_ticket.insert(ticket, (host, actor));
        }
    }

    /// Holds an actor no longer; gives its ticket.
    fn remove(&mut self, host: &NodeRef, actor: &Address) -> Option<u64> {
        let actors = self.by_node.get_mut(host)?;
        let ticket = actors.remove(actor)?.ticket;
        if actors.is_empty() {
            self.by_node.remove(host);
        }
        self.by_ticket.remove(&ticket);
        Some(ticket)
    }

    /// Holds no longer whom `ends` names; gives the tickets.
    fn release(&mut self, ends: impl Fn(&NodeRef, &Address, &Hold) -> bool) -> Vec<u64> {
        let mut tickets = Vec::new();
        self.by_node.retain(|node, actors| {
            tickets.extend(actors.extract_if(|actor, hold| ends(node, actor, hold)).map(|(_, hold)| hold.ticket));
            !actors.is_empty()
        });
        for ticket in &tickets {
            self.by_ticket.remove(ticket);
        }
        tickets
    }
}

impl Hosting {
    // Actors here

    /// An actor here has more than it should, of what a node sends.
    pub(super) fn hold_back(&self, actor: Address, from: NodeRef) {
        let now = Instant::now();
        let mut full = self.pressing.full.lock();
        let told = full.entry(actor).or_default();
        if told.get(&from).is_some_and(|at| now.duration_since(*at) < TOLD_AGAIN) {
            return;
        }
        // Under the lock, so that the word that it has drained does not overtake this one.
        if self.system().tell_when_drained(actor) && self.tell_linked(from, &actor, Frame::hold(actor)) {
            told.insert(from, now);
        } else if told.is_empty() {
            full.remove(&actor);
        }
    }

    /// An actor here has drained, or is gone.
    pub(super) fn has_drained(&self, actor: Address) {
        let mut full = self.pressing.full.lock();
        for node in full.remove(&actor).into_iter().flat_map(HashMap::into_keys) {
            self.tell_linked(node, &actor, Frame::go_on(actor));
        }
    }

    // Actors elsewhere

    /// What whoever sends to an actor on another node has to wait for.
    pub(super) fn held(&self, host: NodeRef, actor: Address) -> Option<Pressure> {
        if !self.pressing.is_any_held.load(Ordering::Relaxed) {
            return None;
        }
        self.pressing.held.read().ticket(&host, &actor).map(Pressure::Held)
    }

    /// A node says that one of its actors has too much.
    pub(super) fn hold(&self, host: NodeRef, actor: Address) {
        let held = &mut *self.pressing.held.write();
        held.insert(host, actor, Instant::now(), || self.ticket());
        self.pressing.is_any_held.store(!held.by_ticket.is_empty(), Ordering::Relaxed);
    }

    /// A node says that its actor has drained.
    pub(super) fn hold_no_more(&self, host: NodeRef, actor: Address) {
        let held = &mut *self.pressing.held.write();
        let tickets = held.remove(&host, &actor);
        self.resume_held(held, tickets);
    }

    /// A node is gone: nobody waits for its actors.
    pub(super) fn hold_none_of(&self, gone: &NodeRef) {
        let held = &mut *self.pressing.held.write();
        let tickets = held.release(|node, _, _| node == gone);
        self.resume_held(held, tickets);
    }

    /// Holds nobody of whom nothing was said for long. To be called now and then.
    pub(super) fn hold_nobody_for_ever(&self) {
        let now = Instant::now();
        let held = &mut *self.pressing.held.write();
        let tickets = held.release(|_, _, hold| now.duration_since(hold.since) > HELD_TIME_MAX);
        self.resume_held(held, tickets);
    }

    fn resume_held(&self, held: &Held, tickets: impl IntoIterator<Item = u64>) {
        self.pressing.is_any_held.store(!held.by_ticket.is_empty(), Ordering::Relaxed);
        tickets.into_iter().for_each(|ticket| self.system().resume(ticket));
    }

    // Circles

    /// Asks the node of an actor that is held whether that waits for `origin`.
    pub(super) fn follow(&self, origin: Address, ticket: u64, hops: u8) {
        let held = self.pressing.held.read().by_ticket.get(&ticket).copied();
        if let Some((host, actor)) = held {
            self.tell_linked(host, &origin, Frame::follow(actor, origin, hops));
        }
    }

    /// Whether an actor here waits for `origin`, a node asks.
    pub(super) fn followed(&self, actor: Address, origin: Address, hops: u8) {
        match self.system().chain(actor, origin) {
            Chain::Ends => {}
            Chain::Leaves(ticket) if hops < HOPS_MAX => self.follow(origin, ticket, hops + 1),
            Chain::Leaves(_) | Chain::Returns => {
                if !self.system().let_go(origin) {
                    // Too many wait to say whether it is one of them.
                    self.tell_linked(self.host_of(&origin), &origin, Frame::follow(origin, origin, HOPS_MAX));
                }
            }
        }
    }

    /// Says something to a node that there is a link with. False: there is none, or it is full.
    fn tell_linked(&self, node: NodeRef, about: &Address, frame: Vec<u8>) -> bool {
        let is_linked = matches!(self.nodes.read().find(&node), Some(Reach::Linked));
        is_linked && self.link_frame(node, self.lane_key(about, about), frame).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{ADDRESS_BYTES, Incarnation, NodeId};

    fn node(number: u32) -> NodeRef {
        NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(number) }
    }

    fn actor(number: usize) -> Address {
        let mut bytes = [0; ADDRESS_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    }

    #[test]
    fn a_node_has_no_more_than_its_part_of_the_places() {
        let (mut held, now, mut tickets) = (Held::default(), Instant::now(), 0..);
        let mut insert = |held: &mut Held, host, of| held.insert(host, actor(of), now, || tickets.next().unwrap_or(0));
        for of in 0..=HELD_OF_A_NODE_MAX {
            insert(&mut held, node(1), of);
        }
        assert_eq!(held.by_ticket.len(), HELD_OF_A_NODE_MAX);
        assert_eq!(held.ticket(&node(1), &actor(HELD_OF_A_NODE_MAX)), None);
        insert(&mut held, node(2), 0);
        let other = held.ticket(&node(2), &actor(0));
        assert_eq!(other, Some(HELD_OF_A_NODE_MAX as u64));

        // A place that is free again is for another one; who is held already needs none.
        insert(&mut held, node(1), 0);
        assert_eq!(held.remove(&node(1), &actor(0)), Some(0));
        insert(&mut held, node(1), HELD_OF_A_NODE_MAX);
        assert!(held.ticket(&node(1), &actor(HELD_OF_A_NODE_MAX)).is_some());

        assert_eq!(held.release(|host, _, _| *host == node(1)).len(), HELD_OF_A_NODE_MAX);
        assert_eq!((held.by_node.len(), held.by_ticket.len()), (1, 1));
        assert_eq!(held.remove(&node(2), &actor(0)), other);
        assert!(held.by_node.is_empty() && held.by_ticket.is_empty());
    }
}
