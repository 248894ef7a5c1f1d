//! What two nodes say over a stream on which an image is fetched, each word behind its length in two bytes.

use super::Chunks;
use crate::limits::{IMAGE_CHUNKS_MAX, REASON_BYTES_MAX};
use crate::types::SourceHash;

/// Bytes of a word: the longest is the hashes of all chunks.
pub const WORD_BYTES_MAX: usize = 1 + 32 * IMAGE_CHUNKS_MAX;

/// From who fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// What are the hashes of the chunks of an image?
    List(SourceHash),
    /// Which one of these chunks do you have?
    Chunk {
        /// Of which image.
        hash: SourceHash,
        /// Those that are neither here nor on their way.
        lacks: Chunks,
    },
    /// The chunk that was offered is to follow.
    Take,
    /// It is on its way from somebody else.
    Leave,
}

/// From who serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The SHA-256 of every chunk.
    List(Vec<[u8; 32]>),
    /// This chunk can follow.
    Offer(u16),
    /// None of what was asked for is here; later there may be.
    Nothing,
    /// As many are served as may be: others may serve it, or this node later.
    Busy,
    /// The image is not here, and will not be.
    Refused(String),
}

/// Why bytes are no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are no word about chunks")]
pub struct WordError {
    /// How many.
    pub bytes: usize,
}

impl Ask {
    /// As it stands in the stream, without its length.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Ask::List(hash) => [&[1], &hash.0[..]].concat(),
            Ask::Chunk { hash, lacks } => [&[2], &hash.0[..], &lacks.to_bytes()].concat(),
            Ask::Take => vec![3],
            Ask::Leave => vec![4],
        }
    }

    /// Reads what [`encode`](Self::encode) wrote, and nothing else.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WordError> {
        let wrong = WordError { bytes: bytes.len() };
        let (kind, rest) = bytes.split_first().ok_or(wrong)?;
        match (kind, rest.split_first_chunk::<32>(), rest) {
            (1, Some((hash, [])), _) => Ok(Ask::List(SourceHash(*hash))),
            (2, Some((hash, lacks)), _) => {
                let lacks = Chunks::from_bytes(lacks.try_into().map_err(|_| wrong)?);
                Ok(Ask::Chunk { hash: SourceHash(*hash), lacks })
            }
            (3, _, []) => Ok(Ask::Take),
            (4, _, []) => Ok(Ask::Leave),
            _ => Err(wrong),
        }
    }
}

impl Reply {
    /// As it stands in the stream, without its length. A reason is cut to [`REASON_BYTES_MAX`].
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Reply::List(hashes) => [&[1], hashes.as_flattened()].concat(),
            Reply::Offer(number) => [&[2], &number.to_be_bytes()[..]].concat(),
            Reply::Nothing => vec![3],
            Reply::Busy => vec![4],
            Reply::Refused(reason) => {
                [&[5], &reason.as_bytes()[..reason.floor_char_boundary(REASON_BYTES_MAX)]].concat()
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote, and nothing else.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WordError> {
        let wrong = WordError { bytes: bytes.len() };
        let (kind, rest) = bytes.split_first().ok_or(wrong)?;
        match (kind, rest) {
            (1, rest) => match rest.as_chunks::<32>() {
                (hashes, []) if (1..=IMAGE_CHUNKS_MAX).contains(&hashes.len()) => Ok(Reply::List(hashes.to_vec())),
                _ => Err(wrong),
            },
            (2, [high, low]) => Ok(Reply::Offer(u16::from_be_bytes([*high, *low]))),
            (3, []) => Ok(Reply::Nothing),
            (4, []) => Ok(Reply::Busy),
            (5, reason) if reason.len() <= REASON_BYTES_MAX => {
                std::str::from_utf8(reason).map(|reason| Reply::Refused(reason.to_owned())).map_err(|_| wrong)
            }
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_word_survives() {
        let hash = SourceHash([7; 32]);
        for word in [Ask::List(hash), Ask::Chunk { hash, lacks: Chunks::first(77) }, Ask::Take, Ask::Leave] {
            assert_eq!(Ask::decode(&word.encode()), Ok(word));
        }
        let reason = Reply::Refused("it is revoked".to_owned());
        let list = Reply::List(vec![[9; 32]; IMAGE_CHUNKS_MAX]);
        assert_eq!(list.encode().len(), WORD_BYTES_MAX);
        for word in [list, Reply::Offer(513), Reply::Nothing, Reply::Busy, reason] {
            assert_eq!(Reply::decode(&word.encode()), Ok(word));
        }
        assert_eq!(Reply::Refused("é".repeat(REASON_BYTES_MAX)).encode().len(), 1 + REASON_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn bytes_that_are_a_word_are_written_as_they_were_read(
            bytes in (0u8..7, prop::collection::vec(any::<u8>(), 0..70)).prop_map(|(kind, rest)| [vec![kind], rest].concat())
        ) {
            if let Ok(word) = Ask::decode(&bytes) {
                prop_assert_eq!(word.encode(), bytes.clone());
            }
            if let Ok(word) = Reply::decode(&bytes) {
                prop_assert_eq!(word.encode(), bytes);
            }
        }
    }
}
