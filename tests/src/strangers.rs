//! Those who have no business on a node's port: what they send to it, and how a node ends their connections.
//!
//! They know the protocol as far as anybody can who has neither a certificate nor a token.

use anyhow::{Context, Result, bail};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
const FIRST_FLIGHT_BYTES: usize = 1200;

/// What a stranger shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// No certificate.
    Nothing,
    /// One that it signed itself, as the bearer of a token does.
    SelfSigned,
    /// One that a CA of its own signed, for a name as nodes have.
    OfAnotherCa,
}

/// Sends datagrams as they are.
///
/// # Errors
/// When loopback does not take them.
pub fn send_raw(to: SocketAddr, datagrams: &[&[u8]]) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for datagram in datagrams {
        socket.send_to(datagram, to)?;
    }
    Ok(())
}

/// First flights of QUIC by their headers, with noise inside. Of four, about three fail QUIC's look at the protected
/// part of the header, of which nobody hears; the others get as far as a handshake.
pub fn forged_first_flights(count: u8) -> Vec<Vec<u8>> {
    let forged = |noise: u8| {
        let mut bytes = vec![0xc3, 0, 0, 0, 1, 8];
        // An id of the receiver of its own, or they would be taken for one.
        bytes.extend([noise; 8]);
        // No id of the sender, no token, and a length that takes the rest.
        bytes.extend([0, 0]);
        let rest = FIRST_FLIGHT_BYTES - bytes.len() - 2;
        bytes.extend((0x4000 | rest as u16).to_be_bytes());
        bytes.resize(FIRST_FLIGHT_BYTES, noise);
        bytes
    };
    (0..count).map(forged).collect()
}

/// Begins a handshake as it should be begun, and never goes on.
///
/// # Errors
/// When loopback does not carry it.
pub fn begin_handshake(to: SocketAddr) -> Result<()> {
    let relay = UdpSocket::bind("127.0.0.1:0")?;
    relay.set_read_timeout(Some(ANSWERED_WITHIN))?;
    let (near, runtime) = (relay.local_addr()?, Runtime::new()?);
    let first = runtime.block_on(async {
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
        let _connecting = endpoint.connect_with(client(Shows::SelfSigned)?, near, "node.odeon")?;
        let heard = tokio::task::spawn_blocking(move || {
            let mut datagram = vec![0; 2048];
            let (length, _) = relay.recv_from(&mut datagram)?;
            datagram.truncate(length);
            anyhow::Ok(datagram)
        });
        heard.await?
    })?;
    send_raw(to, &[&first])
}

/// Goes through a handshake as far as the node lets it, and gives the node's reason for not letting it in.
///
/// # Errors
/// When the node lets it in, or does not answer.
pub fn try_to_connect(to: SocketAddr, shows: Shows) -> Result<String> {
    Runtime::new()?.block_on(async {
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
        let connecting = endpoint.connect_with(client(shows)?, to, "node.odeon")?;
        let ended = tokio::time::timeout(ANSWERED_WITHIN, async {
            // The client's side of a handshake ends before the server has looked at its certificate.
            match connecting.await {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            }
        });
        match ended.await.context("the node leaves a stranger waiting")? {
            ConnectionError::ConnectionClosed(close) => Ok(close.to_string()),
            other => bail!("expected to be turned away by the handshake, found {other}"),
        }
    })
}

fn client(shows: Shows) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsEverybody));
    let mut config = match shows {
        Shows::Nothing => builder.with_no_client_auth(),
        Shows::SelfSigned | Shows::OfAnotherCa => {
            let (chain, key) = certificate(shows)?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    config.alpn_protocols = vec![b"odeon".to_vec()];
    Ok(ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?)))
}

fn certificate(shows: Shows) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let name = format!("{}.member.odeon", "ab".repeat(16));
    let mut params = rcgen::CertificateParams::new(vec![name])?;
    let leaf = if shows == Shows::SelfSigned {
        params.self_signed(&key)?
    } else {
        params.distinguished_name.push(rcgen::DnType::CommonName, "a stranger");
        let ca_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        let mut ca = rcgen::CertificateParams::default();
        ca.distinguished_name.push(rcgen::DnType::CommonName, "another CA");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.signed_by(&key, &rcgen::Issuer::new(ca, ca_key))?
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    Ok((vec![leaf.der().clone()], key))
}

/// A stranger does not care whom it talks to.
#[derive(Debug)]
struct TrustsEverybody;

impl ServerCertVerifier for TrustsEverybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
