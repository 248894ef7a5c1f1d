//! The end of a relayed way: to QUIC a socket, behind it a stream to each leader.
//!
//! It is as unreliable as any socket: what it has no room for is dropped.

use super::packet::Packet;
use super::{address_of, node_at};
use crate::link::limits::{RELAYED_PACKET_BYTES_MAX, RELAYED_PEERS_MAX, RELAYED_WAITING_MAX};
use crate::link::socket::Writable;
use crate::purpose::RELAY;
use hashbrown::HashMap;
use odeon::NodeId;
use parking_lot::Mutex;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Connection, RecvStream, SendStream, UdpPoller};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::BufReader;
use tokio::sync::mpsc;

/// Packets that are written at once.
const AT_ONCE: usize = 64;
/// Packets of a handshake have this bit (RFC 9000, 17.2).
const LONG_HEADER: u8 = 0x80;

pub(crate) struct Tunnel {
    me: NodeId,
    ways: Mutex<Ways>,
    came: mpsc::Sender<Packet>,
    coming: Mutex<mpsc::Receiver<Packet>>,
}

#[derive(Default)]
struct Ways {
    /// One through each leader that there is a connection with.
    open: Vec<Way>,
    last: u64,
    /// Through which of them each peer was heard last.
    heard: HashMap<NodeId, u64>,
}

struct Way {
    number: u64,
    queue: mpsc::Sender<Packet>,
}

impl Tunnel {
    pub(super) fn new(me: NodeId) -> Self {
        let (came, coming) = mpsc::channel(RELAYED_WAITING_MAX);
        Self { me, ways: Mutex::default(), came, coming: Mutex::new(coming) }
    }

    /// Leads a way through a leader, for as long as the connection with it lasts.
    pub(crate) async fn lead_through(self: Arc<Self>, connection: Connection, leader: NodeId) {
        let ended = async {
            let (mut send, receive) = connection.open_bi().await?;
            send.write_all(&[RELAY]).await?;
            let (number, queue) = self.open();
            let ended = tokio::select! {
                ended = give(queue, send) => ended,
                ended = self.take(number, receive) => ended,
            };
            self.close(number);
            ended
        };
        if let Err(error) = ended.await {
            tracing::debug!(%leader, %error, "a way through a leader is over");
        }
    }

    fn open(&self) -> (u64, mpsc::Receiver<Packet>) {
        let (queue, packets) = mpsc::channel(RELAYED_WAITING_MAX);
        let mut ways = self.ways.lock();
        ways.last += 1;
        let number = ways.last;
        ways.open.push(Way { number, queue });
        (number, packets)
    }

    fn close(&self, number: u64) {
        let mut ways = self.ways.lock();
        ways.open.retain(|way| way.number != number);
        ways.heard.retain(|_, heard| *heard != number);
    }

    async fn take(&self, number: u64, receive: RecvStream) -> io::Result<()> {
        let mut receive = BufReader::new(receive);
        while let Some(packet) = Packet::read(&mut receive).await? {
            self.ways.lock().hear(packet.other, number);
            // QUIC is behind: what it misses is sent again.
            let _ = self.came.try_send(packet);
        }
        Ok(())
    }
}

impl Ways {
    fn hear(&mut self, peer: NodeId, number: u64) {
        if self.heard.len() >= RELAYED_PEERS_MAX && !self.heard.contains_key(&peer) {
            // Those that still talk are heard again at once.
            self.heard.clear();
        }
        self.heard.insert(peer, number);
    }

    /// A handshake takes every way, since it is not known which of them lead to the peer; what follows takes the one
    /// on which the peer was heard last.
    fn send(&self, to: NodeId, bytes: &[u8]) {
        let is_handshake = bytes.first().is_some_and(|first| first & LONG_HEADER != 0);
        let heard = self.heard.get(&to).filter(|_| !is_handshake);
        for way in self.open.iter().filter(|way| heard.is_none_or(|heard| way.number == *heard)) {
            // A way that is full drops the packet, as a socket would.
            let _ = way.queue.try_send(Packet { other: to, bytes: bytes.to_vec() });
        }
    }
}

async fn give(mut queue: mpsc::Receiver<Packet>, mut send: SendStream) -> io::Result<()> {
    let (mut batch, mut buffer) = (Vec::with_capacity(AT_ONCE), Vec::new());
    while queue.recv_many(&mut batch, AT_ONCE).await > 0 {
        buffer.clear();
        batch.drain(..).for_each(|packet: Packet| packet.put(&mut buffer));
        send.write_all(&buffer).await?;
    }
    Ok(())
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnel({})", self.me)
    }
}

impl AsyncUdpSocket for Tunnel {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Some(to) = node_at(transmit.destination) else { return Ok(()) };
        let ways = self.ways.lock();
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for bytes in transmit.contents.chunks(size).filter(|bytes| bytes.len() <= RELAYED_PACKET_BYTES_MAX) {
            ways.send(to, bytes);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut coming = self.coming.lock();
        loop {
            // Never none: this end of the sender lives as long as the socket.
            let Some(packet) = ready!(coming.poll_recv(cx)) else { return Poll::Pending };
            let (buffer, length) = (&mut bufs[0], packet.bytes.len());
            if length > buffer.len() {
                continue;
            }
            buffer[..length].copy_from_slice(&packet.bytes);
            meta[0] = RecvMeta { addr: address_of(packet.other), len: length, stride: length, ..RecvMeta::default() };
            return Poll::Ready(Ok(1));
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(address_of(self.me))
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId([2; 16]);
    const HANDSHAKE: &[u8] = &[0xc0, 1];
    const SHORT: &[u8] = &[0x40, 1];

    fn count(packets: &mut mpsc::Receiver<Packet>) -> usize {
        std::iter::from_fn(|| packets.try_recv().ok()).count()
    }

    #[test]
    fn a_handshake_takes_every_way_and_what_follows_the_one_on_which_the_peer_was_heard() {
        let tunnel = Tunnel::new(NodeId([1; 16]));
        let ((first, mut one), (second, mut two)) = (tunnel.open(), tunnel.open());
        let send = |bytes: &[u8]| tunnel.ways.lock().send(PEER, bytes);
        send(SHORT);
        assert_eq!((count(&mut one), count(&mut two)), (1, 1), "nothing is known of the peer");
        tunnel.ways.lock().hear(PEER, second);
        send(SHORT);
        assert_eq!((count(&mut one), count(&mut two)), (0, 1));
        send(HANDSHAKE);
        assert_eq!((count(&mut one), count(&mut two)), (1, 1));
        tunnel.close(second);
        send(SHORT);
        assert_eq!((count(&mut one), count(&mut two)), (1, 0), "the way is gone, another one may lead there");
        tunnel.close(first);
        send(SHORT);
        assert_eq!(count(&mut one), 0);
    }

    #[test]
    fn a_peers_address_is_its_id() {
        assert_eq!(node_at(address_of(PEER)), Some(PEER));
        assert_eq!(node_at(([127, 0, 0, 1], 1).into()), None);
    }
}
