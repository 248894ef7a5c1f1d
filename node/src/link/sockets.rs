//! The sockets of a node: it has them before anybody is let in, so that it can join through them.

use super::endpoint::{self, socket, sockets};
use super::refusals::{Refusal, Refusals};
use super::{LinkError, Vitals};
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// UDP to dial and to be dialled, and TCP to be dialled where others dial at all.
pub(crate) struct Sockets {
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) listener: Option<TcpListener>,
    pub(crate) refusals: Arc<Refusals>,
}

impl Sockets {
    /// Has them. `secret` gives bytes that only this node knows and has again at its next start, for a purpose. To be called
    /// within the tokio runtime that is to receive.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) fn open(
        listen: SocketAddr,
        outbound_only: bool,
        receive_bytes: usize,
        secret: impl Fn(&str) -> [u8; 32],
    ) -> Result<Self, LinkError> {
        let (udp, listener) = match outbound_only {
            true => (socket(listen, receive_bytes)?, None),
            false => sockets(listen, receive_bytes).map(|(udp, tcp)| (udp, Some(tcp)))?,
        };
        let refusals = Arc::new(Refusals::default());
        let noted = refusals.clone();
        let on_garbage = Box::new(move |source| {
            noted.note(source, Refusal::NotQuic, "a datagram that belongs to no connection and opens none");
        });
        let (endpoint, vitals) = endpoint::node(udp, secret, on_garbage)?;
        Ok(Self { endpoint, vitals, listener, refusals })
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
