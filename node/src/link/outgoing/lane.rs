//! One lane, sending side.

use super::super::frame::{HEADER_BYTES, JOINT_BYTES, JOINT_HEADER, PART_HEAD_BYTES, header, shared_bytes};
use super::super::limits::{FRAME_OVERHEAD_BYTES, PART_BYTES};
use super::blocks::{Blocks, Place, SHORT_BYTES_MAX};
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
    /// Its bytes are among those of the lane.
    Short(Place),
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
            Self::Short(place) => cost(place.len()),
            Self::Whole(frame) => cost(frame.len()),
            Self::Joint(long) => cost(long.bytes.len()),
            // The long frame is counted once, until its joint is settled.
            Self::Part { .. } => 0,
        }
    }

    /// The one of a frame of which the peer has the first bytes.
    fn head(&self, shared: usize) -> Head {
        let mut head = [0; HEADER_BYTES + PART_HEAD_BYTES];
        let (first, rest) = head.split_at_mut(HEADER_BYTES);
        let (header, rest_bytes) = match self {
            Self::Short(place) => (header(shared, place.len() - shared), 0),
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

    /// The bytes of a frame, which may be those of one before or after it. The blocks are those of its lane.
    fn bytes<'a>(&'a self, blocks: &'a Option<Box<Blocks>>) -> &'a [u8] {
        match self {
            Self::Short(place) => bytes_at(blocks, *place),
            Self::Whole(frame) => frame,
            Self::Part { .. } | Self::Joint(_) => &[],
        }
    }
}

/// The bytes of a short frame of the lane whose blocks these are.
fn bytes_at(blocks: &Option<Box<Blocks>>, place: Place) -> &[u8] {
    blocks.as_ref().map_or(&[], |blocks| blocks.get(place))
}

/// What a frame costs whoever holds it.
pub(super) fn cost(frame_bytes: usize) -> usize {
    frame_bytes + FRAME_OVERHEAD_BYTES
}

/// Frames are numbered from 1.
#[derive(Default)]
pub(super) struct Lane {
    /// The first has number `acknowledged + 1`.
    pub(super) frames: VecDeque<Held>,
    /// Of an actor lane that has held short frames: a leader has thousands of sessions without any.
    blocks: Option<Box<Blocks>>,
    pub(super) acknowledged: u64,
    /// How many of `frames` were given to the current connection whole.
    taken: usize,
    /// Where the bytes of the next go on, once its head was given.
    next_from: Option<usize>,
}

impl Lane {
    /// Takes a frame of an actor that goes whole.
    pub(super) fn push(&mut self, frame: Vec<u8>) {
        let is_short = frame.len() <= SHORT_BYTES_MAX;
        self.frames.push_back(match is_short {
            true => Held::Short(self.blocks.get_or_insert_default().add(&frame)),
            false => Held::Whole(frame),
        });
    }

    /// Gives the frames that are held, and holds none.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        let Self { frames, blocks, .. } = self;
        let given = frames.drain(..).filter_map(|held| match held {
            Held::Short(place) => Some(bytes_at(blocks, place).to_vec()),
            Held::Whole(frame) => Some(frame),
            Held::Joint(long) => Arc::into_inner(long).map(|long| long.bytes.into()),
            Held::Part { .. } => None,
        });
        let given = given.collect();
        *blocks = None;
        given
    }

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
                let shared = shared_bytes(self.before(), held.bytes(&self.blocks), shared_max);
                let (head, head_bytes) = held.head(shared);
                buffer.extend_from_slice(&head[..head_bytes]);
                shared
            });
            let rest = &held.bytes(&self.blocks)[from..];
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
        self.taken.checked_sub(1).and_then(|last| self.frames.get(last)).map_or(&[], |held| held.bytes(&self.blocks))
    }

    /// The peer has taken the first of those that are held.
    pub(super) fn settle_one(&mut self) -> Option<Held> {
        let held = self.frames.pop_front()?;
        match (self.frames.front(), &mut self.blocks) {
            (Some(Held::Short(next)), Some(blocks)) => blocks.free_before(*next),
            (None, blocks) => *blocks = None,
            // A later one may be short.
            _ => {}
        }
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
