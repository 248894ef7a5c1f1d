//! What a session still has to deliver: frames by lane, from the first that is not acknowledged.
//!
//! A long frame does not go on the lane of its key, where others would wait for it. Its parts go on a lane of their own,
//! in turns with those of other long frames, and what has the same key waits. When the peer has all parts, a joint takes
//! the frame's place on the lane of its key, and what waited follows.
//!
//! Pure bookkeeping under one short lock; it never waits and never calls anybody.

mod lane;
#[cfg(test)]
mod tests;

use super::frame::shared_bytes_max;
use super::limits::{
    HELD_BYTES_MAX, HIGH_MARK_BYTES, LANES, LONG_BYTES_MAX, LOW_MARK_BYTES, PART_BYTES, PARTS_LANE, WHOLE_BYTES_MAX,
};
use bytes::Bytes;
use lane::{Held, Lane, LongFrame, cost};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// Why a frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Over,
}

/// A long frame whose parts are on their way.
struct Long {
    frame: Arc<LongFrame>,
    lane: usize,
    key: u64,
    /// How many of its bytes are in parts that have a number.
    given: usize,
    /// The number of the last part, once it has one.
    last: Option<u64>,
    /// Later frames of the same key.
    after: VecDeque<Vec<u8>>,
}

/// What is counted apart.
#[derive(Clone, Copy)]
enum Kind {
    Control,
    Actor,
    Long,
}

