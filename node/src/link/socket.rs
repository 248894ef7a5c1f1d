//! The socket with an eye on it: datagrams that no peer would send are counted before QUIC drops them silently.

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};
use quinn_proto::HashedConnectionIdGenerator;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A first flight is padded to this many bytes (RFC 9000, 14.1).
const INITIAL_BYTES_MIN: usize = 1200;
const LONG_HEADER: u8 = 0x80;
const INITIAL_TYPE_MASK: u8 = 0x30;

pub(crate) struct Watched {
    inner: Arc<dyn AsyncUdpSocket>,
    ids: HashedConnectionIdGenerator,
    on_garbage: Box<dyn Fn(SocketAddr) + Send + Sync>,
}

impl Watched {
    pub(crate) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        cid_key: u64,
        on_garbage: Box<dyn Fn(SocketAddr) + Send + Sync>,
    ) -> Self {
        Self { inner, ids: HashedConnectionIdGenerator::from_key(cid_key), on_garbage }
    }

    /// Whether a datagram starts like one of a peer: an opening of a supported version, or an id that we gave out.
    /// The bit that other protocols hold fixed says nothing: peers change it at will (RFC 9287).
    fn is_plausible(&self, datagram: &[u8]) -> bool {
        let Some(first) = datagram.first() else { return false };
        if first & LONG_HEADER != 0 {
            let version = datagram.get(1..5).map(|v| [v[0], v[1], v[2], v[3]]);
            let initial = first & INITIAL_TYPE_MASK == 0;
            return version == Some([0, 0, 0, 1]) && (!initial || datagram.len() >= INITIAL_BYTES_MIN);
        }
        let id = datagram.get(1..=self.ids.cid_len());
        id.is_some_and(|id| self.ids.validate(&ConnectionId::new(id)).is_ok())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl AsyncUdpSocket for Watched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for (buffer, meta) in bufs.iter().zip(meta.iter()).take(count) {
                // Several datagrams of one sender come as one: the first speaks for all.
                let first = &buffer[..meta.len.min(meta.stride).min(buffer.len())];
                if !self.is_plausible(first) {
                    (self.on_garbage)(meta.addr);
                }
            }
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
