//! Frames of a lane: a length of four bytes, big endian, then that many bytes. In place of a long frame, whose parts go
//! on a lane of their own, there is a joint: four bytes that are no length, then its number.

use super::error::Close;

/// Bytes before a frame's own.
pub(crate) const HEADER_BYTES: usize = 4;
/// What a joint begins with; the bytes that follow are eight.
pub(crate) const JOINT_HEADER: u32 = 0x8000_0008;
pub(crate) const JOINT_BYTES: usize = 8;
/// Bytes of a part before those of the long frame: its number, and how many bytes it has in all.
pub(crate) const PART_HEAD_BYTES: usize = JOINT_BYTES + 4;
/// What is set aside for a frame before its bytes are there.
const TRUSTED_BYTES: usize = 64 * 1024;

/// What a stream of a lane is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A frame.
    Frame(Vec<u8>),
    /// The long frame of this number has its place here.
    Joint(u64),
}

/// Cuts a stream of bytes into frames, whatever the pieces are in which it comes.
pub struct Decoder {
    frame_bytes_max: usize,
    header: [u8; HEADER_BYTES],
    header_has: usize,
    body: Vec<u8>,
    body_needs: usize,
}

impl Decoder {
    /// Frames longer than this are a violation.
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, header: [0; HEADER_BYTES], header_has: 0, body: Vec::new(), body_needs: 0 }
    }

    /// Takes the next piece and appends the frames that it completes.
    ///
    /// # Errors
    /// The length of a frame that is too long. The stream is of no use from there on.
    pub fn push(&mut self, mut piece: &[u8], units: &mut Vec<Unit>) -> Result<(), usize> {
        while !piece.is_empty() {
            if self.header_has < HEADER_BYTES {
                let taken = piece.len().min(HEADER_BYTES - self.header_has);
                self.header[self.header_has..self.header_has + taken].copy_from_slice(&piece[..taken]);
                self.header_has += taken;
                piece = &piece[taken..];
                if self.header_has < HEADER_BYTES {
                    return Ok(());
                }
                self.body_needs = match u32::from_be_bytes(self.header) {
                    JOINT_HEADER => JOINT_BYTES,
                    length if length as usize > self.frame_bytes_max => return Err(length as usize),
                    length => length as usize,
                };
                self.body = Vec::with_capacity(self.body_needs.min(TRUSTED_BYTES));
            }
            let taken = piece.len().min(self.body_needs - self.body.len());
            self.body.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
            if self.body.len() == self.body_needs {
                units.push(self.unit());
                self.header_has = 0;
            }
        }
        Ok(())
    }

    /// What is whole now.
    fn unit(&mut self) -> Unit {
        let body = std::mem::take(&mut self.body);
        match <[u8; JOINT_BYTES]>::try_from(&body[..]) {
            Ok(number) if u32::from_be_bytes(self.header) == JOINT_HEADER => Unit::Joint(u64::from_be_bytes(number)),
            _ => Unit::Frame(body),
        }
    }
}

pub(crate) fn too_long(found: usize, max: usize) -> Close {
    Close::violation(format!("a frame of {found} bytes, at most {max} are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(frames: &[Vec<u8>]) -> Vec<u8> {
        frames.iter().flat_map(|f| [&(f.len() as u32).to_be_bytes()[..], f].concat()).collect()
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            cut in 1_usize..30,
        ) {
            let (mut decoder, mut found) = (Decoder::new(40), Vec::new());
            for piece in encode(&frames).chunks(cut) {
                prop_assert!(decoder.push(piece, &mut found).is_ok());
            }
            prop_assert_eq!(found, frames.into_iter().map(Unit::Frame).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end_in_frames_within_the_limit_or_in_a_refusal(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut found = Vec::new();
            let _ = Decoder::new(16).push(&bytes, &mut found);
            prop_assert!(found.iter().all(|unit| !matches!(unit, Unit::Frame(frame) if frame.len() > 16)));
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_length() {
        let mut found = Vec::new();
        assert_eq!(Decoder::new(16).push(&17_u32.to_be_bytes(), &mut found), Err(17));
    }

    #[test]
    fn a_joint_is_told_from_a_frame_of_as_many_bytes_and_nothing_else_begins_like_it() {
        let (mut found, number) = (Vec::new(), 7_u64.to_be_bytes());
        let bytes = [&8_u32.to_be_bytes()[..], &number, &JOINT_HEADER.to_be_bytes(), &number].concat();
        assert_eq!(Decoder::new(16).push(&bytes, &mut found), Ok(()));
        assert_eq!(found, [Unit::Frame(number.to_vec()), Unit::Joint(7)]);
        assert!(Decoder::new(usize::MAX >> 33).push(&0x8000_0009_u32.to_be_bytes(), &mut found).is_err());
    }
}
