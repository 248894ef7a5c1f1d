//! The way between two nodes that only dial: a leader, which both have dialled, carries their packets.
//!
//! What is carried is QUIC itself, from one end to the other. So the ends authenticate each other, number, acknowledge
//! and send again as on every other connection; a relay can neither read nor forge anything, and it may drop what it
//! has no room for. A node sees its peers at addresses that are made of their ids ([`address_of`]).
//! Start with [`Tunnel`] for the ends and [`Switch`] for what is between them.

mod packet;
mod switch;
mod tunnel;

pub use switch::{RelayStats, Switch};
pub(crate) use tunnel::Tunnel;

use super::LinkError;
use super::door::{Door, Transport};
use super::endpoint::server;
use super::socket::Watched;
use super::vitals::Vitals;
use crate::identity::{Identity, Tokens};
use odeon::NodeId;
use quinn::{EndpointConfig, TokioRuntime};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// QUIC wants a port; there is nothing to tell apart by it.
const PORT: u16 = 1;

/// Where a node is seen through relays. No real host has such an address but by a chance of 2 to the 128th.
pub(crate) fn address_of(node: NodeId) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(node.0)), PORT)
}

/// The node that is seen at an address.
fn node_at(address: SocketAddr) -> Option<NodeId> {
    match address.ip() {
        IpAddr::V6(ip) => Some(NodeId(ip.octets())),
        IpAddr::V4(_) => None,
    }
}

/// What a node that only dials reaches others of its kind with.
pub(crate) struct Relayed {
    pub(crate) door: Arc<Door>,
    pub(crate) tunnel: Arc<Tunnel>,
}

impl Relayed {
    pub(crate) fn new(identity: &Identity, tokens: &Tokens) -> Result<Self, LinkError> {
        let tunnel = Arc::new(Tunnel::new(identity.node().id));
        let vitals = Vitals::of(tunnel.clone());
        let socket = Arc::new(Watched::tunnelled(tunnel.clone(), vitals.clone()));
        let mut config = EndpointConfig::default();
        config.grease_quic_bit(false);
        let server = server(identity, tokens, Transport::Relay)?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint = quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)
            .map_err(|e| LinkError::Listen { address: address_of(identity.node().id), reason: e.to_string() })?;
        let door = Arc::new(Door { endpoint, vitals, transport: Transport::Relay });
        Ok(Self { door, tunnel })
    }
}
