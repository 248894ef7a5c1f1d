//! Frames of a lane: how many of their first bytes are those of the frame before, as one byte, a length of three bytes, big
//! endian, then that many bytes, the rest. What actors say to each other begins with who they are: of a frame with 64 bytes of a
//! message that is more than half.
//!
//! In place of a long frame, whose parts go on a lane of their own, there is a joint: four bytes that begin no frame, then
//! its number. What follows a joint shares nothing.

use super::limits::{CONTROL_FRAME_BYTES_MAX, LANES, PARTS_LANE, WHOLE_BYTES_MAX};
use std::borrow::Cow;
use std::ops::Range;

/// Bytes before a frame's own.
pub(crate) const HEADER_BYTES: usize = 4;
/// Bytes that a frame has in common with the one before it at most, as far as that is made use of.
pub(crate) const SHARED_BYTES_MAX: usize = 254;
/// What a joint begins with; the bytes that follow are eight.
pub(crate) const JOINT_HEADER: [u8; HEADER_BYTES] = [255, 0, 0, 8];
pub(crate) const JOINT_BYTES: usize = 8;
/// Bytes of a part before those of the long frame: its number, and how many bytes it has in all.
pub(crate) const PART_HEAD_BYTES: usize = JOINT_BYTES + 4;
/// A frame of at most so many bytes shares a block with those that come with it.
const SHORT_BYTES_MAX: usize = 4096;
/// What is set aside for a frame before its bytes are there.
const TRUSTED_BYTES: usize = 64 * 1024;

const _: () = assert!(CONTROL_FRAME_BYTES_MAX < 1 << 24 && WHOLE_BYTES_MAX < 1 << 24, "a length has three bytes");

/// The bytes before those of a frame that the peer has not yet: its first ones may be those of the frame before.
pub(crate) fn header(shared_bytes: usize, rest_bytes: usize) -> [u8; HEADER_BYTES] {
    debug_assert!(shared_bytes <= SHARED_BYTES_MAX && rest_bytes < 1 << 24, "{shared_bytes} and {rest_bytes} bytes");
    (((shared_bytes as u32) << 24) | rest_bytes as u32).to_be_bytes()
}

/// How many bytes frames of a lane share at most. Of what a lane shares, each side of a connection keeps a head; the control
/// lanes of a leader are too many for that, and parts of long frames have nothing in common.
pub(crate) fn shared_bytes_max(lane: usize) -> usize {
    if (1..PARTS_LANE).contains(&lane) { SHARED_BYTES_MAX } else { 0 }
}

/// How many first bytes two frames have in common, up to a maximum.
pub(crate) fn shared_bytes(before: &[u8], frame: &[u8], max: usize) -> usize {
    let max = max.min(before.len()).min(frame.len());
    let (before, frame) = (&before[..max], &frame[..max]);
    let words = before.as_chunks::<8>().0.iter().zip(frame.as_chunks::<8>().0).take_while(|(a, b)| a == b).count() * 8;
    words + before[words..].iter().zip(&frame[words..]).take_while(|(a, b)| a == b).count()
}

/// What a stream of a lane is made of.
#[derive(Debug)]
enum Unit {
    /// A frame, and where it is among the short ones.
    Short(Range<usize>),
    Own(Vec<u8>),
    /// The long frame of this number has its place here.
    Joint(u64),
}

/// Frames of a lane that came together, in their order.
#[derive(Debug, Default)]
pub struct Frames {
    /// All that are short, one behind the other.
    short: Vec<u8>,
    units: Vec<Unit>,
}

impl Frames {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// How many bytes there are, if it is only one.
    pub fn only(&self) -> Option<usize> {
        match &self.units[..] {
            [Unit::Short(place)] => Some(place.len()),
            [Unit::Own(frame)] => Some(frame.len()),
            _ => None,
        }
    }

    /// One after the other; a longer one is given away, what shares a block is shown.
    pub fn take(&mut self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let short = &self.short;
        std::mem::take(&mut self.units).into_iter().filter_map(|unit| match unit {
            Unit::Short(place) => Some(Cow::Borrowed(&short[place])),
            Unit::Own(frame) => Some(Cow::Owned(frame)),
            Unit::Joint(_) => {
                debug_assert!(false, "long frames have taken their places");
                None
            }
        })
    }

    /// Drops the first ones.
    pub(crate) fn skip(&mut self, count: usize) {
        self.units.drain(..count.min(self.units.len()));
    }

    /// The first long frame that has its place here.
    pub(crate) fn joint(&self) -> Option<u64> {
        self.units.iter().find_map(|unit| if let Unit::Joint(number) = unit { Some(*number) } else { None })
    }

    /// Puts long frames into their places.
    pub(crate) fn join<E>(&mut self, mut long_frame: impl FnMut(u64) -> Result<Vec<u8>, E>) -> Result<(), E> {
        for unit in &mut self.units {
            if let Unit::Joint(number) = *unit {
                *unit = Unit::Own(long_frame(number)?);
            }
        }
        Ok(())
    }

