//! How an image spreads: cut into chunks, which nodes take from each other while they still fetch.
//!
//! Pure: who is asked, which chunk is served, when to fall back to the leader and when to give up is decided here; time
//! and a seed come in, and the node moves the bytes. The simulation in `tests/spreading.rs` drives the same code.
//! Start with [`Fetch`], then [`Served`]; [`Ask`] and [`Reply`] are what two nodes say.

mod fetch;
mod served;
mod words;

pub use fetch::{Fetch, Step};
pub use served::Served;
pub use words::{Ask, Reply, WORD_BYTES_MAX, WordError};

use crate::limits::{CHUNK_BYTES, IMAGE_CHUNKS_MAX};

const WORDS: usize = IMAGE_CHUNKS_MAX / 64;

/// Some of the chunks of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chunks([u64; WORDS]);

impl Chunks {
    /// The first so many; those beyond [`IMAGE_CHUNKS_MAX`] cannot be named.
    pub fn first(count: u16) -> Self {
        let mut all = Self::default();
        (0..count).for_each(|number| all.insert(number));
        all
    }

    /// Puts one in.
    pub fn insert(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number / 64)) {
            *word |= 1 << (number % 64);
        }
    }

    /// Whether one is in.
    pub fn contains(&self, number: u16) -> bool {
        self.0.get(usize::from(number / 64)).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Those that are not in the other.
    pub fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|n| self.0[n] & !other.0[n]))
    }

    /// How many.
    pub fn len(&self) -> u16 {
        self.0.iter().map(|word| word.count_ones() as u16).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Their numbers, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..IMAGE_CHUNKS_MAX as u16).filter(|number| self.contains(*number))
    }

    fn to_bytes(self) -> [u8; IMAGE_CHUNKS_MAX / 8] {
        let mut bytes = [0; IMAGE_CHUNKS_MAX / 8];
        for (at, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            at.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; IMAGE_CHUNKS_MAX / 8]) -> Self {
        let mut words = [0; WORDS];
        for (word, at) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*at);
        }
        Self(words)
    }
}

/// How many chunks an image of so many bytes has; none where that is no image.
pub fn chunks_of(size_bytes: u64) -> Option<u16> {
    let count = size_bytes.div_ceil(CHUNK_BYTES as u64);
    (1..=IMAGE_CHUNKS_MAX as u64).contains(&count).then_some(count as u16)
}

/// How many bytes a chunk has; none where there is no such chunk.
pub fn bytes_of(number: u16, size_bytes: u64) -> usize {
    let begin = u64::from(number) * CHUNK_BYTES as u64;
    size_bytes.saturating_sub(begin).min(CHUNK_BYTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_an_image_and_no_more() {
        let chunk = CHUNK_BYTES as u64;
        for (size, count, last) in
            [(1, 1, 1), (chunk, 1, CHUNK_BYTES), (chunk + 1, 2, 1), (chunk * 256, 256, CHUNK_BYTES)]
        {
            assert_eq!(chunks_of(size), Some(count), "{size}");
            assert_eq!((bytes_of(count - 1, size), bytes_of(count, size)), (last, 0), "{size}");
            let sum: usize = (0..count).map(|number| bytes_of(number, size)).sum();
            assert_eq!(sum as u64, size);
        }
        assert_eq!((chunks_of(0), chunks_of(chunk * 256 + 1)), (None, None));
    }

    #[test]
    fn a_set_of_chunks_is_what_was_put_in() {
        let mut some = Chunks::default();
        for number in [0, 63, 64, 255] {
            some.insert(number);
        }
        some.insert(256);
        assert_eq!(some.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert_eq!((some.len(), Chunks::first(256).without(&some).len()), (4, 252));
        assert_eq!(Chunks::from_bytes(&some.to_bytes()), some);
        assert!(Chunks::first(0).is_empty() && !some.contains(256) && !some.contains(1));
    }
}
