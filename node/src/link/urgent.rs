//! A place beside the links of members, for what must not wait for thousands of them: the socket, and the connections
//! with other leaders.
//!
//! QUIC runs a connection where it was begun and nowhere else, and only its handshake tells who is there. So a leader
//! that is met at an address for the first time is dialled, or dials, once more.

use super::limits::LEADERS_MET_MAX;
use hashbrown::HashSet;
use parking_lot::RwLock;
use std::net::SocketAddr;
use tokio::runtime::Handle;

#[derive(Debug)]
pub(crate) struct Urgent {
    runtime: Handle,
    leaders: RwLock<HashSet<SocketAddr>>,
}

impl Urgent {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, leaders: RwLock::default() }
    }

    /// This place, if a leader was met there.
    pub(crate) fn runs(&self, at: SocketAddr) -> Option<&Handle> {
        self.leaders.read().contains(&at).then_some(&self.runtime)
    }

    /// A leader is there. Whether its connections run here from now on and did not before.
    pub(crate) fn meet(&self, at: SocketAddr) -> bool {
        let mut leaders = self.leaders.write();
        leaders.len() < LEADERS_MET_MAX && leaders.insert(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leader_is_met_once_at_each_address_and_at_no_more_than_there_is_room_for() {
        let urgent = Urgent::new(Handle::current());
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert!(urgent.runs(at(1)).is_none());
        assert!(urgent.meet(at(1)) && !urgent.meet(at(1)));
        assert!(urgent.runs(at(1)).is_some() && urgent.runs(at(2)).is_none());
        let met = (1..1000).filter(|port| urgent.meet(at(*port))).count();
        assert_eq!(met, LEADERS_MET_MAX - 1);
    }
}
