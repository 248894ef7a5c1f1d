//! The links to all leaders: kept up while the node runs, and known again at its next start.

use crate::identity::Identity;
use crate::link::{Keep, Links};
use odeon::NodeId;
use odeon_convention::wire::LeaderAt;
use quinn::Connection;
use std::sync::Arc;

/// The leaders that this node keeps linked to.
pub(crate) struct Leaders {
    identity: Arc<Identity>,
    links: Links,
    known: Vec<LeaderAt>,
    kept: Vec<(LeaderAt, Keep)>,
    /// With the first of the known, which let this node in; until the link to it is begun.
    connection: Option<Connection>,
}

impl Leaders {
    /// With the connection on which the first of them let this node in, where that goes on.
    pub(crate) fn new(
        identity: Arc<Identity>,
        links: Links,
        known: Vec<LeaderAt>,
        connection: Option<Connection>,
    ) -> Self {
        let mut leaders = Self { identity, links, known, kept: Vec::new(), connection };
        leaders.keep();
        leaders
    }

    /// These are all leaders.
    pub(crate) fn know(&mut self, leaders: Vec<LeaderAt>) {
        if leaders.is_empty() || leaders == self.known {
            return;
        }
        self.known = leaders;
        self.keep();
        if let Err(error) = self.identity.keep_leaders(self.known.clone()) {
            tracing::warn!(%error, "where the leaders are will not be known at the next start");
        }
    }

    /// These are leaders, among others that were known before. Where a known one listens, it said itself.
    pub(crate) fn meet(&mut self, leaders: impl IntoIterator<Item = LeaderAt>) {
        let mut all = self.known.clone();
        let is_new = |leader: &LeaderAt| self.known.iter().all(|known| known.node != leader.node);
        all.extend(leaders.into_iter().filter(is_new));
        self.know(all);
    }

    fn keep(&mut self) {
        let me = self.identity.node().id;
        let wanted = |leader: &&LeaderAt| leader.node != me && !leader.listen.is_empty();
        let wanted: Vec<LeaderAt> = self.known.iter().filter(wanted).cloned().collect();
        self.kept.retain(|(leader, _)| wanted.contains(leader));
        for leader in wanted {
            if self.kept.iter().all(|(kept, _)| *kept != leader) {
                let keep = match self.connection.take() {
                    Some(connection) => self.links.keep_on(connection, leader.listen.clone(), leader.node),
                    None => self.links.keep(leader.listen.clone(), Some(leader.node)),
                };
                self.kept.push((leader, keep));
            }
        }
    }
}

/// Whether nobody but `me` is among the leaders.
pub(crate) fn alone(leaders: &[LeaderAt], me: NodeId) -> bool {
    leaders.iter().all(|leader| leader.node == me)
}
