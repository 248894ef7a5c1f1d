//! The socket with an eye on it: signs of life are taken out, and datagrams that no peer would send are counted before
//! QUIC drops them silently.

use super::limits::{CROWDED_FROM, CROWDED_SEGMENTS, SIGNS_PAUSE};
use super::sign::is_beside_quic;
use super::udp::Udp;
use super::vitals::{Garbage, Vitals};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};
use quinn_proto::HashedConnectionIdGenerator;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A first flight is padded to this many bytes (RFC 9000, 14.1).
const INITIAL_BYTES_MIN: usize = 1200;
const LONG_HEADER: u8 = 0x80;
const INITIAL_TYPE_MASK: u8 = 0x30;

pub(crate) struct Watched {
    /// A socket that can rest.
    udp: Option<Arc<Udp>>,
    /// The same socket, or what stands before it.
    inner: Arc<dyn AsyncUdpSocket>,
    vitals: Arc<Vitals>,
    strangers: Option<Strangers>,
}

/// How the datagrams of strangers are told from those of peers.
struct Strangers {
    ids: HashedConnectionIdGenerator,
    on_garbage: Box<dyn Fn(SocketAddr) + Send + Sync>,
}

impl Watched {
    /// A socket that others dial.
    pub(crate) fn listening(
        udp: Arc<Udp>,
        vitals: Arc<Vitals>,
        cid_key: u64,
        on_garbage: Box<dyn Fn(SocketAddr) + Send + Sync>,
    ) -> Self {
        let ids = HashedConnectionIdGenerator::from_key(cid_key);
        Self { inner: udp.clone(), udp: Some(udp), vitals, strangers: Some(Strangers { ids, on_garbage }) }
    }

    /// A socket that only dials: nobody else sends to it.
    pub(crate) fn dialling(udp: Arc<Udp>, inner: Arc<dyn AsyncUdpSocket>, vitals: Arc<Vitals>) -> Self {
        Self { udp: Some(udp), inner, vitals, strangers: None }
    }

    /// What only looks like a socket.
    pub(crate) fn tunnelled(inner: Arc<dyn AsyncUdpSocket>, vitals: Arc<Vitals>) -> Self {
        Self { udp: None, inner, vitals, strangers: None }
    }

    fn is_crowded(&self) -> bool {
        self.vitals.count() >= CROWDED_FROM
    }

    /// Takes the signs of life out of datagrams that came as one, and gives how many bytes are left for QUIC.
    fn take_signs(&self, datagrams: &mut [u8], stride: usize, from: SocketAddr, to: Option<IpAddr>) -> usize {
        let mut left = 0;
        let mut at = 0;
        while at < datagrams.len() {
            let end = datagrams.len().min(at + stride.max(1));
            if is_beside_quic(&datagrams[at..end]) {
                if let Err(Garbage) = self.vitals.take(&datagrams[at..end], from, to) {
                    self.garbage(from);
                }
            } else {
                datagrams.copy_within(at..end, left);
                left += end - at;
            }
            at = end;
        }
        left
    }

    fn garbage(&self, from: SocketAddr) {
        if let Some(strangers) = &self.strangers {
            (strangers.on_garbage)(from);
        }
    }
}

impl Strangers {
    /// Whether a datagram starts like one of a peer: an opening of a supported version, or an id that we gave out.
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
        let room = bufs.len();
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for (buffer, meta) in bufs.iter_mut().zip(meta.iter_mut()).take(count) {
                let len = meta.len.min(buffer.len());
                // QUIC passes over what is empty.
                meta.len = self.take_signs(&mut buffer[..len], meta.stride, meta.addr, meta.dst_ip);
                // Several datagrams of one sender come as one: the first speaks for all.
                let first = &buffer[..meta.len.min(meta.stride)];
                let plausible = |strangers: &Strangers| first.is_empty() || strangers.is_plausible(first);
                if !self.strangers.as_ref().is_none_or(plausible) {
                    self.garbage(meta.addr);
                }
            }
            let only_signs = count < room && meta.iter().take(count).all(|meta| meta.len == 0);
            if let Some(udp) = &self.udp
                && only_signs
                && self.is_crowded()
            {
                // Where thousands of peers give signs, one would wake the task every other moment.
                udp.rest(SIGNS_PAUSE);
            }
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        let max = self.inner.max_transmit_segments();
        if self.is_crowded() { max.min(CROWDED_SEGMENTS) } else { max }
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

/// What is in the place of a socket that was given back: nothing comes, and what is sent is lost.
#[derive(Debug)]
pub(crate) struct Closed(pub(crate) SocketAddr);

impl AsyncUdpSocket for Closed {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, _transmit: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [IoSliceMut<'_>], _: &mut [RecvMeta]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }
}

/// Of what takes whatever comes at any time.
#[derive(Debug)]
pub(crate) struct Writable;

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
