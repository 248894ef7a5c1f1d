//! The way over TCP, for where UDP does not get through: a TLS connection of two nodes that carries QUIC's packets.
//!
//! What is carried is QUIC itself, as through a relay, so that sessions, lanes and signs of life are the same whatever
//! is below them. The TLS connection around it authenticates both sides before the first packet is read. Which way is
//! taken is decided in [`super::connect`]. Start with [`Tcp`]; [`Pipes`] is what QUIC takes for a socket.

mod pipes;

pub use pipes::{Pipe, Pipes};

use super::LinkError;
use super::door::{Door, Transport};
use super::endpoint::{Client, SERVER_NAME, server, tcp_server};
use super::limits::{ACCEPT_TIMEOUT, TCP_PACKET_BYTES_MAX, TCP_PIPES_MAX};
use super::refusals::Refusal;
use super::shared::Shared;
use super::socket::Watched;
use super::vitals::Vitals;
use crate::identity::{Identity, Tokens};
use parking_lot::Mutex;
use quinn::{EndpointConfig, TokioRuntime};
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// After the kernel could not give a connection, for want of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One side's ways over TCP.
pub(crate) struct Tcp {
    pub(crate) door: Arc<Door>,
    pipes: Arc<Pipes>,
    accepting: Mutex<Option<AbortHandle>>,
}

impl Tcp {
    /// Of a node. To be called within a tokio runtime.
    pub(crate) fn of_node(identity: &Identity, tokens: &Tokens) -> Result<Self, LinkError> {
        Self::new(Some(server(identity, tokens, Transport::Tcp)?))
    }

    /// Of one that only dials.
    pub(crate) fn dialling() -> Result<Self, LinkError> {
        Self::new(None)
    }

    fn new(server: Option<quinn::ServerConfig>) -> Result<Self, LinkError> {
        let pipes = Arc::new(Pipes::default());
        let vitals = Vitals::of(pipes.clone());
        let socket = Arc::new(Watched::tunnelled(pipes.clone(), vitals.clone()));
        let mut config = EndpointConfig::default();
        config.grease_quic_bit(false);
        config.max_udp_payload_size(TCP_PACKET_BYTES_MAX as u16).map_err(|e| LinkError::Tls(e.to_string()))?;
        let endpoint = quinn::Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(TokioRuntime))
            .map_err(|e| LinkError::Tls(e.to_string()))?;
        let door = Arc::new(Door { endpoint, vitals, transport: Transport::Tcp });
        Ok(Self { door, pipes, accepting: Mutex::default() })
    }

    /// Has a TCP connection with an address: that which there is, or a new one.
    pub(crate) async fn reach(&self, remote: SocketAddr, client: &Client) -> io::Result<()> {
        if self.pipes.lead_to(remote) {
            return Ok(());
        }
        let stream = TcpStream::connect(remote).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        let stream = TlsConnector::from(client.tcp()).connect(name, stream).await?;
        // Whoever did the same meanwhile was first.
        if let Some(pipe) = self.pipes.open(remote) {
            tokio::spawn(carry(pipe, stream, self.door.clone()));
        }
        Ok(())
    }

    /// Receives those who dial, until the end.
    pub(crate) fn accept(
        shared: &Arc<Shared>,
        tcp: &Arc<Self>,
        listener: std::net::TcpListener,
    ) -> Result<(), LinkError> {
        let acceptor = TlsAcceptor::from(tcp_server(&shared.identity, &shared.tokens)?);
        let failed = |e: io::Error| LinkError::Tls(e.to_string());
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let accepting = shared.runtime.spawn(accept(shared.clone(), tcp.clone(), listener, acceptor));
        *tcp.accepting.lock() = Some(accepting.abort_handle());
        Ok(())
    }

    /// Ends every connection, and gives the port back.
    pub(crate) fn shut_down(&self) {
        if let Some(accepting) = self.accepting.lock().take() {
            accepting.abort();
        }
        self.pipes.close();
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").finish_non_exhaustive()
    }
}

/// Carries packets as long as the connection lasts. What it carried is over with it.
async fn carry(pipe: Pipe, stream: impl AsyncRead + AsyncWrite, door: Arc<Door>) {
    let remote = pipe.remote();
    pipe.carry(stream).await;
    door.vitals.cut_off(remote);
}

async fn accept(shared: Arc<Shared>, tcp: Arc<Tcp>, listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let (stream, source) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot receive a TCP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = if tcp.pipes.count() < TCP_PIPES_MAX { shared.gate.enter(source.ip()) } else { None };
        let Some(place) = place else {
            shared.refusals.note(source, Refusal::TooManyHandshakes, "more TCP connections at once than are allowed");
            continue;
        };
        let (shared, tcp, acceptor) = (shared.clone(), tcp.clone(), acceptor.clone());
        tokio::spawn(async move {
            let handshake = async {
                stream.set_nodelay(true)?;
                acceptor.accept(stream).await
            };
            let stream = match tokio::time::timeout(ACCEPT_TIMEOUT, handshake).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return shared.refusals.note(source, Refusal::HandshakeFailed, &error.to_string()),
                Err(_) => {
                    let what = "a TCP connection whose handshake did not end in time";
                    return shared.refusals.note(source, Refusal::HandshakeTimeout, what);
                }
            };
            drop((place, shared));
            if let Some(pipe) = tcp.pipes.open(source) {
                carry(pipe, stream, tcp.door.clone()).await;
            }
        });
    }
}
