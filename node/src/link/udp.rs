//! The UDP socket of a node. It can rest: while it does, what comes wakes nobody, and is received afterwards.
//!
//! A socket that tokio watches wakes its task for every datagram, which is most of what a small one costs. So this one is
//! watched for reading only while it does not rest, and for writing only while it is full.

use parking_lot::Mutex;
use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::Interest;
use tokio::time::{Instant, Sleep};

#[derive(Debug)]
pub(crate) struct Udp {
    socket: Arc<UdpSocket>,
    state: UdpSocketState,
    reading: Mutex<Reading>,
    /// While the socket is full.
    full: Mutex<Option<Arc<tokio::net::UdpSocket>>>,
}

#[derive(Debug)]
enum Reading {
    /// Woken by what comes.
    Watched(tokio::net::UdpSocket),
    Resting(Pin<Box<Sleep>>),
    /// There may be something.
    Rested,
}

impl Udp {
    /// To be called within a tokio runtime.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        // Makes it non-blocking too.
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket: Arc::new(socket), state, reading: Mutex::new(Reading::Rested), full: Mutex::default() })
    }

    /// Receives nothing for a while.
    pub(crate) fn rest(&self, how_long: Duration) {
        let until = Instant::now() + how_long;
        *self.reading.lock() = Reading::Resting(Box::pin(tokio::time::sleep_until(until)));
    }

    /// A handle of the socket that tokio watches until it is dropped.
    fn watched(&self) -> io::Result<tokio::net::UdpSocket> {
        tokio::net::UdpSocket::from_std(self.socket.try_clone()?)
    }

    fn receive(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        self.state.recv((&*self.socket).into(), bufs, meta)
    }
}

impl AsyncUdpSocket for Udp {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { udp: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send((&*self.socket).into(), transmit);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            *self.full.lock() = Some(Arc::new(self.watched()?));
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut reading = self.reading.lock();
        loop {
            match &mut *reading {
                Reading::Resting(until) => {
                    ready!(until.as_mut().poll(cx));
                    *reading = Reading::Rested;
                }
                Reading::Rested => match self.receive(bufs, meta) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        *reading = Reading::Watched(self.watched()?);
                    }
                    received => return Poll::Ready(received),
                },
                Reading::Watched(watched) => {
                    ready!(watched.poll_recv_ready(cx))?;
                    match watched.try_io(Interest::READABLE, || self.receive(bufs, meta)) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        received => return Poll::Ready(received),
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Waits until the socket is not full.
struct Room {
    udp: Arc<Udp>,
    waiting: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_none() {
            let Some(full) = self.udp.full.lock().clone() else { return Poll::Ready(Ok(())) };
            let udp = self.udp.clone();
            self.waiting = Some(Box::pin(async move {
                let room = full.writable().await;
                let mut now = udp.full.lock();
                if now.as_ref().is_some_and(|now| Arc::ptr_eq(now, &full)) {
                    *now = None;
                }
                room
            }));
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(Ok(())) };
        let room = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(room)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn receive(udp: &Udp) -> Vec<u8> {
        let (mut buffer, mut meta) = (vec![0; 2048], [RecvMeta::default()]);
        let count = poll_fn(|cx| udp.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta)).await;
        assert_eq!(count.expect("a socket"), 1);
        buffer[..meta[0].len].to_vec()
    }

    fn send(udp: &Udp, destination: SocketAddr, contents: &[u8]) -> io::Result<()> {
        udp.try_send(&Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None })
    }

    fn udp() -> Arc<Udp> {
        Arc::new(Udp::new(UdpSocket::bind("127.0.0.1:0").expect("a port")).expect("a socket"))
    }

    #[tokio::test]
    async fn what_comes_while_it_rests_is_received_afterwards() {
        let (a, b) = (udp(), udp());
        let to = b.local_addr().expect("an address");
        for round in 0..3_u8 {
            let began = Instant::now();
            b.rest(Duration::from_millis(100));
            send(&a, to, &[round]).expect("room");
            assert_eq!(receive(&b).await, [round]);
            assert!(began.elapsed() >= Duration::from_millis(100));
            // And without a rest, before and after it is watched.
            let receiver = b.clone();
            let waiting = tokio::spawn(async move { receive(&receiver).await });
            tokio::task::yield_now().await;
            send(&a, to, b"now").expect("room");
            assert_eq!(waiting.await.expect("no panic"), b"now");
        }
    }

    #[tokio::test]
    async fn everybody_who_waits_for_a_full_socket_is_woken_once_there_is_room() {
        let a = udp();
        // On loopback a socket is never full: it is taken for full, and the kernel says that it is not.
        *a.full.lock() = Some(Arc::new(a.watched().expect("a handle")));
        let mut pollers: Vec<_> = (0..2).map(|_| a.clone().create_io_poller()).collect();
        let wait = async {
            for poller in &mut pollers {
                poll_fn(|cx| poller.as_mut().poll_writable(cx)).await.expect("a socket");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("there is room");
        assert!(a.full.lock().is_none());
        let mut poller = a.create_io_poller();
        assert!(poll_fn(|cx| Poll::Ready(poller.as_mut().poll_writable(cx).is_ready())).await, "nobody waits");
    }
}
