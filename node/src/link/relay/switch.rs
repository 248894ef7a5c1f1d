//! What a leader carries between nodes that only dial: a packet that comes from one goes to the other, or is dropped.
//!
//! Each node has one stream here, on a connection that its certificate authenticated, so a sender is who it is and
//! whoever has no stream is reached by nobody. It waits for no reader: what does not fit is dropped.

use super::packet::Packet;
use crate::link::limits::{RELAY_BYTES_MAX, RELAY_NODES_MAX, RELAY_PAIR_IDLE, RELAY_PAIRS_MAX, RELAYED_WAITING_MAX};
use hashbrown::HashMap;
use odeon::NodeId;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Packets that are written at once.
const AT_ONCE: usize = 64;

/// What a relay has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Nodes that it serves.
    pub nodes: usize,
    /// Pairs of them that talk now.
    pub pairs: usize,
    /// Bytes that wait now.
    pub waiting_bytes: usize,
    /// Packets that were handed on, since the start.
    pub packets: u64,
    /// Packets that were dropped, since the start: for nodes that are not here, or for want of room.
    pub dropped: u64,
}

/// The relay of one leader. A clone is the same relay.
#[derive(Clone, Default)]
pub struct Switch(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    seats: HashMap<NodeId, Seat>,
    /// Who talks with whom, the lower id first, and since when they were silent.
    pairs: HashMap<(NodeId, NodeId), Instant>,
    last_seat: u64,
    waiting_bytes: usize,
    packets: u64,
    dropped: u64,
}

/// A node's stream. A later one of the same node takes its place.
struct Seat {
    number: u64,
    queue: mpsc::Sender<Packet>,
}

impl Switch {
    /// Carries what a node sends and what is for it, until its stream ends.
    pub async fn serve(&self, node: NodeId, send: impl AsyncWrite + Unpin, receive: impl AsyncRead + Unpin) {
        let Some((number, queue)) = self.enter(node) else {
            tracing::warn!(%node, max = RELAY_NODES_MAX, "a node is not served: there are as many as a relay may have");
            return;
        };
        let ended = tokio::select! {
            ended = self.take(node, receive) => ended,
            ended = self.give(queue, send) => ended,
        };
        self.leave(node, number);
        if let Err(error) = ended {
            tracing::debug!(%node, %error, "a relayed node is gone");
        }
    }

    /// What it has carried until now.
    pub fn stats(&self) -> RelayStats {
        let mut state = self.0.lock();
        state.prune(Instant::now());
        let State { seats, pairs, waiting_bytes, packets, dropped, .. } = &*state;
        let (nodes, pairs) = (seats.len(), pairs.len());
        RelayStats { nodes, pairs, waiting_bytes: *waiting_bytes, packets: *packets, dropped: *dropped }
    }

    fn enter(&self, node: NodeId) -> Option<(u64, Queue)> {
        let mut state = self.0.lock();
        if state.seats.len() >= RELAY_NODES_MAX && !state.seats.contains_key(&node) {
            return None;
        }
        state.last_seat += 1;
        let number = state.last_seat;
        let (queue, packets) = mpsc::channel(RELAYED_WAITING_MAX);
        state.seats.insert(node, Seat { number, queue });
        Some((number, Queue { switch: self.clone(), packets }))
    }

    fn leave(&self, node: NodeId, number: u64) {
        let mut state = self.0.lock();
        if state.seats.get(&node).is_some_and(|seat| seat.number == number) {
            state.seats.remove(&node);
        }
    }

    async fn take(&self, from: NodeId, receive: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut receive = BufReader::new(receive);
        while let Some(packet) = Packet::read(&mut receive).await? {
            self.0.lock().pass_on(from, packet, Instant::now());
        }
        Ok(())
    }

    async fn give(&self, mut queue: Queue, mut send: impl AsyncWrite + Unpin) -> io::Result<()> {
        let (mut batch, mut buffer) = (Vec::with_capacity(AT_ONCE), Vec::new());
        while queue.packets.recv_many(&mut batch, AT_ONCE).await > 0 {
            buffer.clear();
            batch.drain(..).for_each(|packet| packet.put(&mut buffer));
            self.0.lock().waiting_bytes -= buffer.len();
            send.write_all(&buffer).await?;
        }
        Ok(())
    }
}

/// What waits for a node. What is left of it when the node goes is dropped with it.
struct Queue {
    switch: Switch,
    packets: mpsc::Receiver<Packet>,
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut state = self.switch.0.lock();
        self.packets.close();
        while let Ok(packet) = self.packets.try_recv() {
            state.waiting_bytes -= packet.size();
            state.dropped += 1;
        }
    }
}

