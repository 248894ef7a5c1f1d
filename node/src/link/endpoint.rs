//! The UDP socket and the QUIC and TLS settings of a node, as measured.

use super::LinkError;
use super::door::Transport;
use super::limits::*;
use super::socket::{Closed, Watched};
use super::udp::Udp;
use super::vitals::Vitals;
use crate::identity::trust::{ClientVerifier, Expect, ServerVerifier, provider};
use crate::identity::{Identity, Tokens};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AsyncUdpSocket, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

pub(super) const ALPN: &[u8] = b"odeon";
/// Of a TCP connection that carries QUIC.
const TCP_ALPN: &[u8] = b"odeon-tcp";
/// Ports that are tried where any will do, since TCP may not have the one that UDP was given.
const PORT_TRIES: u32 = 16;
/// Connections that have not been looked at yet, at most, and the bytes that they may send until then: of each its second
/// packet, the rest of a first flight. What it sends again meanwhile says nothing new, and keeping it for thousands leaves
/// holes in memory.
const INCOMING_MAX: usize = LINE_MAX;
const INCOMING_BYTES_MAX: u64 = 1500;
const INCOMING_TOTAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The name in the client's first flight. Nodes are told apart by their certificates.
pub(crate) const SERVER_NAME: &str = "node.odeon";

fn tls(e: impl std::fmt::Display) -> LinkError {
    LinkError::Tls(e.to_string())
}

/// A peer that may not open streams bears a token, and is watched by QUIC. The dialler alone keeps alive.
pub(super) fn transport(peer_may_open: bool, dials: bool, over: Transport) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    let (keep_alive, idle) =
        if peer_may_open { (KEEP_ALIVE, IDLE_TIMEOUT) } else { (TOKEN_KEEP_ALIVE, TOKEN_IDLE_TIMEOUT) };
    let (uni, bi) = if peer_may_open { (UNI_STREAMS_MAX, BI_STREAMS_AT_FIRST) } else { (0, 0) };
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(uni))
        .max_concurrent_bidi_streams(VarInt::from_u32(bi))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .datagram_receive_buffer_size(peer_may_open.then_some(SIGNS_BYTES_MAX))
        .datagram_send_buffer_size(SIGNS_BYTES_MAX)
        .keep_alive_interval(dials.then_some(keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(idle).ok());
    match over {
        // What the bearer of a token says and hears is too little to look for larger datagrams.
        Transport::Quic | Transport::Relay if !peer_may_open => _ = transport.mtu_discovery_config(None),
        Transport::Quic | Transport::Relay => {
            let mut discovery = MtuDiscoveryConfig::default();
            discovery.minimum_change(MTU_STEP_BYTES);
            transport.mtu_discovery_config(Some(discovery));
        }
        Transport::Tcp => {
            // Not from the beginning: a server may answer no more than three times what it has received.
            let mut discovery = MtuDiscoveryConfig::default();
            discovery.upper_bound(TCP_PACKET_BYTES_MAX as u16);
            transport.mtu_discovery_config(Some(discovery));
        }
    }
    Arc::new(transport)
}

/// The sockets of a node that listens: for UDP and, at the same port, for TCP.
pub(super) fn sockets(listen: SocketAddr, receive_bytes: usize) -> Result<(UdpSocket, TcpListener), LinkError> {
    let failed = |e: std::io::Error| LinkError::Listen { address: listen, reason: format!("TCP: {e}") };
    for _ in 0..PORT_TRIES {
        let socket = socket(listen, receive_bytes)?;
        match TcpListener::bind(socket.local_addr().map_err(failed)?) {
            Err(error) if listen.port() == 0 && error.kind() == std::io::ErrorKind::AddrInUse => {}
            bound => return Ok((socket, bound.map_err(failed)?)),
        }
    }
    let reason = format!("none of {PORT_TRIES} ports is free for both UDP and TCP");
    Err(LinkError::Listen { address: listen, reason })
}

pub(super) fn socket(listen: SocketAddr, receive_bytes: usize) -> Result<UdpSocket, LinkError> {
    use rustix::net::sockopt;
    let failed = |e: std::io::Error| LinkError::Listen { address: listen, reason: e.to_string() };
    let socket = UdpSocket::bind(listen).map_err(failed)?;
    // The first form goes beyond what the kernel gives everybody, for those who may; the second never fails us.
    if sockopt::set_socket_recv_buffer_size_force(&socket, receive_bytes).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, receive_bytes).map_err(|e| failed(e.into()))?;
    }
    if sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_SEND_BYTES).is_err() {
        sockopt::set_socket_send_buffer_size(&socket, SOCKET_SEND_BYTES).map_err(|e| failed(e.into()))?;
    }
    Ok(socket)
}

/// Whether the address can be had at this moment.
pub(crate) fn can_listen(listen: SocketAddr) -> Result<(), LinkError> {
    let failed = |e: std::io::Error| LinkError::Listen { address: listen, reason: e.to_string() };
    UdpSocket::bind(listen).map_err(failed)?;
    TcpListener::bind(listen).map(drop).map_err(|e| LinkError::Listen { address: listen, reason: format!("TCP: {e}") })
}