    /// Sets bytes aside for what comes in so many.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.short.reserve(bytes.min(TRUSTED_BYTES));
    }

    fn add_short(&mut self, shared: &[u8], rest: &[u8]) {
        let from = self.short.len();
        self.short.extend_from_slice(shared);
        self.short.extend_from_slice(rest);
        self.units.push(Unit::Short(from..self.short.len()));
    }
}

/// Why bytes are no frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Its bytes would not be taken.
    #[error("a frame of {found} bytes, at most {max} are allowed")]
    TooLong {
        /// How many it has, as it says.
        found: usize,
        /// How many it may have.
        max: usize,
    },
    /// There are not as many that it could share.
    #[error("a frame that begins with {shared} bytes of the one before, of which {kept} are known")]
    NotShared {
        /// How many it has in common with the frame before, as it says.
        shared: usize,
        /// How many bytes of that may be shared.
        kept: usize,
    },
}

/// Cuts a stream of bytes into frames, whatever the pieces are in which it comes.
pub struct Decoder {
    frame_bytes_max: usize,
    shared_bytes_max: usize,
    header: [u8; HEADER_BYTES],
    header_has: usize,
    body: Vec<u8>,
    body_needs: usize,
    /// What the next frame may begin with.
    before: Vec<u8>,
}