impl State {
    /// Hands a packet on to the node that it is for, as one from the node that it came from.
    fn pass_on(&mut self, from: NodeId, packet: Packet, now: Instant) {
        let to = packet.other;
        let packet = Packet { other: from, bytes: packet.bytes };
        let size = packet.size();
        let fits = self.waiting_bytes + size <= RELAY_BYTES_MAX && self.seats.contains_key(&to);
        let taken = fits && self.is_a_pair(from, to, now) && self.seats[&to].queue.try_send(packet).is_ok();
        if taken {
            self.waiting_bytes += size;
            self.packets += 1;
        } else {
            self.dropped += 1;
        }
    }

    /// Whether the two may talk: they do already, or there is room for one more pair.
    fn is_a_pair(&mut self, a: NodeId, b: NodeId, now: Instant) -> bool {
        let pair = (a.min(b), a.max(b));
        if a == b {
            return false;
        }
        if !self.pairs.contains_key(&pair) && self.pairs.len() >= RELAY_PAIRS_MAX {
            self.prune(now);
            if self.pairs.len() >= RELAY_PAIRS_MAX {
                return false;
            }
        }
        self.pairs.insert(pair, now);
        true
    }

    fn prune(&mut self, now: Instant) {
        self.pairs.retain(|_, heard| now.saturating_duration_since(*heard) < RELAY_PAIR_IDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn node(n: u16) -> NodeId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        NodeId(id)
    }

    fn pass(switch: &Switch, from: u16, to: u16, bytes: &[u8]) {
        let packet = Packet { other: node(to), bytes: bytes.to_vec() };
        switch.0.lock().pass_on(node(from), packet, Instant::now());
    }

    #[test]
    fn a_packet_goes_to_whom_it_is_for_as_one_of_its_sender_and_to_nobody_else() {
        let switch = Switch::default();
        let (_, mut one) = switch.enter(node(1)).unwrap();
        let (_, mut two) = switch.enter(node(2)).unwrap();
        pass(&switch, 1, 2, b"hello");
        assert_eq!(two.packets.try_recv().ok(), Some(Packet { other: node(1), bytes: b"hello".to_vec() }));
        assert!(one.packets.try_recv().is_err());
        pass(&switch, 1, 3, b"nobody");
        pass(&switch, 1, 1, b"myself");
        let stats = switch.stats();
        assert_eq!((stats.nodes, stats.pairs, stats.packets, stats.dropped), (2, 1, 1, 2));
    }

    #[test]
    fn what_a_node_does_not_fetch_is_dropped_and_what_waited_is_given_back_with_it() {
        let switch = Switch::default();
        let (number, queue) = switch.enter(node(2)).unwrap();
        for _ in 0..=RELAYED_WAITING_MAX {
            pass(&switch, 1, 2, &[0; 100]);
        }
        let stats = switch.stats();
        assert_eq!((stats.packets, stats.dropped), (RELAYED_WAITING_MAX as u64, 1));
        assert_eq!(stats.waiting_bytes, RELAYED_WAITING_MAX * 118);
        drop(queue);
        switch.leave(node(2), number);
        let stats = switch.stats();
        assert_eq!((stats.nodes, stats.waiting_bytes, stats.dropped), (0, 0, RELAYED_WAITING_MAX as u64 + 1));
    }

    #[test]
    fn a_later_stream_of_a_node_takes_the_place_of_the_one_before() {
        let switch = Switch::default();
        let (earlier, mut old) = switch.enter(node(2)).unwrap();
        let (_, mut new) = switch.enter(node(2)).unwrap();
        pass(&switch, 1, 2, b"x");
        assert!(old.packets.try_recv().is_err() && new.packets.try_recv().is_ok());
        drop(old);
        switch.leave(node(2), earlier);
        pass(&switch, 1, 2, b"y");
        assert!(new.packets.try_recv().is_ok(), "the end of the old stream does not end the new one");
    }

    #[test]
    fn pairs_are_bounded_and_one_that_is_silent_makes_room() {
        let switch = Switch::default();
        let mut state = switch.0.lock();
        let now = Instant::now();
        for n in 1..=RELAY_PAIRS_MAX as u16 {
            assert!(state.is_a_pair(node(0), node(n), now));
        }
        let another = node(RELAY_PAIRS_MAX as u16 + 1);
        assert!(!state.is_a_pair(node(0), another, now));
        assert!(state.is_a_pair(node(7), node(0), now), "those that talk go on");
        assert!(state.is_a_pair(node(0), another, now + RELAY_PAIR_IDLE + Duration::from_secs(1)));
    }
}