/// What senders are counted and put aside by.
#[derive(Default)]
struct Mark {
    bytes: usize,
    /// The number that senders were put aside with, until the low mark is reached.
    ticket: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Outgoing {
    lanes: [Lane; LANES],
    /// The first that has bytes to give is the next to give a part.
    long: VecDeque<Long>,
    long_frames: u64,
    /// Whether an actor frame that is not long came since the writer looked.
    pub(crate) came_shorter: bool,
    marks: [Mark; 3],
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
    /// Takes a frame; those with the same key arrive in order. The ticket is for the sender to be put aside with;
    /// `new_ticket` is used when there is none yet.
    pub(crate) fn push(
        &mut self,
        lane: usize,
        key: u64,
        frame: Vec<u8>,
        new_ticket: impl FnOnce() -> u64,
    ) -> Result<Option<u64>, (NotTaken, Vec<u8>)> {
        if self.over {
            return Err((NotTaken::Over, frame));
        }
        let before = if lane == 0 { None } else { self.long.iter().position(|long| long.key == key) };
        let (kind, max) = match before {
            _ if lane == 0 => (Kind::Control, HELD_BYTES_MAX),
            None if frame.len() <= WHOLE_BYTES_MAX => (Kind::Actor, HELD_BYTES_MAX),
            _ => (Kind::Long, LONG_BYTES_MAX),
        };
        let mark = &mut self.marks[kind as usize];
        if mark.bytes + cost(&frame) > max {
            return Err((NotTaken::Full, frame));
        }
        mark.bytes += cost(&frame);
        let ticket = match kind {
            Kind::Actor | Kind::Long if mark.bytes > HIGH_MARK_BYTES => {
                Some(*mark.ticket.get_or_insert_with(new_ticket))
            }
            _ => None,
        };
        match (kind, before) {
            (Kind::Long, Some(before)) => self.long[before].after.push_back(frame),
            (Kind::Long, None) => self.begin_long(lane, key, frame, VecDeque::new()),
            (Kind::Actor, _) => {
                self.came_shorter = true;
                self.lanes[lane].frames.push_back(Held::Whole(frame));
            }
            (Kind::Control, _) => self.lanes[lane].frames.push_back(Held::Whole(frame)),
        }
        Ok(ticket)
    }

    fn begin_long(&mut self, lane: usize, key: u64, bytes: Vec<u8>, after: VecDeque<Vec<u8>>) {
        self.long_frames += 1;
        let frame = Arc::new(LongFrame { id: self.long_frames, bytes: bytes.into() });
        self.long.push_back(Long { frame, lane, key, given: 0, last: None, after });
    }

    /// Fills `buffer` with what comes next on a lane, which is not that of parts.
    pub(crate) fn take(&mut self, lane: usize, buffer: &mut Vec<u8>, limit: usize) {
        self.lanes[lane].take(buffer, limit, shared_bytes_max(lane));
    }

    /// Fills `head` with what goes before the next part of a long frame, and gives the part: these are too many bytes to be
    /// copied while others wait for the lock.
    pub(crate) fn take_part(&mut self, head: &mut Vec<u8>) -> Option<Bytes> {
        let part = self.lanes[PARTS_LANE].take_part(head);
        if part.is_some() || !self.number_part() {
            return part;
        }
        self.lanes[PARTS_LANE].take_part(head)
    }

    /// Parts of long frames that were given to the current connection and are not acknowledged.
    pub(crate) fn parts_under_way(&self) -> usize {
        self.lanes[PARTS_LANE].under_way()
    }

    /// Gives the next part of a long frame its number. Says whether there was one.
    fn number_part(&mut self) -> bool {
        let next = self.long.iter().position(|long| long.last.is_none());
        let Some(mut long) = next.and_then(|next| self.long.remove(next)) else { return false };
        let parts = &mut self.lanes[PARTS_LANE];
        parts.frames.push_back(Held::Part { of: long.frame.clone(), from: long.given });
        long.given += PART_BYTES;
        if long.given >= long.frame.bytes.len() {
            long.last = Some(parts.last());
        }
        self.long.push_back(long);
        true
    }

    /// The number of the next frame that [`Outgoing::take`] gives whole.
    pub(crate) fn next_number(&self, lane: usize) -> u64 {
        self.lanes[lane].sent() + 1
    }

    /// The last frame of a lane that the peer has acknowledged.
    pub(crate) fn acknowledged(&self, lane: usize) -> u64 {
        self.lanes[lane].acknowledged
    }

    /// The peer has taken every frame of the lane up to `number`. Gives the tickets that are over by this.
    pub(crate) fn acknowledge(&mut self, lane: usize, number: u64) -> Result<Vec<u64>, String> {
        let sent = self.lanes.get(lane).ok_or_else(|| format!("an acknowledgement of lane {lane}"))?.sent();
        if number > sent {
            return Err(format!("an acknowledgement of frame {number} of lane {lane}, sent were {sent}"));
        }
        self.settle(lane, number);
        Ok(self.over_tickets())
    }

    /// Starts over on a new connection with a peer that has taken this much: the rest is given again.
    pub(crate) fn resume(&mut self, received: &[u64; LANES]) -> Result<Vec<u64>, String> {
        if let Some((lane, number)) = (0..LANES).map(|l| (l, received[l])).find(|(l, n)| *n > self.lanes[*l].last()) {
            return Err(format!("the peer has frame {number} of lane {lane}, there are {}", self.lanes[lane].last()));
        }
        (0..LANES).for_each(|lane| self.settle(lane, received[lane]));
        self.rewind();
        self.attached = true;
        Ok(self.over_tickets())
    }

    fn settle(&mut self, lane: usize, number: u64) {
        while self.lanes[lane].acknowledged < number {
            let Some(held) = self.lanes[lane].settle_one() else { break };
            let kind = match held {
                _ if lane == 0 => Kind::Control,
                Held::Whole(_) => Kind::Actor,
                Held::Part { .. } | Held::Joint(_) => Kind::Long,
            };
            self.marks[kind as usize].bytes -= held.cost();
        }
        if lane == PARTS_LANE {
            self.join(number);
            if !self.long.is_empty() {
                // Parts may have waited for this.
                self.wake();
            }
        }
    }

    /// Long frames whose parts the peer has take their places.
    fn join(&mut self, parts: u64) {
        while let Some(done) = self.long.iter().position(|long| long.last.is_some_and(|last| last <= parts)) {
            let Some(Long { frame, lane, key, mut after, .. }) = self.long.remove(done) else { return };
            self.lanes[lane].frames.push_back(Held::Joint(frame));
            while let Some(frame) = after.pop_front() {
                if frame.len() > WHOLE_BYTES_MAX {
                    self.begin_long(lane, key, frame, std::mem::take(&mut after));
                } else {
                    self.marks[Kind::Long as usize].bytes -= cost(&frame);
                    self.marks[Kind::Actor as usize].bytes += cost(&frame);
                    self.lanes[lane].frames.push_back(Held::Whole(frame));
                }
            }
            self.wake();
        }
    }

    fn over_tickets(&mut self) -> Vec<u64> {
        let low = self.marks.iter_mut().filter(|mark| mark.bytes <= LOW_MARK_BYTES);
        low.filter_map(|mark| mark.ticket.take()).collect()
    }

    fn rewind(&mut self) {
        self.lanes.iter_mut().for_each(Lane::rewind);
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
        !self.long.is_empty() || self.lanes.iter().any(|lane| !lane.frames.is_empty())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.marks.iter().map(|mark| mark.bytes).sum()
    }

    /// Ends it: gives the actor frames that were never acknowledged, and the tickets that are over.
    pub(crate) fn end(&mut self) -> (Vec<Vec<u8>>, Vec<u64>) {
        self.over = true;
        self.attached = false;
        let mut undelivered = Vec::new();
        self.lanes[0].frames.clear();
        self.lanes[PARTS_LANE].frames.clear();
        for held in self.lanes.iter_mut().flat_map(|lane| lane.frames.drain(..)) {
            match held {
                Held::Whole(frame) => undelivered.push(frame),
                Held::Joint(long) => undelivered.extend(Arc::into_inner(long).map(|long| long.bytes.into())),
                Held::Part { .. } => {}
            }
        }
        for long in self.long.drain(..) {
            undelivered.extend(Arc::into_inner(long.frame).map(|long| long.bytes.into()));
            undelivered.extend(long.after);
        }
        self.rewind();
        (undelivered, self.marks.iter_mut().filter_map(|mark| mark.ticket.take()).collect())
    }
}
