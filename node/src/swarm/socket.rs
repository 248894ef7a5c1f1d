//! A socket that many members share, that can seem to be far away, and that can fall silent as the network of a dead
//! host does.

use super::limits::ON_ITS_WAY_MAX;
use crate::link::{LinkError, Vitals, dialler_through};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Endpoint, UdpPoller};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// An endpoint that only dials, and its switch.
pub(super) struct Socket {
    pub(super) endpoint: Endpoint,
    pub(super) vitals: Arc<Vitals>,
    silent: Arc<AtomicBool>,
}

impl Socket {
    /// A socket that can reach this address, with a round trip that takes so much longer than it does. To be called within
    /// a tokio runtime.
    pub(super) fn towards(address: SocketAddr, round_trip: Duration) -> Result<Self, LinkError> {
        let silent = Arc::<AtomicBool>::default();
        let switch = silent.clone();
        let (endpoint, vitals) = dialler_through(address, |inner| {
            let far = (!round_trip.is_zero()).then(|| far(inner.clone(), round_trip));
            Arc::new(Switched { inner, silent: switch, far })
        })?;
        Ok(Self { endpoint, vitals, silent })
    }

    /// From now on nothing comes out and nothing comes in, and nobody is told.
    pub(super) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

struct Switched {
    inner: Arc<dyn AsyncUdpSocket>,
    silent: Arc<AtomicBool>,
    /// The way out, where it takes a while.
    far: Option<mpsc::Sender<OnItsWay>>,
}

struct OnItsWay {
    sent: Instant,
    destination: SocketAddr,
    contents: Vec<u8>,
    segment_size: Option<usize>,
}

/// A way on which everything takes as long. All of a round trip is on the way out: the other side cannot tell.
fn far(socket: Arc<dyn AsyncUdpSocket>, round_trip: Duration) -> mpsc::Sender<OnItsWay> {
    let (way, mut coming) = mpsc::channel::<OnItsWay>(ON_ITS_WAY_MAX);
    tokio::spawn(async move {
        while let Some(OnItsWay { sent, destination, contents, segment_size }) = coming.recv().await {
            tokio::time::sleep_until(sent + round_trip).await;
            // As on any way, what finds no room is lost.
            let _ =
                socket.try_send(&Transmit { destination, ecn: None, contents: &contents, segment_size, src_ip: None });
        }
    });
    way
}

impl Switched {
    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Switched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl AsyncUdpSocket for Switched {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.is_silent() {
            return Ok(());
        }
        let Some(far) = &self.far else { return self.inner.try_send(transmit) };
        let Transmit { destination, contents, segment_size, .. } = *transmit;
        let _ = far.try_send(OnItsWay { sent: Instant::now(), destination, contents: contents.to_vec(), segment_size });
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.inner.poll_recv(cx, bufs, meta) {
                // Taken and dropped, until there is nothing: only then is the task woken again.
                Poll::Ready(Ok(_)) if self.is_silent() => {}
                received => return received,
            }
        }
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
