//! The thread of the socket. It runs the first connections as well, for which nothing is handed from thread to thread
//! then, and those with other leaders, which must not wait for the links of thousands of members.
//!
//! QUIC runs a connection where it was begun and nowhere else, and only its handshake tells who is there. So a leader
//! that is met among members is dialled, or dials, once more.

use super::limits::{LEADERS_MET_MAX, URGENT_CONNECTIONS_MAX};
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

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// This place, for one more connection beside so many: if there is room, or a leader was met there.
    pub(crate) fn runs(&self, at: SocketAddr, connections: usize) -> Option<&Handle> {
        let has_room = connections < URGENT_CONNECTIONS_MAX;
        (has_room || self.leaders.read().contains(&at)).then_some(&self.runtime)
    }

    /// A leader is there, on a connection that runs in `runtime`. Whether that has to be begun again, to run here.
    pub(crate) fn meet(&self, at: SocketAddr, runtime: &Handle) -> bool {
        let mut leaders = self.leaders.write();
        let is_new = leaders.len() < LEADERS_MET_MAX && leaders.insert(at);
        is_new && runtime.id() != self.runtime.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leader_is_met_once_at_each_address_and_at_no_more_than_there_is_room_for() {
        let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let (urgent, here) = (Urgent::new(elsewhere.handle().clone()), Handle::current());
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let many = URGENT_CONNECTIONS_MAX;
        assert!(urgent.runs(at(1), many).is_none());
        assert!(urgent.meet(at(1), &here) && !urgent.meet(at(1), &here));
        assert!(urgent.runs(at(1), many).is_some() && urgent.runs(at(2), many).is_none());
        let met = (1..1000).filter(|port| urgent.meet(at(*port), &here)).count();
        assert_eq!(met, LEADERS_MET_MAX - 1);
        elsewhere.shutdown_background();
    }

    #[tokio::test]
    async fn the_first_connections_run_with_the_socket_and_a_leader_among_them_is_not_dialled_again() {
        let urgent = Urgent::new(Handle::current());
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert!(urgent.runs(at(1), URGENT_CONNECTIONS_MAX - 1).is_some());
        assert!(!urgent.meet(at(1), urgent.runtime()));
        assert!(urgent.runs(at(1), URGENT_CONNECTIONS_MAX).is_some(), "its next connection runs there too");
    }
}
