//! What a session still has to deliver: frames by lane, from the first that is not acknowledged.
//!
//! Pure bookkeeping under one short lock; it never waits and never calls anybody.

use super::frame::HEADER_BYTES;
use super::limits::{FRAME_OVERHEAD_BYTES, HELD_BYTES_MAX, HIGH_MARK_BYTES, LANES, LOW_MARK_BYTES};
use std::collections::VecDeque;
use std::task::Waker;

/// One lane, sending side. Frames are numbered from 1.
#[derive(Default)]
struct Lane {
    /// Held frames; the first has number `acknowledged + 1`.
    frames: VecDeque<Vec<u8>>,
    acknowledged: u64,
    /// How many of `frames` were given to the current connection whole.
    taken: usize,
    /// How many bytes, with its header, of the next were.
    taken_bytes: usize,
}

impl Lane {
    fn last(&self) -> u64 {
        self.acknowledged + self.frames.len() as u64
    }

    /// Fills `buffer` up to `limit` with what comes next.
    fn take(&mut self, buffer: &mut Vec<u8>, limit: usize) {
        while buffer.len() < limit {
            let Some(frame) = self.frames.get(self.taken) else { return };
            if self.taken_bytes == 0 {
                buffer.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                self.taken_bytes = HEADER_BYTES;
            }
            let rest = &frame[self.taken_bytes - HEADER_BYTES..];
            let taken = rest.len().min(limit.saturating_sub(buffer.len()));
            buffer.extend_from_slice(&rest[..taken]);
            if taken == rest.len() {
                self.taken += 1;
                self.taken_bytes = 0;
            } else {
                self.taken_bytes += taken;
            }
        }
    }
}

/// Why a frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Over,
}

#[derive(Default)]
pub(crate) struct Outgoing {
    lanes: [Lane; LANES],
    control_bytes: usize,
    actor_bytes: usize,
    /// The number that senders were put aside with, until the low mark is reached.
    ticket: Option<u64>,
    over: bool,
    /// Wakes the writer, when it sleeps.
    pub(crate) writer: Option<Waker>,
    /// The connection in use; it counts up, and a writer of an earlier one gets nothing more.
    pub(crate) generation: u64,
    /// Whether a connection is there to write into.
    pub(crate) attached: bool,
    pub(crate) acks: Acks,
}

/// What was received and is not yet acknowledged to the peer.
#[derive(Default)]
pub(crate) struct Acks {
    pub(crate) received: [u64; LANES],
    pub(crate) told: [u64; LANES],
    pub(crate) bytes: usize,
}

impl Acks {
    pub(crate) fn is_due(&self) -> bool {
        self.received != self.told
    }
}

impl Outgoing {
    /// Takes a frame. The ticket is for the sender to be put aside with; `new_ticket` is used when there is none yet.
    pub(crate) fn push(
        &mut self,
        lane: usize,
        frame: Vec<u8>,
        new_ticket: impl FnOnce() -> u64,
    ) -> Result<Option<u64>, (NotTaken, Vec<u8>)> {
        if self.over {
            return Err((NotTaken::Over, frame));
        }
        let held = if lane == 0 { &mut self.control_bytes } else { &mut self.actor_bytes };
        let cost = frame.len() + FRAME_OVERHEAD_BYTES;
        if *held + cost > HELD_BYTES_MAX {
            return Err((NotTaken::Full, frame));
        }
        *held += cost;
        self.lanes[lane].frames.push_back(frame);
        if lane == 0 || self.actor_bytes <= HIGH_MARK_BYTES {
            return Ok(None);
        }
        Ok(Some(*self.ticket.get_or_insert_with(new_ticket)))
    }

    /// Fills `buffer` with what comes next on a lane.
    pub(crate) fn take(&mut self, lane: usize, buffer: &mut Vec<u8>, limit: usize) {
        self.lanes[lane].take(buffer, limit);
    }

    /// The number of the next frame that [`Outgoing::take`] gives whole.
    pub(crate) fn next_number(&self, lane: usize) -> u64 {
        let lane = &self.lanes[lane];
        lane.acknowledged + lane.taken as u64 + 1
    }

    /// The last frame of a lane that the peer has acknowledged.
    pub(crate) fn acknowledged(&self, lane: usize) -> u64 {
        self.lanes[lane].acknowledged
    }

    /// The peer has taken every frame of the lane up to `number`. Gives a ticket that is over by this.
    pub(crate) fn acknowledge(&mut self, lane: usize, number: u64) -> Result<Option<u64>, String> {
        let state = self.lanes.get(lane).ok_or_else(|| format!("an acknowledgement of lane {lane}"))?;
        let sent = state.acknowledged + state.taken as u64;
        if number > sent {
            return Err(format!("an acknowledgement of frame {number} of lane {lane}, sent were {sent}"));
        }
        Ok(self.settle(lane, number))
    }

    /// Starts over on a new connection with a peer that has taken this much: the rest is given again.
    pub(crate) fn resume(&mut self, received: &[u64; LANES]) -> Result<Option<u64>, String> {
        if let Some((lane, number)) = (0..LANES).map(|l| (l, received[l])).find(|(l, n)| *n > self.lanes[*l].last()) {
            return Err(format!("the peer has frame {number} of lane {lane}, there are {}", self.lanes[lane].last()));
        }
        let ticket = (0..LANES).fold(None, |ticket, lane| self.settle(lane, received[lane]).or(ticket));
        self.rewind();
        self.attached = true;
        Ok(ticket)
    }

