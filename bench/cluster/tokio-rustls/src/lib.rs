//! What ractor_cluster names of tokio-rustls, as types without values: nothing can be encrypted.
//!
//! The benchmark encrypts nothing, and what comes with the defaults of tokio-rustls is a C library that takes minutes to
//! build. The peer is at most quicker so: it has no case of an encrypted stream to look for.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Names of the library below.
pub mod rustls {
    /// Names of the library below that.
    pub mod pki_types {
        /// A server.
        pub struct ServerName<'a>(std::convert::Infallible, std::marker::PhantomData<&'a ()>);
    }
}

/// Of whoever dials.
pub mod client {
    pub use super::Encrypted as TlsStream;
}

/// Of whoever is dialled.
pub mod server {
    pub use super::Encrypted as TlsStream;
}

/// Dials.
#[derive(Clone)]
pub struct TlsConnector(Infallible);

impl TlsConnector {
    /// Never.
    pub async fn connect<S>(&self, _: rustls::pki_types::ServerName<'static>, _: S) -> io::Result<Encrypted<S>> {
        match self.0 {}
    }
}

/// Is dialled.
#[derive(Clone)]
pub struct TlsAcceptor(Infallible);

impl TlsAcceptor {
    /// Never.
    pub async fn accept<S>(&self, _: S) -> io::Result<Encrypted<S>> {
        match self.0 {}
    }

    /// Never.
    pub fn config(&self) -> &Infallible {
        &self.0
    }
}

/// A stream.
pub struct Encrypted<S>(Infallible, PhantomData<S>);

impl<S> AsyncRead for Encrypted<S> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl<S> AsyncWrite for Encrypted<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
