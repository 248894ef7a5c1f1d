//! The sockets of a node: it has them before anybody is let in, so that it can join through them.

use super::endpoint::{self, socket, sockets};
use super::error::CLOSE_DONE;
use super::refusals::{Refusal, Refusals};
use super::{LinkError, Vitals};
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// How long the other ends of connections are waited for.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(1);

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

    /// Gives the address back.
    pub(crate) async fn let_go(self) {
        self.endpoint.close(u32::from(CLOSE_DONE).into(), b"done");
        // Whoever is still at the other end has been told, or finds out.
        let _ = tokio::time::timeout(LET_GO_TIMEOUT, self.endpoint.wait_idle()).await;
        endpoint::let_go_of_socket(&self.endpoint);
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
