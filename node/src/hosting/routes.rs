//! Where actors that are not in this system are: promises that this node made, promises of others, and nodes.
//!
//! An actor never moves, so a place that is known stays right until the node is gone. What is sent before the place
//! is known waits here in order, and is handed on in that order under the same lock.

use hashbrown::HashMap;
use odeon::system::Envelope;
use odeon::{Address, NodeRef};
use std::collections::VecDeque;

/// Messages that wait for one place before their senders are put aside.
pub(crate) const WAITING_MAX: usize = 1024;
/// Places of others' promises that are remembered; asked again when forgotten.
const LOCATED_MAX: usize = 65_536;

/// What is known of an address that this node promised.
pub(crate) enum Promise {
    /// Being created somewhere.
    Pending { parent: Option<Address>, waiting: Waiting, askers: Vec<NodeRef> },
    /// It lives there, under that address.
    At(NodeRef, Address),
}

/// Messages in their order, and the ticket under which their senders may be put aside.
pub(crate) struct Waiting {
    pub(crate) queue: VecDeque<Envelope>,
    pub(crate) ticket: u64,
}

impl Waiting {
    pub(crate) fn new(ticket: u64) -> Self {
        Self { queue: VecDeque::new(), ticket }
    }

    /// Queues a message; says whether its sender should be put aside.
    pub(crate) fn push(&mut self, envelope: Envelope) -> bool {
        self.queue.push_back(envelope);
        self.queue.len() > WAITING_MAX
    }
}

/// Promises made here.
#[derive(Default)]
pub(crate) struct Promises {
    by_address: HashMap<Address, Promise>,
    /// Children that live elsewhere, by their host.
    children: HashMap<NodeRef, HashMap<Address, Address>>,
}

impl Promises {
    pub(crate) fn find(&mut self, address: &Address) -> Option<&mut Promise> {
        self.by_address.get_mut(address)
    }

    pub(crate) fn insert(&mut self, address: Address, promise: Promise) {
        self.by_address.insert(address, promise);
    }

    pub(crate) fn remove(&mut self, address: &Address) -> Option<Promise> {
        self.by_address.remove(address)
    }

    /// Notes that `child` of `parent` lives on `host`.
    pub(crate) fn adopt(&mut self, host: NodeRef, child: Address, parent: Address) {
        self.children.entry(host).or_default().insert(child, parent);
    }

    /// Forgets a child that exited.
    pub(crate) fn release(&mut self, host: NodeRef, child: &Address) {
        if let Some(children) = self.children.get_mut(&host) {
            children.remove(child);
            if children.is_empty() {
                self.children.remove(&host);
            }
        }
    }

    /// Forgets everything on a node that is gone; gives the children there with their parents.
    pub(crate) fn node_gone(&mut self, node: NodeRef) -> Vec<(Address, Address)> {
        self.by_address.retain(|_, promise| !matches!(promise, Promise::At(host, _) if *host == node));
        self.children.remove(&node).map(|children| children.into_iter().collect()).unwrap_or_default()
    }
}

/// Promises of other nodes.
#[derive(Default)]
pub(crate) struct Located {
    known: HashMap<Address, (NodeRef, Address)>,
    /// In the order of learning, to forget the oldest.
    order: VecDeque<Address>,
    pub(crate) asking: HashMap<Address, Waiting>,
}

impl Located {
    pub(crate) fn place(&self, promised: &Address) -> Option<(NodeRef, Address)> {
        self.known.get(promised).copied()
    }

    pub(crate) fn learn(&mut self, promised: Address, host: NodeRef, address: Address) {
        if self.known.insert(promised, (host, address)).is_none() {
            self.order.push_back(promised);
            if self.order.len() > LOCATED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// Forgets places on a node that is gone; gives what waited for an answer of that node.
    pub(crate) fn node_gone(&mut self, node: NodeRef) -> Vec<Waiting> {
        self.known.retain(|_, (host, _)| *host != node);
        self.order.retain(|promised| self.known.contains_key(promised));
        self.asking.extract_if(|promised, _| promised.node() == node).map(|(_, waiting)| waiting).collect()
    }
}

/// What is known of another node.
pub(crate) enum Reach {
    /// There is a session: frames go to the link.
    Linked,
    /// Where to dial it is being asked; these frames wait, with their lane keys.
    Asked { frames: Vec<(u64, Vec<u8>)>, ticket: u64 },
    /// It is gone for good.
    Gone,
}

/// Nodes that messages went to, or that are gone.
#[derive(Default)]
pub(crate) struct Nodes {
    reach: HashMap<NodeRef, Reach>,
    gone: VecDeque<NodeRef>,
}

/// Gone nodes that are remembered; a message to one that is forgotten costs a question to the leader.
const GONE_MAX: usize = 16_384;

impl Nodes {
    pub(crate) fn find(&self, node: &NodeRef) -> Option<&Reach> {
        self.reach.get(node)
    }

    pub(crate) fn find_mut(&mut self, node: &NodeRef) -> Option<&mut Reach> {
        self.reach.get_mut(node)
    }

    /// Sets what is known of a node; gives what was known before.
    pub(crate) fn set(&mut self, node: NodeRef, reach: Reach) -> Option<Reach> {
        if matches!(reach, Reach::Gone) && !matches!(self.reach.get(&node), Some(Reach::Gone)) {
            self.gone.push_back(node);
            if self.gone.len() > GONE_MAX
                && let Some(oldest) = self.gone.pop_front()
            {
                self.reach.remove(&oldest);
            }
        }
        self.reach.insert(node, reach)
    }

    /// Nodes of this id that are being asked for, of any incarnation.
    pub(crate) fn asked(&self, id: odeon::NodeId) -> Vec<NodeRef> {
        self.reach
            .iter()
            .filter(|(node, reach)| node.id == id && matches!(reach, Reach::Asked { .. }))
            .map(|(node, _)| *node)
            .collect()
    }
}
