//! What somebody else may do with an image on which it decides: read it piece by piece, hand over another one in its
//! place piece by piece, and say what it thinks of it.
//!
//! Pure: whoever carries the messages calls this and sends what comes of it. Whoever examines is not trusted to keep to
//! any bound; what breaks one ends the examination.

use crate::limits::{EXAMINATION_MESSAGES_MAX, EXAMINATION_READ_BYTES_MAX, IMAGE_BYTES_MAX, PIECE_BYTES_MAX};
use crate::{Handover, SourceHash, hash};
use std::sync::Arc;

/// An image that somebody examines.
#[derive(Debug)]
pub struct Examination {
    hash: SourceHash,
    bytes: Arc<[u8]>,
    /// What is handed over in its place.
    other: Handover,
    messages: usize,
    read_bytes: u64,
}

/// The word on an image that was examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It may be used.
    Approved,
    /// These bytes may be used in its place.
    ApprovedAs(Arc<[u8]>),
    /// It may not be used.
    Rejected {
        /// Why, for people to read.
        reason: String,
    },
}

/// What whoever examines an image must not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Breach {
    #[error("sent more than {EXAMINATION_MESSAGES_MAX} messages on one image")]
    Messages,
    #[error("read more than {EXAMINATION_READ_BYTES_MAX} bytes of one image")]
    Reads,
    #[error("handed over a piece of {found} bytes: at most {PIECE_BYTES_MAX} are taken")]
    Piece { found: usize },
    #[error("handed over a piece that begins at {found}: expected {expected}, or 0 to begin anew")]
    Gap { expected: usize, found: u64 },
    #[error("handed over more than {IMAGE_BYTES_MAX} bytes, which is the limit of an image")]
    TooLarge,
    #[error("speaks of {said} bytes, and has handed over {found}")]
    Size { said: u64, found: usize },
}

impl Examination {
    /// An examination that begins.
    pub fn new(bytes: Arc<[u8]>) -> Self {
        Self { hash: hash(&bytes), bytes, other: Handover::default(), messages: 0, read_bytes: 0 }
    }

    /// The hash of what is examined.
    pub fn hash(&self) -> SourceHash {
        self.hash
    }

    /// Counts a message, whatever is in it.
    pub fn heard(&mut self) -> Result<(), Breach> {
        self.messages += 1;
        if self.messages > EXAMINATION_MESSAGES_MAX { Err(Breach::Messages) } else { Ok(()) }
    }

    /// A piece of the image: so many bytes at most, and none behind its end.
    pub fn read(&mut self, offset: u64, bytes_max: u64) -> Result<&[u8], Breach> {
        let bytes_max = bytes_max.min(PIECE_BYTES_MAX as u64) as usize;
        let from = usize::try_from(offset).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        let to = (from + bytes_max).min(self.bytes.len());
        self.read_bytes += (to - from) as u64;
        if self.read_bytes > EXAMINATION_READ_BYTES_MAX { Err(Breach::Reads) } else { Ok(&self.bytes[from..to]) }
    }

    /// Takes a piece of what is to be used in its place. One at 0 begins anew.
    pub fn take(&mut self, offset: u64, piece: &[u8]) -> Result<(), Breach> {
        self.other.take(offset, piece)
    }

    /// What was handed over, if it is so much.
    pub fn replaced(&mut self, size_bytes: u64) -> Result<Word, Breach> {
        self.other.finish(size_bytes).map(|bytes| Word::ApprovedAs(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination(bytes: usize) -> Examination {
        Examination::new((0..bytes).map(|n| n as u8).collect())
    }

    #[test]
    fn an_image_is_read_in_pieces_of_a_bounded_size_and_not_behind_its_end() {
        let size = PIECE_BYTES_MAX + 10;
        let mut image = examination(size);
        let mut read = Vec::new();
        while read.len() < size {
            let piece = image.read(read.len() as u64, u64::MAX).unwrap();
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES_MAX);
            read.extend_from_slice(piece);
        }
        assert_eq!(hash(&read), image.hash());
        assert_eq!(image.read(size as u64, 10), Ok(&[][..]));
        assert_eq!(image.read(u64::MAX, u64::MAX), Ok(&[][..]));
        assert_eq!(image.read(1, 2), Ok(&[1, 2][..]));
    }

    #[test]
    fn reading_without_end_is_a_breach() {
        let mut image = examination(PIECE_BYTES_MAX);
        let reads = (0..).take_while(|_| image.read(0, u64::MAX).is_ok()).count();
        assert_eq!(reads as u64, EXAMINATION_READ_BYTES_MAX / PIECE_BYTES_MAX as u64);
        assert_eq!(image.read(0, 1), Err(Breach::Reads));
        assert!(EXAMINATION_READ_BYTES_MAX >= 2 * IMAGE_BYTES_MAX as u64, "the largest image can be read twice");
    }

    #[test]
    fn talking_without_end_is_a_breach() {
        let mut image = examination(1);
        assert_eq!((0..).take_while(|_| image.heard().is_ok()).count(), EXAMINATION_MESSAGES_MAX);
        let pieces = IMAGE_BYTES_MAX.div_ceil(PIECE_BYTES_MAX);
        assert!(EXAMINATION_MESSAGES_MAX > 4 * pieces, "the largest image can be read and handed over twice");
    }

    #[test]
    fn what_is_handed_over_has_no_gap_and_no_more_than_was_approved() {
        let mut image = examination(10);
        image.take(0, &[1, 2]).unwrap();
        assert_eq!(image.take(3, &[4]), Err(Breach::Gap { expected: 2, found: 3 }));
        assert_eq!(image.take(1, &[4]), Err(Breach::Gap { expected: 2, found: 1 }));
        image.take(2, &[3]).unwrap();
        assert_eq!(image.replaced(2), Err(Breach::Size { said: 2, found: 3 }));
        assert_eq!(image.replaced(u64::MAX), Err(Breach::Size { said: u64::MAX, found: 3 }));
        assert_eq!(image.replaced(3), Ok(Word::ApprovedAs([1, 2, 3].into())));
    }

    #[test]
    fn one_that_failed_in_the_middle_begins_anew() {
        let mut image = examination(10);
        image.take(0, &[1, 2, 3]).unwrap();
        image.take(0, &[7]).unwrap();
        image.take(1, &[8]).unwrap();
        assert_eq!(image.replaced(2), Ok(Word::ApprovedAs([7, 8].into())));
    }

    #[test]
    fn what_is_handed_over_is_bounded() {
        let mut image = examination(1);
        assert_eq!(image.take(0, &vec![0; PIECE_BYTES_MAX + 1]), Err(Breach::Piece { found: PIECE_BYTES_MAX + 1 }));
        let piece = vec![0; PIECE_BYTES_MAX];
        for n in 0..IMAGE_BYTES_MAX / PIECE_BYTES_MAX {
            image.take((n * PIECE_BYTES_MAX) as u64, &piece).unwrap();
        }
        assert_eq!(image.take(IMAGE_BYTES_MAX as u64, &[0]), Err(Breach::TooLarge));
    }
}