    fn settle(&mut self, lane: usize, number: u64) -> Option<u64> {
        let held = if lane == 0 { &mut self.control_bytes } else { &mut self.actor_bytes };
        let state = &mut self.lanes[lane];
        while state.acknowledged < number {
            let Some(frame) = state.frames.pop_front() else { break };
            *held -= frame.len() + FRAME_OVERHEAD_BYTES;
            state.acknowledged += 1;
            state.taken = state.taken.saturating_sub(1);
        }
        if self.actor_bytes <= LOW_MARK_BYTES { self.ticket.take() } else { None }
    }

    fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.taken = 0;
            lane.taken_bytes = 0;
        }
        self.generation += 1;
        self.acks.told = self.acks.received;
        self.acks.bytes = 0;
        self.wake();
    }

    /// Lets the writer look.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    /// Whether anything is not acknowledged.
    pub(crate) fn has_undelivered(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.frames.is_empty())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.control_bytes + self.actor_bytes
    }

    /// Ends it: gives the actor frames that were never acknowledged, and the ticket that is over.
    pub(crate) fn end(&mut self) -> (Vec<Vec<u8>>, Option<u64>) {
        self.over = true;
        self.attached = false;
        let undelivered = self.lanes.iter_mut().skip(1).flat_map(|lane| lane.frames.drain(..)).collect();
        self.lanes[0].frames.clear();
        self.rewind();
        (undelivered, self.ticket.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(out: &mut Outgoing, lane: usize, frame: &[u8]) -> Option<u64> {
        out.push(lane, frame.to_vec(), || 7).unwrap_or_else(|(why, _)| panic!("{why:?}"))
    }

    #[test]
    fn frames_are_given_again_from_the_first_that_the_peer_has_not() {
        let mut out = Outgoing::default();
        for frame in [b"one", b"two", b"six"] {
            push(&mut out, 1, frame);
        }
        let mut buffer = Vec::new();
        out.take(1, &mut buffer, usize::MAX);
        assert_eq!(buffer, b"\0\0\0\x03one\0\0\0\x03two\0\0\0\x03six");
        let mut received = [0; LANES];
        received[1] = 1;
        assert_eq!(out.resume(&received), Ok(None));
        assert_eq!(out.next_number(1), 2);
        buffer.clear();
        out.take(1, &mut buffer, usize::MAX);
        assert_eq!(buffer, b"\0\0\0\x03two\0\0\0\x03six");
        received[1] = 4;
        assert!(out.resume(&received).is_err());
    }

    #[test]
    fn a_frame_longer_than_a_batch_is_given_in_parts() {
        let mut out = Outgoing::default();
        push(&mut out, 2, b"abcdefgh");
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut buffer = Vec::new();
            out.take(2, &mut buffer, 5);
            all.extend(buffer);
        }
        assert_eq!(all, b"\0\0\0\x08abcdefgh");
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_a_violation() {
        let mut out = Outgoing::default();
        push(&mut out, 1, b"x");
        assert!(out.acknowledge(1, 1).is_err());
        assert!(out.acknowledge(LANES, 0).is_err());
    }

    #[test]
    fn senders_are_put_aside_at_the_high_mark_and_go_on_at_the_low_mark() {
        let mut out = Outgoing::default();
        let frame = vec![0; 1024 * 1024];
        let tickets: Vec<_> = (0..9).map(|_| push(&mut out, 1, &frame)).collect();
        assert_eq!(tickets[..7], [None; 7]);
        assert_eq!(tickets[8], Some(7));
        out.take(1, &mut Vec::new(), usize::MAX);
        assert_eq!(out.acknowledge(1, 5), Ok(None));
        assert_eq!(out.acknowledge(1, 6), Ok(Some(7)));
        assert_eq!(out.acknowledge(1, 9), Ok(None));
    }

    #[test]
    fn what_is_beyond_the_limit_comes_back() {
        let mut out = Outgoing::default();
        let frame = vec![0; 16 * 1024 * 1024];
        for _ in 0..5 {
            push(&mut out, 1, &frame);
        }
        let refused = out.push(1, frame, || 7).expect_err("six times 16 MiB and their overhead are too much");
        assert_eq!((refused.0, refused.1.len()), (NotTaken::Full, 16 * 1024 * 1024));
        push(&mut out, 0, b"control has its own limit");
    }

    #[test]
    fn the_end_gives_back_the_actor_frames_that_were_not_acknowledged() {
        let mut out = Outgoing::default();
        push(&mut out, 0, b"control");
        push(&mut out, 1, b"a");
        push(&mut out, 1, b"b");
        push(&mut out, 3, b"c");
        out.take(1, &mut Vec::new(), usize::MAX);
        assert_eq!(out.acknowledge(1, 1), Ok(None));
        assert_eq!(out.end(), (vec![b"b".to_vec(), b"c".to_vec()], None));
        assert_eq!(out.push(1, vec![], || 7), Err((NotTaken::Over, vec![])));
    }
}
