//! A stream of quinn, with what a link of two nodes has: TLS 1.3, both sides authenticated, windows, socket buffers.

use super::stream::Stream;
use anyhow::{Context, Result};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Endpoint, EndpointConfig, RecvStream, SendStream, TokioRuntime, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "peer.bench";
const SOCKET_BYTES: usize = 8 * 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 24 * 1024 * 1024;

/// Both sides have the same certificate, which is all that they trust.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
}

/// Makes the certificate in a folder.
pub fn make_identity(folder: &Path) -> Result<()> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let certificate = rcgen::CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&key)?;
    std::fs::write(folder.join("certificate"), certificate.der()).context("keep the certificate")?;
    std::fs::write(folder.join("key"), key.serialize_der()).context("keep the key")
}

fn identity(folder: &Path) -> Result<Identity> {
    let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("read the {name}"));
    let certificate = CertificateDer::from(read("certificate")?);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let key = PrivatePkcs8KeyDer::from(read("key")?).into();
    Ok(Identity { certificate, key, roots: Arc::new(roots) })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES));
    Arc::new(transport)
}

fn endpoint(server: Option<quinn::ServerConfig>) -> Result<Endpoint> {
    use rustix::net::sockopt;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // The first form goes beyond what the kernel gives everybody, for those who may.
    if sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BYTES).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES)?;
    }
    if sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BYTES).is_err() {
        sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES)?;
    }
    Ok(Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime))?)
}

pub(super) async fn connect(to: SocketAddr, folder: &Path) -> Result<Stream<RecvStream, SendStream>> {
    let (write, read) = dial(to, folder).await?;
    Ok(Stream { read, write })
}

/// A stream to whoever listens there.
pub(crate) async fn dial(to: SocketAddr, folder: &Path) -> Result<(SendStream, RecvStream)> {
    let Identity { certificate, key, roots } = identity(folder)?;
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)?;
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport());
    let connection =
        endpoint(None)?.connect_with(config, to, NAME)?.await.with_context(|| format!("connect to {to}"))?;
    Ok(connection.open_bi().await?)
}

/// Prints where it listens and serves for ever.
pub(super) async fn serve(folder: &Path) -> Result<()> {
    let endpoint = listen(folder)?;
    println!("{}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        // It ends with its connection; the client notices what is missing.
        tokio::spawn(async move {
            let (write, read) = incoming.await?.accept_bi().await?;
            Stream { read, write }.serve().await
        });
    }
    Ok(())
}

/// Listens at a free port.
pub(crate) fn listen(folder: &Path) -> Result<Endpoint> {
    let Identity { certificate, key, roots } = identity(folder)?;
    let clients = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate], key)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport());
    endpoint(Some(config))
}
