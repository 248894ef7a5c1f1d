//! One task writes everything of a connection: whatever is ready on every lane, in batches, and acknowledgements.
//!
//! A lane whose stream is full waits alone. Nothing waits for a batch to fill.

use super::limits::{
    ACK_BYTES, ACK_DELAY, BATCH_BYTES, BESIDE_TIME, LANES, PART_BYTES, PARTS_BESIDE_BYTES_A_SECOND, PARTS_BESIDE_MIN,
    PARTS_LANE,
};
use super::session::Session;
use bytes::Bytes;
use quinn::{Connection, SendStream};
use std::future::Future;
use std::pin::{Pin, pin};
use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Bytes of one acknowledgement: a lane and the number of its last frame.
pub(crate) const ACK_RECORD_BYTES: usize = 9;
/// Bytes of buffer that a lane without work may keep.
const IDLE_BUFFER_BYTES: usize = 2048;
/// A buffer with at least so many is given to QUIC as it is, and not copied.
const GIVEN_AWAY_BYTES_MIN: usize = 16 * 1024;
/// Control and acknowledgements go before what actors send, and parts of long frames after it.
const CONTROL_PRIORITY: i32 = 1;
const PARTS_PRIORITY: i32 = -1;

pub(crate) struct Writer {
    session: Arc<Session>,
    generation: u64,
    connection: Connection,
    acks: Channel,
    lanes: [Channel; LANES],
    ack_timer: Option<Pin<Box<Sleep>>>,
    /// When the last acknowledgement was written.
    acked: Option<Instant>,
    /// When an actor frame that is not long went last.
    shorter: Option<Instant>,
}

/// A stream and what is still to be written into it.
#[derive(Default)]
struct Channel {
    stream: Option<SendStream>,
    buffer: Vec<u8>,
    written: usize,
    /// What follows the buffer: bytes of a long frame, which QUIC shares with those who hold it, or a full buffer.
    part: Bytes,
}

impl Channel {
    fn is_empty(&self) -> bool {
        self.written == self.buffer.len() && self.part.is_empty()
    }

    fn reset(&mut self) {
        self.buffer.clear();
        self.written = 0;
    }

    /// There is nothing to write: an idle connection of ten thousand keeps no large buffer.
    fn rest(&mut self) {
        if self.buffer.capacity() > IDLE_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
    }