/// The endpoint of a node: it dials on one socket, and listens there once it knows whom to receive.
pub(super) fn node(
    socket: UdpSocket,
    secret: impl Fn(&str) -> [u8; 32],
    on_garbage: Box<dyn Fn(SocketAddr) + Send + Sync>,
) -> Result<(quinn::Endpoint, Arc<Vitals>), LinkError> {
    let cid_key = u64::from_be_bytes(std::array::from_fn(|i| secret("connection ids")[i]));
    let reset_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret("stateless reset"));
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    // Both keys outlive this start, so that a peer of the last one is told at once that its connection is gone.
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(cid_key)));
    config.min_reset_interval(Duration::ZERO);
    // A peer then never clears the fixed bit, and a datagram without it is beside QUIC, or garbage.
    config.grease_quic_bit(false);
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let address = socket.local_addr().unwrap_or(any);
    let failed = |e: std::io::Error| LinkError::Listen { address, reason: e.to_string() };
    let socket = Arc::new(Udp::new(socket).map_err(failed)?);
    let vitals = Vitals::of(socket.clone());
    let socket = Arc::new(Watched::listening(socket, vitals.clone(), cid_key, on_garbage));
    let endpoint = quinn::Endpoint::new_with_abstract_socket(config, None, socket, Arc::new(TokioRuntime));
    Ok((endpoint.map_err(failed)?, vitals))
}

fn tls_server(identity: &Identity, tokens: &Tokens, alpn: &[u8]) -> Result<rustls::ServerConfig, LinkError> {
    let verifier = ClientVerifier { trust: identity.trust().clone(), tokens: tokens.clone() };
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(tls)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(identity.chain(), identity.private_key())
        .map_err(tls)?;
    config.alpn_protocols = vec![alpn.to_vec()];
    // No resumption: a certificate is verified at every handshake.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// How a node receives those who dial it over TCP.
pub(super) fn tcp_server(identity: &Identity, tokens: &Tokens) -> Result<Arc<rustls::ServerConfig>, LinkError> {
    tls_server(identity, tokens, TCP_ALPN).map(Arc::new)
}

/// How it receives those whose packets come to QUIC.
pub(super) fn server(identity: &Identity, tokens: &Tokens, over: Transport) -> Result<quinn::ServerConfig, LinkError> {
    let crypto = QuicServerConfig::try_from(tls_server(identity, tokens, ALPN)?).map_err(tls)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(transport(true, false, over))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_TOTAL_BYTES_MAX);
    Ok(config)
}

/// How to dial as somebody in particular.
pub(crate) struct Client {
    tls: rustls::ClientConfig,
    peer_may_open: bool,
}

impl Client {
    /// Over QUIC, whatever carries that.
    pub(crate) fn quic(&self, over: Transport) -> Result<quinn::ClientConfig, LinkError> {
        let mut config = self.tls.clone();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = QuicClientConfig::try_from(config).map_err(tls)?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        // The dialler alone shows that it lives; the answers show it of the other side.
        config.transport_config(transport(self.peer_may_open, true, over));
        Ok(config)
    }

    /// Over TCP, to carry QUIC.
    pub(crate) fn tcp(&self) -> Arc<rustls::ClientConfig> {
        let mut config = self.tls.clone();
        config.alpn_protocols = vec![TCP_ALPN.to_vec()];
        Arc::new(config)
    }
}

pub(crate) fn client(
    expect: Expect,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    peer_may_open: bool,
) -> Result<Client, LinkError> {
    let provider = provider();
    let verifier = ServerVerifier { expect, provider: provider.clone() };
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map_err(tls)?;
    tls.resumption = rustls::client::Resumption::disabled();
    Ok(Client { tls, peer_may_open })
}

/// Lets a peer that makes use of them open as many streams in both directions as one may.
pub(crate) fn allow_all_streams(connection: &quinn::Connection) {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(BI_STREAMS_MAX));
}

/// Has an endpoint that is closed give its socket back, whatever connections QUIC still keeps.
pub(crate) fn let_go_of_socket(endpoint: &quinn::Endpoint) {
    let Ok(address) = endpoint.local_addr() else { return };
    // The one before is kept until something comes over the new one, which nothing ever does: hence twice.
    for _ in 0..2 {
        // Without an address there would be no socket.
        let _ = endpoint.rebind_abstract(Arc::new(Closed(address)));
    }
}

/// How a node dials another.
pub(crate) fn node_client(identity: &Identity, expect: Option<odeon::NodeId>) -> Result<Client, LinkError> {
    let expect = Expect::Node(identity.trust().clone(), expect);
    client(expect, identity.chain(), identity.private_key(), true)
}

/// How the bearer of a token dials a leader. A joiner that stays is a node as soon as it is let in.
pub(crate) fn token_client(
    ca_digest: [u8; 32],
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    stays: bool,
) -> Result<Client, LinkError> {
    client(Expect::Leader { ca_digest }, vec![certificate], key, stays)
}

/// An endpoint that only dials.
pub(crate) fn dialler(towards: SocketAddr) -> Result<quinn::Endpoint, LinkError> {
    dialler_through(towards, |socket| socket).map(|(endpoint, _)| endpoint)
}

/// The same through a socket that stands between it and the network.
pub(crate) fn dialler_through(
    towards: SocketAddr,
    between: impl FnOnce(Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket>,
) -> Result<(quinn::Endpoint, Arc<Vitals>), LinkError> {
    let any: SocketAddr = if towards.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let failed = |e: std::io::Error| LinkError::Listen { address: any, reason: e.to_string() };
    let socket = socket(any, SOCKET_RECEIVE_BYTES)?;
    let udp = Arc::new(Udp::new(socket).map_err(failed)?);
    let socket = between(udp.clone());
    let vitals = Vitals::of(socket.clone());
    let socket = Arc::new(Watched::dialling(udp, socket, vitals.clone()));
    let mut config = EndpointConfig::default();
    config.grease_quic_bit(false);
    let endpoint = quinn::Endpoint::new_with_abstract_socket(config, None, socket, Arc::new(TokioRuntime));
    Ok((endpoint.map_err(failed)?, vitals))
}