impl Decoder {
    /// Frames longer than the first, or that share more than the second, are a violation.
    pub fn new(frame_bytes_max: usize, shared_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max,
            shared_bytes_max: shared_bytes_max.min(SHARED_BYTES_MAX),
            header: [0; HEADER_BYTES],
            header_has: 0,
            body: Vec::new(),
            body_needs: 0,
            before: Vec::new(),
        }
    }

    /// The one for a lane.
    pub(crate) fn of_lane(lane: usize) -> Self {
        debug_assert!(lane < LANES, "{lane} is no lane");
        Self::new(if lane == 0 { CONTROL_FRAME_BYTES_MAX } else { WHOLE_BYTES_MAX }, shared_bytes_max(lane))
    }

    /// Takes the next piece and appends the frames that it completes.
    ///
    /// # Errors
    /// What is wrong with the next frame. The stream is of no use from there on.
    pub fn push(&mut self, mut piece: &[u8], frames: &mut Frames) -> Result<(), Malformed> {
        while !piece.is_empty() {
            if self.header_has < HEADER_BYTES {
                let taken = piece.len().min(HEADER_BYTES - self.header_has);
                self.header[self.header_has..self.header_has + taken].copy_from_slice(&piece[..taken]);
                self.header_has += taken;
                piece = &piece[taken..];
                if self.header_has < HEADER_BYTES {
                    return Ok(());
                }
                let (shared, rest) = self.lengths()?;
                let is_short = shared + rest <= SHORT_BYTES_MAX && self.header != JOINT_HEADER;
                if let Some((rest, after)) = piece.split_at_checked(rest).filter(|_| is_short) {
                    frames.add_short(&self.before[..shared], rest);
                    self.before.truncate(shared);
                    self.before.extend_from_slice(&rest[..rest.len().min(self.shared_bytes_max - shared)]);
                    self.header_has = 0;
                    piece = after;
                    continue;
                }
                self.body_needs = shared + rest;
                self.body = Vec::with_capacity(self.body_needs.min(TRUSTED_BYTES));
                self.body.extend_from_slice(&self.before[..shared]);
            }
            let taken = piece.len().min(self.body_needs - self.body.len());
            self.body.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
            if self.body.len() == self.body_needs {
                self.end(frames);
                self.header_has = 0;
            }
        }
        Ok(())
    }

    /// How many bytes the frame with this header has from the one before, and how many more.
    fn lengths(&mut self) -> Result<(usize, usize), Malformed> {
        let [shared, rest @ ..] = self.header.map(usize::from);
        let rest = rest.into_iter().fold(0, |bytes, byte| bytes << 8 | byte);
        if self.header == JOINT_HEADER {
            self.before.clear();
        } else if shared > self.before.len() {
            return Err(Malformed::NotShared { shared, kept: self.before.len() });
        } else if shared + rest > self.frame_bytes_max {
            return Err(Malformed::TooLong { found: shared + rest, max: self.frame_bytes_max });
        }
        Ok((shared.min(self.before.len()), rest))
    }

    /// What came in pieces is whole now.
    fn end(&mut self, frames: &mut Frames) {
        let body = std::mem::take(&mut self.body);
        if self.header == JOINT_HEADER
            && let Ok(number) = <[u8; JOINT_BYTES]>::try_from(&body[..])
        {
            return frames.units.push(Unit::Joint(u64::from_be_bytes(number)));
        }
        self.before.clear();
        self.before.extend_from_slice(&body[..body.len().min(self.shared_bytes_max)]);
        if body.len() <= SHORT_BYTES_MAX {
            frames.add_short(&[], &body);
        } else {
            frames.units.push(Unit::Own(body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each frame with what it shares with the one before, up to a maximum.
    fn encode(frames: &[Vec<u8>], shared_max: usize) -> Vec<u8> {
        let mut before: &[u8] = &[];
        let one = |frame| {
            let shared = shared_bytes(std::mem::replace(&mut before, frame), frame, shared_max);
            [&header(shared, frame.len() - shared)[..], &frame[shared..]].concat()
        };
        frames.iter().map(Vec::as_slice).flat_map(one).collect()
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
            frames in prop::collection::vec(prop::collection::vec(0_u8..3, 0..40), 0..20),
            shared_max in 0..9_usize,
            cut in 1_usize..30,
        ) {
            let (mut decoder, mut found) = (Decoder::new(40, shared_max), Frames::default());
            for piece in encode(&frames, shared_max).chunks(cut) {
                prop_assert!(decoder.push(piece, &mut found).is_ok());
            }
            prop_assert_eq!(found.take().map(Cow::into_owned).collect::<Vec<_>>(), frames);
        }

        #[test]
        fn long_and_short_ones_come_out_alike(
            lengths in prop::collection::vec((SHORT_BYTES_MAX - 2)..(SHORT_BYTES_MAX + 3), 0..6),
            cut in 1..3 * SHORT_BYTES_MAX,
            known in 0..4_usize,
        ) {
            let frames: Vec<_> = lengths.into_iter().enumerate().map(|(n, length)| vec![n as u8 / 2; length]).collect();
            let (mut decoder, mut found) = (Decoder::of_lane(1), Frames::default());
            for piece in encode(&frames, SHARED_BYTES_MAX).chunks(cut) {
                prop_assert!(decoder.push(piece, &mut found).is_ok());
            }
            found.skip(known);
            let left = &frames[known.min(frames.len())..];
            prop_assert_eq!(found.len(), left.len());
            prop_assert_eq!(found.only(), left.first().map(Vec::len).filter(|_| left.len() == 1));
            prop_assert_eq!(found.take().map(Cow::into_owned).collect::<Vec<_>>(), left);
        }

        #[test]
        fn any_bytes_end_in_frames_within_the_limit_or_in_a_refusal(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut found = Frames::default();
            let _ = Decoder::new(16, 8).push(&bytes, &mut found);
            prop_assert_eq!(found.join(|_| Ok::<_, ()>(Vec::new())), Ok(()));
            prop_assert!(found.take().all(|frame| frame.len() <= 16));
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_length() {
        let too_long = Err(Malformed::TooLong { found: 17, max: 16 });
        assert_eq!(Decoder::new(16, 8).push(&header(0, 17), &mut Frames::default()), too_long);
        let with_shared = [&header(0, 4)[..], b"four", &header(4, 13)].concat();
        assert_eq!(Decoder::new(16, 8).push(&with_shared, &mut Frames::default()), too_long);
    }

    #[test]
    fn no_more_is_shared_than_the_frame_before_has_and_the_lane_allows() {
        let shares = |before: &[u8], shared: usize| {
            let bytes = [&header(0, before.len())[..], before, &header(shared, 0)].concat();
            Decoder::new(16, 8).push(&bytes, &mut Frames::default())
        };
        let refused = |shared, kept| Err(Malformed::NotShared { shared, kept });
        assert_eq!((shares(b"four", 4), shares(b"four", 5)), (Ok(()), refused(5, 4)));
        assert_eq!((shares(b"ten and so", 8), shares(b"ten and so", 9)), (Ok(()), refused(9, 8)));
        let after_a_joint = [&header(0, 4)[..], b"four", &JOINT_HEADER, &[0; 8], &header(1, 0)].concat();
        assert_eq!(Decoder::new(16, 8).push(&after_a_joint, &mut Frames::default()), refused(1, 0));
        assert_eq!(
            Decoder::of_lane(0).push(&[&header(0, 1)[..], b"x", &header(1, 0)].concat(), &mut Frames::default()),
            refused(1, 0)
        );
    }

    #[test]
    fn a_joint_is_told_from_a_frame_of_as_many_bytes_and_nothing_else_begins_like_it() {
        let (mut found, number) = (Frames::default(), 7_u64.to_be_bytes());
        let bytes = [&header(0, 8)[..], &number, &JOINT_HEADER, &number].concat();
        assert_eq!(Decoder::new(16, 8).push(&bytes, &mut found), Ok(()));
        assert_eq!((found.len(), found.joint()), (2, Some(7)));
        assert!(Decoder::new(16, 8).push(&[255, 0, 0, 9], &mut found).is_err());
        assert_eq!(found.join(|seven| Ok::<_, ()>(vec![seven as u8; 3])), Ok(()));
        assert_eq!(found.take().map(Cow::into_owned).collect::<Vec<_>>(), [number.to_vec(), vec![7; 3]]);
    }
}
