//! What must hold for whatever a peer sends to a relay or over TCP. It needs the whole node, and with it a compiler of wasm.

use odeon::NodeId;
use odeon_node::link::limits::{RELAYED_PACKET_BYTES_MAX, RELAYED_WAITING_MAX, TCP_PACKET_BYTES_MAX};
use odeon_node::link::{Pipes, Switch};
use quinn::AsyncUdpSocket;
use quinn::udp::RecvMeta;
use std::future::{Future, poll_fn};
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncReadExt, duplex, join, sink};
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

/// A target by the name of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 2] = [("relay", relay), ("tcp", tcp)];

/// One node of the relay's; the other sends what the fuzzer made.
pub const PEER: NodeId = NodeId([2; 16]);

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// The bytes in two pieces, so that a packet may begin in one and end in the other.
fn stream(bytes: &[u8]) -> impl AsyncRead + Unpin {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    first.chain(second)
}

/// Packets as they stand in a stream, each behind so many bytes and its length, up to the first that is too long or cut.
pub fn packets<const HEAD: usize>(mut bytes: &[u8], bytes_max: usize) -> Vec<([u8; HEAD], &[u8])> {
    let mut packets = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk()
        && let Some((length, rest)) = rest.split_first_chunk()
        && let length = usize::from(u16::from_be_bytes(*length))
        && length <= bytes_max
        && let Some((packet, rest)) = rest.split_at_checked(length)
    {
        packets.push((*head, packet));
        bytes = rest;
    }
    packets
}

/// Whatever bytes a node sends to its relay, the other node gets the packets that were for it, as packets of that
/// node, and nothing else; and once both are gone the relay holds nothing.
pub fn relay(bytes: &[u8]) {
    const ME: NodeId = NodeId([1; 16]);
    // No more packets than may wait, so that none is dropped for want of room.
    let bytes = &bytes[..bytes.len().min(RELAYED_WAITING_MAX * 18)];
    let (switch, mut came) = (Switch::default(), Vec::new());
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (end, stays) = duplex(1);
            let sends = async {
                switch.serve(ME, sink(), stream(bytes)).await;
                while switch.stats().waiting_bytes > 0 {
                    tokio::task::yield_now().await;
                }
                drop(stays);
            };
            tokio::join!(biased; switch.serve(PEER, &mut came, end), sends);
        });
    });
    let sent = packets::<16>(bytes, RELAYED_PACKET_BYTES_MAX);
    let expected: Vec<_> = sent.iter().filter(|(to, _)| *to == PEER.0).map(|(_, packet)| (ME.0, *packet)).collect();
    assert_eq!(packets::<16>(&came, RELAYED_PACKET_BYTES_MAX), expected);
    assert_eq!(came.len(), expected.iter().map(|(_, packet)| 18 + packet.len()).sum::<usize>());
    let stats = switch.stats();
    assert_eq!((stats.nodes, stats.waiting_bytes), (0, 0));
    assert_eq!((stats.packets, stats.packets + stats.dropped), (expected.len() as u64, sent.len() as u64));
}

/// Whatever bytes come over a TCP connection, QUIC gets the packets that stand in them, up to the first that is too
/// long or cut, and the connection's place is free again.
pub fn tcp(bytes: &[u8]) {
    let there = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 7));
    let (pipes, mut came, mut buffer) = (Arc::new(Pipes::default()), Vec::new(), vec![0; TCP_PACKET_BYTES_MAX]);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let pipe = pipes.open(there).expect("a place");
            let mut carried = pin!(pipe.carry(join(stream(bytes), sink())));
            // Without the runtime's budget, which would have a channel say that it is empty when it is not.
            let all = unconstrained(poll_fn(|cx| {
                let over = carried.as_mut().poll(cx);
                let mut meta = [RecvMeta::default()];
                while let Poll::Ready(count) = pipes.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta) {
                    assert_eq!((count.expect("packets"), meta[0].addr), (1, there));
                    came.push(buffer[..meta[0].len].to_vec());
                }
                over
            }));
            all.await;
        });
    });
    let expected: Vec<_> = packets::<0>(bytes, TCP_PACKET_BYTES_MAX).into_iter().map(|(_, packet)| packet).collect();
    assert_eq!(came, expected);
    assert!(pipes.open(there).is_some(), "its place is free");
}