    /// Writes what the stream takes. Gives whether the buffer was emptied by it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, String> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        if self.written == self.buffer.len() && self.part.is_empty() {
            return Ok(false);
        }
        while self.written < self.buffer.len() {
            match Pin::new(&mut *stream).poll_write(cx, &self.buffer[self.written..]) {
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(e)) => return Err(e.to_string()),
                Poll::Pending => return Ok(false),
            }
        }
        while !self.part.is_empty() {
            match pin!(stream.write_chunks(slice::from_mut(&mut self.part))).poll(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => return Err(e.to_string()),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Writer {
    pub(crate) fn new(session: Arc<Session>, generation: u64, connection: Connection, greeting: SendStream) -> Self {
        let acks = Channel { stream: Some(greeting), ..Channel::default() };
        let lanes = Default::default();
        Self { session, generation, connection, acks, lanes, ack_timer: None, acked: None, shorter: None }
    }

    /// Writes until the connection fails or another one takes over; gives the reason.
    pub(crate) async fn run(mut self) -> String {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        loop {
            let progress = self.fill(cx).and_then(|filled| Ok(self.write(cx)? || filled));
            match progress {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(reason) => return Poll::Ready(reason),
            }
        }
    }

    /// Takes what is ready into every empty buffer, under one lock. Gives whether there was anything.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, String> {
        let timer_over = self.ack_timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        let session = self.session.clone();
        // Not under the lock: QUIC is asked for the round trip.
        let parts_max = self.parts_max();
        let mut outgoing = session.outgoing.lock();
        if outgoing.generation != self.generation {
            return Err("another connection carries the session".into());
        }
        if std::mem::take(&mut outgoing.came_shorter) {
            self.shorter = Some(Instant::now());
        }
        let mut filled = false;
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            if !lane.is_empty() {
                continue;
            }
            lane.reset();
            if number == PARTS_LANE && outgoing.parts_under_way() >= parts_max {
                continue;
            }
            let first = outgoing.next_number(number);
            if number == PARTS_LANE {
                lane.part = outgoing.take_part(&mut lane.buffer).unwrap_or_default();
            } else {
                outgoing.take(number, &mut lane.buffer, BATCH_BYTES);
            }
            if lane.stream.is_none() && !lane.buffer.is_empty() {
                lane.stream = Some(open(&self.connection, cx, number)?);
                let header = [&[number as u8][..], &first.to_be_bytes()].concat();
                lane.buffer.splice(..0, header);
            }
            if lane.buffer.is_empty() {
                lane.rest();
            }
            filled |= !lane.buffer.is_empty();
            if lane.buffer.len() >= GIVEN_AWAY_BYTES_MIN && lane.part.is_empty() {
                lane.part = std::mem::take(&mut lane.buffer).into();
            }
        }
        let acks = &mut outgoing.acks;
        if acks.is_due() && self.acks.is_empty() {
            // After a pause there is nothing to wait for. QUIC's own acknowledgement then goes with it, and a sign of
            // life, which a leader has thousands of a second, costs no timer.
            let after_a_pause = self.ack_timer.is_none() && self.acked.is_none_or(|at| at.elapsed() >= ACK_DELAY);
            if timer_over || after_a_pause || acks.bytes >= ACK_BYTES {
                self.acks.reset();
                for lane in (0..LANES).filter(|&lane| acks.received[lane] != acks.told[lane]) {
                    self.acks.buffer.push(lane as u8);
                    self.acks.buffer.extend_from_slice(&acks.received[lane].to_be_bytes());
                }
                acks.told = acks.received;
                acks.bytes = 0;
                self.ack_timer = None;
                self.acked = Some(Instant::now());
                filled = true;
            } else if self.ack_timer.is_none() {
                self.ack_timer = Some(Box::pin(tokio::time::sleep(ACK_DELAY)));
                filled = true; // once more, so that the timer is polled
            }
        }
        if !filled {
            outgoing.writer = Some(cx.waker().clone());
        }
        Ok(filled)
    }

    /// How many parts of long frames may be under way.
    fn parts_max(&mut self) -> usize {
        self.shorter = self.shorter.filter(|at| at.elapsed() < BESIDE_TIME);
        self.shorter.map_or(usize::MAX, |_| parts_beside(self.connection.rtt()))
    }

    /// Writes what the streams take. Gives whether any buffer was emptied by it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, String> {
        let mut emptied = self.acks.write(cx)?;
        for lane in &mut self.lanes {
            emptied |= lane.write(cx)?;
        }
        Ok(emptied)
    }
}

/// How many parts of long frames may be under way beside shorter ones.
fn parts_beside(round_trip: Duration) -> usize {
    let bytes = round_trip.as_micros() * PARTS_BESIDE_BYTES_A_SECOND / 1_000_000;
    usize::try_from(bytes / PART_BYTES as u128).unwrap_or(usize::MAX).max(PARTS_BESIDE_MIN)
}

/// Opens a stream. The peer allows one for each lane, so there is never anything to wait for.
fn open(connection: &Connection, cx: &mut Context<'_>, lane: usize) -> Result<SendStream, String> {
    match pin!(connection.open_uni()).poll(cx) {
        Poll::Ready(Ok(stream)) => {
            match lane {
                0 => stream.set_priority(CONTROL_PRIORITY),
                PARTS_LANE => stream.set_priority(PARTS_PRIORITY),
                _ => Ok(()),
            }
            .map_err(|e| e.to_string())?;
            Ok(stream)
        }
        Poll::Ready(Err(e)) => Err(e.to_string()),
        Poll::Pending => Err("the peer allows fewer streams than there are lanes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_parts_go_beside_shorter_frames_where_the_way_is_long() {
        assert_eq!(parts_beside(Duration::ZERO), PARTS_BESIDE_MIN);
        assert_eq!(parts_beside(Duration::from_micros(200)), PARTS_BESIDE_MIN);
        assert_eq!(parts_beside(Duration::from_millis(100)), 97);
    }
}
