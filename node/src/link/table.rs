//! The sessions of a node, by peer and its start.

use super::LinkError;
use super::error::Close;
use super::limits::SESSIONS_MAX;
use super::session::Session;
use hashbrown::HashMap;
use odeon::{Incarnation, NodeId, NodeRef};
use odeon_convention::codes;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct Table {
    /// By node, as a new start of one ends those with its earlier ones: nearly always one.
    sessions: HashMap<NodeId, Vec<Arc<Session>>>,
    count: usize,
    /// The last start of each node that was met in person. What others say of a node does not count.
    met: HashMap<NodeId, Incarnation>,
    shut_down: bool,
}

impl Table {
    pub(crate) fn get(&self, node: NodeRef) -> Option<&Arc<Session>> {
        self.sessions.get(&node.id)?.iter().find(|session| session.peer == node)
    }

    pub(crate) fn find(&self, node: NodeRef) -> Option<Arc<Session>> {
        self.get(node).cloned()
    }

    /// The session with a node, made if there is none. `number` is used for a new one.
    pub(crate) fn session(&mut self, node: NodeRef, number: u64) -> Result<Arc<Session>, LinkError> {
        if let Some(session) = self.find(node) {
            return Ok(session);
        }
        if self.shut_down {
            return Err(LinkError::ShutDown);
        }
        if self.met.get(&node.id).is_some_and(|met| *met > node.incarnation) {
            return Err(LinkError::Superseded(node));
        }
        if self.count >= SESSIONS_MAX {
            return Err(LinkError::TooManySessions(SESSIONS_MAX));
        }
        let session = Arc::new(Session::new(node, number));
        self.sessions.entry(node.id).or_default().push(session.clone());
        self.count += 1;
        Ok(session)
    }

    /// A start of a node is here in person. Gives the sessions with its earlier starts, which are over.
    pub(crate) fn meet(&mut self, node: NodeRef) -> Result<Vec<Arc<Session>>, Close> {
        let met = self.met.entry(node.id).or_insert(node.incarnation);
        if *met > node.incarnation {
            let reason = format!("{node} is superseded: start {met} of that node is known");
            return Err(Close::new(codes::SUPERSEDED, reason));
        }
        *met = node.incarnation;
        Ok(self.take(node.id, |session| session.peer.incarnation < node.incarnation))
    }

    /// Takes a session out; whoever gets it ends it.
    pub(crate) fn remove(&mut self, node: NodeRef) -> Option<Arc<Session>> {
        self.take(node.id, |session| session.peer == node).pop()
    }

    /// Takes this very session out, unless another has its place.
    pub(crate) fn remove_exactly(&mut self, session: &Arc<Session>) -> bool {
        !self.take(session.peer.id, |found| Arc::ptr_eq(found, session)).is_empty()
    }

    /// Takes those sessions with a node out that are wanted.
    fn take(&mut self, node: NodeId, wanted: impl Fn(&Arc<Session>) -> bool) -> Vec<Arc<Session>> {
        let Some(all) = self.sessions.get_mut(&node) else { return Vec::new() };
        let taken: Vec<_> = all.extract_if(.., |session| wanted(session)).collect();
        self.count -= taken.len();
        if all.is_empty() {
            self.sessions.remove(&node);
        }
        taken
    }

    /// The session that is connected to any start of this node.
    pub(crate) fn connected(&self, id: NodeId) -> Option<Arc<Session>> {
        let incarnation = *self.met.get(&id)?;
        self.find(NodeRef { id, incarnation }).filter(|s| s.peer_up().is_some())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.values().flatten().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    pub(crate) fn shut_down(&mut self) {
        self.shut_down = true;
    }
}
