//! The ways in and out of a node: for QUIC each is a socket, whatever is behind it.

use super::vitals::Vitals;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What carries the packets of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Quic,
    /// A TCP connection with TLS, where UDP does not get through.
    Tcp,
    /// The connections of both sides with a leader.
    Relay,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Relay => "relay",
        })
    }
}

/// A socket, or what stands for one, and what looks after the connections that go through it.
pub(crate) struct Door {
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) transport: Transport,
}

impl Door {
    /// Where a peer is, of an address as QUIC has it here: over TCP all have the form of IPv6.
    pub(crate) fn seen_at(&self, remote: SocketAddr) -> SocketAddr {
        match self.transport {
            Transport::Tcp => SocketAddr::new(remote.ip().to_canonical(), remote.port()),
            Transport::Quic | Transport::Relay => remote,
        }
    }
}
