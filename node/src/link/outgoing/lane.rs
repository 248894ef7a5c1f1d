//! One lane, sending side.

use super::super::frame::{HEADER_BYTES, JOINT_BYTES, JOINT_HEADER, PART_HEAD_BYTES, header, shared_bytes};
use super::super::limits::{FRAME_OVERHEAD_BYTES, PART_BYTES};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// A frame that goes in parts.
#[derive(Debug)]
pub(super) struct LongFrame {
    pub(super) id: u64,
    pub(super) bytes: Bytes,
}

impl LongFrame {
    /// Where the part is that begins there.
    fn part(&self, from: usize) -> Range<usize> {
        from..self.bytes.len().min(from + PART_BYTES)
    }
}

/// What has a number on a lane.
#[derive(Debug)]
pub(super) enum Held {
    Whole(Vec<u8>),
    /// What comes of a long frame from this byte on.
    Part {
        of: Arc<LongFrame>,
        from: usize,
    },
    /// Stands for a long frame whose parts have arrived, in its place among the others.
    Joint(Arc<LongFrame>),
}

/// What goes before the bytes themselves.
type Head = ([u8; HEADER_BYTES + PART_HEAD_BYTES], usize);

impl Held {
    /// What it costs those who hold it.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Whole(frame) => cost(frame),
            Self::Joint(long) => cost(&long.bytes),
            // The long frame is counted once, until its joint is settled.
            Self::Part { .. } => 0,
        }
    }

    /// The one of a frame of which the peer has the first bytes.
    fn head(&self, shared: usize) -> Head {
        let mut head = [0; HEADER_BYTES + PART_HEAD_BYTES];
        let (first, rest) = head.split_at_mut(HEADER_BYTES);
        let (header, rest_bytes) = match self {
            Self::Whole(frame) => (header(shared, frame.len() - shared), 0),
            Self::Part { of, from } => {
                rest[..JOINT_BYTES].copy_from_slice(&of.id.to_be_bytes());
                rest[JOINT_BYTES..].copy_from_slice(&(of.bytes.len() as u32).to_be_bytes());
                (header(0, PART_HEAD_BYTES + of.part(*from).len()), PART_HEAD_BYTES)
            }
            Self::Joint(long) => {
                rest[..JOINT_BYTES].copy_from_slice(&long.id.to_be_bytes());
                (JOINT_HEADER, JOINT_BYTES)
            }
        };
        first.copy_from_slice(&header);
        (head, HEADER_BYTES + rest_bytes)
    }

    /// The bytes of a frame, which may be those of one before or after it.
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(frame) => frame,
            Self::Part { .. } | Self::Joint(_) => &[],
        }
    }
}

/// What a frame costs whoever holds it.
pub(super) fn cost(frame: &[u8]) -> usize {
    frame.len() + FRAME_OVERHEAD_BYTES
}

/// Frames are numbered from 1.
#[derive(Default)]
pub(super) struct Lane {
    /// The first has number `acknowledged + 1`.
    pub(super) frames: VecDeque<Held>,
    pub(super) acknowledged: u64,
    /// How many of `frames` were given to the current connection whole.
    taken: usize,
    /// Where the bytes of the next go on, once its head was given.
    next_from: Option<usize>,
}

impl Lane {
    pub(super) fn last(&self) -> u64 {
        self.acknowledged + self.frames.len() as u64
    }

    /// The last that was given to the current connection whole.
    pub(super) fn sent(&self) -> u64 {
        self.acknowledged + self.taken as u64
    }

    /// How many were given to the current connection whole and are not acknowledged.
    pub(super) fn under_way(&self) -> usize {
        self.taken
    }

    /// Fills `buffer` up to `limit` with what comes next, where each frame shares up to `shared_max` bytes with the one before.
    /// Gives whether there was enough for that.
    pub(super) fn take(&mut self, buffer: &mut Vec<u8>, limit: usize, shared_max: usize) -> bool {
        while buffer.len() < limit {
            let Some(held) = self.frames.get(self.taken) else { return false };
            let from = self.next_from.unwrap_or_else(|| {
                let shared = shared_bytes(self.before(), held.bytes(), shared_max);
                let (head, head_bytes) = held.head(shared);
                buffer.extend_from_slice(&head[..head_bytes]);
                shared
            });
            let rest = &held.bytes()[from..];
            let taken = rest.len().min(limit.saturating_sub(buffer.len()));
            buffer.extend_from_slice(&rest[..taken]);
            if taken == rest.len() {
                self.taken += 1;
                self.next_from = None;
            } else {
                self.next_from = Some(from + taken);
            }
        }
        true
    }

    /// Fills `head` with what goes before the next part of a long frame, and gives the part.
    pub(super) fn take_part(&mut self, head: &mut Vec<u8>) -> Option<Bytes> {
        let held = self.frames.get(self.taken)?;
        let Held::Part { of, from } = held else { return None };
        let (bytes, count) = held.head(0);
        head.extend_from_slice(&bytes[..count]);
        self.taken += 1;
        Some(of.bytes.slice(of.part(*from)))
    }

    /// What the next frame may share: the last that the current connection was given, for as long as it is held anyway.
    fn before(&self) -> &[u8] {
        self.taken.checked_sub(1).and_then(|last| self.frames.get(last)).map_or(&[], Held::bytes)
    }

    /// The peer has taken the first of those that are held.
    pub(super) fn settle_one(&mut self) -> Option<Held> {
        let held = self.frames.pop_front()?;
        self.acknowledged += 1;
        self.taken = self.taken.saturating_sub(1);
        Some(held)
    }

    /// All that is held is to be given again.
    pub(super) fn rewind(&mut self) {
        self.taken = 0;
        self.next_from = None;
    }
}
