//! TCP connections that to QUIC look like one socket: a packet is a length of two bytes, the most significant first, and
//! so many bytes.
//!
//! Nothing that came is dropped: TCP waits until QUIC has taken it. What is to go out and has no room is dropped, as a
//! socket would, so that QUIC slows down.

use crate::link::limits::{TCP_PACKET_BYTES_MAX, TCP_SILENT_MAX, TCP_WAITING_MAX};
use crate::link::socket::Writable;
use hashbrown::HashMap;
use parking_lot::Mutex;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Packets that are written at once.
const AT_ONCE: usize = 16;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// To QUIC the socket has an address, of the kind that can reach every other; nobody sends to it.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 1);

type Packet = (SocketAddr, Vec<u8>);

/// An address as QUIC has it on a socket of both kinds.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// All TCP connections of one side: to QUIC one socket.
#[derive(Debug)]
pub struct Pipes {
    state: Mutex<State>,
    came: mpsc::Sender<Packet>,
    coming: Mutex<mpsc::Receiver<Packet>>,
}

#[derive(Debug, Default)]
struct State {
    /// What is to go to each address.
    open: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    closed: bool,
}

/// One TCP connection. The address is free for another when this is dropped.
pub struct Pipe {
    pipes: Arc<Pipes>,
    remote: SocketAddr,
    going: mpsc::Receiver<Vec<u8>>,
}

impl Default for Pipes {
    fn default() -> Self {
        let (came, coming) = mpsc::channel(TCP_WAITING_MAX);
        Self { state: Mutex::default(), came, coming: Mutex::new(coming) }
    }
}

impl Pipes {
    /// Whether there is a connection with an address.
    pub(super) fn lead_to(&self, remote: SocketAddr) -> bool {
        self.state.lock().open.contains_key(&mapped(remote))
    }

    pub(super) fn count(&self) -> usize {
        self.state.lock().open.len()
    }

    /// A place for a connection with an address; none where there is one, or at the end.
    pub fn open(self: &Arc<Self>, remote: SocketAddr) -> Option<Pipe> {
        let remote = mapped(remote);
        let mut state = self.state.lock();
        if state.closed || state.open.contains_key(&remote) {
            return None;
        }
        let (queue, going) = mpsc::channel(TCP_WAITING_MAX);
        state.open.insert(remote, queue);
        Some(Pipe { pipes: self.clone(), remote, going })
    }

    /// Has every connection send what waits, and end.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.open.clear();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut state = self.pipes.state.lock();
        if !state.closed {
            state.open.remove(&self.remote);
        }
    }
}

impl Pipe {
    /// Where it leads, as QUIC has it.
    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Carries packets both ways until one of the sides is done, or nothing has come for too long.
    pub async fn carry(mut self, stream: impl AsyncRead + AsyncWrite) {
        let (receive, send) = tokio::io::split(stream);
        let (remote, came) = (self.remote, self.pipes.came.clone());
        let ended = tokio::select! {
            ended = take(receive, remote, came) => ended,
            ended = give(&mut self.going, send) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%remote, %error, "a TCP connection is over");
        }
    }
}

async fn take(receive: impl AsyncRead, from: SocketAddr, came: mpsc::Sender<Packet>) -> io::Result<()> {
    let mut receive = std::pin::pin!(BufReader::with_capacity(READ_BYTES, receive));
    loop {
        let packet = tokio::time::timeout(TCP_SILENT_MAX, read(&mut receive)).await;
        let Some(packet) = packet.map_err(|_| io::ErrorKind::TimedOut)?? else { return Ok(()) };
        if came.send((from, packet)).await.is_err() {
            return Ok(());
        }
    }
}

