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
    sessions: HashMap<NodeRef, Arc<Session>>,
    /// The last start of each node that was met in person. What others say of a node does not count.
    met: HashMap<NodeId, Incarnation>,
    shut_down: bool,
}

impl Table {
    pub(crate) fn find(&self, node: NodeRef) -> Option<Arc<Session>> {
        self.sessions.get(&node).cloned()
    }

    /// The session with a node, made if there is none. `number` is used for a new one.
    pub(crate) fn session(&mut self, node: NodeRef, number: u64) -> Result<Arc<Session>, LinkError> {
        if let Some(session) = self.sessions.get(&node) {
            return Ok(session.clone());
        }
        if self.shut_down {
            return Err(LinkError::ShutDown);
        }
        if self.met.get(&node.id).is_some_and(|met| *met > node.incarnation) {
            return Err(LinkError::Superseded(node));
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return Err(LinkError::TooManySessions(SESSIONS_MAX));
        }
        let session = Arc::new(Session::new(node, number));
        self.sessions.insert(node, session.clone());
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
        let earlier: Vec<_> =
            self.sessions.keys().filter(|n| n.id == node.id && n.incarnation < node.incarnation).copied().collect();
        Ok(earlier.iter().filter_map(|n| self.sessions.remove(n)).collect())
    }

    /// Takes a session out; whoever gets it ends it.
    pub(crate) fn remove(&mut self, node: NodeRef) -> Option<Arc<Session>> {
        self.sessions.remove(&node)
    }

    /// Takes this very session out, unless another has its place.
    pub(crate) fn remove_exactly(&mut self, session: &Arc<Session>) -> bool {
        let is_it = self.sessions.get(&session.peer).is_some_and(|s| Arc::ptr_eq(s, session));
        is_it && self.sessions.remove(&session.peer).is_some()
    }

    /// The session that is connected to any start of this node.
    pub(crate) fn connected(&self, id: NodeId) -> Option<Arc<Session>> {
        let incarnation = *self.met.get(&id)?;
        self.find(NodeRef { id, incarnation }).filter(|s| s.peer_up().is_some())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.values().cloned().collect()
    }

    pub(crate) fn shut_down(&mut self) {
        self.shut_down = true;
    }
}