/// The next packet; none at the end.
async fn read(receive: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let length = match receive.read_u16().await {
        Ok(length) => usize::from(length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > TCP_PACKET_BYTES_MAX {
        let reason = format!("a packet of {length} bytes, at most {TCP_PACKET_BYTES_MAX} are carried");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let mut packet = vec![0; length];
    receive.read_exact(&mut packet).await?;
    Ok(Some(packet))
}

async fn give(going: &mut mpsc::Receiver<Vec<u8>>, send: impl AsyncWrite) -> io::Result<()> {
    let mut send = std::pin::pin!(send);
    let (mut batch, mut buffer) = (Vec::with_capacity(AT_ONCE), Vec::new());
    while going.recv_many(&mut batch, AT_ONCE).await > 0 {
        buffer.clear();
        for packet in batch.drain(..) {
            buffer.extend_from_slice(&(packet.len() as u16).to_be_bytes());
            buffer.extend_from_slice(&packet);
        }
        send.write_all(&buffer).await?;
        send.flush().await?;
    }
    send.shutdown().await
}

impl AsyncUdpSocket for Pipes {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Some(queue) = self.state.lock().open.get(&transmit.destination).cloned() else { return Ok(()) };
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for bytes in transmit.contents.chunks(size).filter(|bytes| bytes.len() <= TCP_PACKET_BYTES_MAX) {
            let _ = queue.try_send(bytes.to_vec());
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
        let mut taken = 0;
        while taken < bufs.len().min(meta.len()) {
            let packet = match taken {
                // Never none: this end of the sender lives as long as the socket.
                0 => match ready!(coming.poll_recv(cx)) {
                    Some(packet) => packet,
                    None => return Poll::Pending,
                },
                _ => match coming.try_recv() {
                    Ok(packet) => packet,
                    Err(_) => break,
                },
            };
            let (addr, bytes) = packet;
            let length = bytes.len();
            if length <= bufs[taken].len() {
                bufs[taken][..length].copy_from_slice(&bytes);
                meta[taken] = RecvMeta { addr, len: length, stride: length, ..RecvMeta::default() };
                taken += 1;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDRESS)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    const THERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 7);

    fn send(pipes: &Pipes, contents: &[u8], segment_size: Option<usize>) {
        let transmit = Transmit { destination: THERE, ecn: None, contents, segment_size, src_ip: None };
        pipes.try_send(&transmit).expect("it takes everything");
    }

    async fn receive(pipes: &Pipes) -> Vec<Vec<u8>> {
        let (mut a, mut b, mut meta) = (vec![0; 2000], vec![0; 2000], [RecvMeta::default(); 2]);
        let count = poll_fn(|cx| {
            let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
            pipes.poll_recv(cx, &mut bufs, &mut meta)
        });
        let count = count.await.expect("packets");
        assert!(meta.iter().take(count).all(|meta| meta.addr == THERE));
        [a, b].into_iter().zip(meta).take(count).map(|(bytes, meta)| bytes[..meta.len].to_vec()).collect()
    }

    #[tokio::test]
    async fn packets_come_out_as_they_went_in_and_the_end_of_one_side_is_that_of_the_other() {
        let (here, there) = (Arc::new(Pipes::default()), Arc::new(Pipes::default()));
        let (one, other) = tokio::io::duplex(64);
        let first = tokio::spawn(here.open(THERE).expect("a place").carry(one));
        let second = tokio::spawn(there.open(THERE).expect("a place").carry(other));
        assert!(here.open(THERE).is_none(), "there is one");
        send(&here, &[1; 300], None);
        send(&here, b"aabbc", Some(2));
        let mut came = Vec::new();
        while came.len() < 4 {
            came.extend(receive(&there).await);
        }
        assert_eq!(came, [vec![1; 300], b"aa".to_vec(), b"bb".to_vec(), b"c".to_vec()]);
        send(&here, b"last", None);
        here.close();
        assert_eq!(receive(&there).await, [b"last"]);
        first.await.expect("it ends");
        second.await.expect("it ends");
        assert_eq!((here.count(), there.count()), (0, 0));
        assert!(here.open(THERE).is_none(), "it is closed");
        assert!(there.open(THERE).is_some());
    }

    #[tokio::test]
    async fn a_packet_that_is_too_long_ends_the_connection() {
        let pipes = Arc::new(Pipes::default());
        let (one, mut other) = tokio::io::duplex(64);
        let carried = tokio::spawn(pipes.open(THERE).expect("a place").carry(one));
        other.write_u16(TCP_PACKET_BYTES_MAX as u16 + 1).await.expect("room");
        tokio::time::timeout(Duration::from_secs(5), carried).await.expect("it ends").expect("in good order");
        assert_eq!(pipes.count(), 0);
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let pipes = Arc::new(Pipes::default());
        let (one, _other) = tokio::io::duplex(64);
        pipes.open(THERE).expect("a place").carry(one).await;
        assert_eq!(pipes.count(), 0);
    }
}
