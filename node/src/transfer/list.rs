//! The hashes of an image's chunks. The leader records their digest with the image, so that they may come from anybody.

use odeon_convention::limits::CHUNK_BYTES;
use odeon_convention::spreading::chunks_of;
use odeon_sourceauth::hash;

/// The SHA-256 of every chunk of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkList(Vec<[u8; 32]>);

impl ChunkList {
    /// Of an image that is all there.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.chunks(CHUNK_BYTES).map(|chunk| hash(chunk).0).collect())
    }

    /// As a peer says: taken where there are as many as the image has chunks and they have the digest, if it is known.
    /// Where it is not, the hash of the whole decides in the end.
    pub(crate) fn checked(hashes: Vec<[u8; 32]>, size_bytes: u64, digest: Option<[u8; 32]>) -> Option<Self> {
        let list = Self(hashes);
        let fits = chunks_of(size_bytes).is_some_and(|count| usize::from(count) == list.0.len());
        (fits && digest.is_none_or(|digest| digest == list.digest())).then_some(list)
    }

    /// What the leader records of it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        hash(self.bytes()).0
    }

    /// The hashes, one behind the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    pub(crate) fn hashes(&self) -> &[[u8; 32]] {
        &self.0
    }

    /// Whether these are the bytes of a chunk.
    pub(crate) fn is_chunk(&self, number: u16, bytes: &[u8]) -> bool {
        self.0.get(usize::from(number)).is_some_and(|expected| *expected == hash(bytes).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_when_it_is_the_one_that_was_recorded() {
        let bytes: Vec<u8> = (0..CHUNK_BYTES * 2 + 5).map(|n| (n / 7) as u8).collect();
        let (list, size) = (ChunkList::of(&bytes), bytes.len() as u64);
        let digest = Some(list.digest());
        assert_eq!(ChunkList::checked(list.0.clone(), size, digest), Some(list.clone()));
        assert!(
            list.is_chunk(2, &bytes[CHUNK_BYTES * 2..]) && !list.is_chunk(2, &bytes[..5]) && !list.is_chunk(3, &[])
        );
        let mut other = list.0.clone();
        other[1][0] ^= 1;
        assert_eq!(ChunkList::checked(other.clone(), size, digest), None);
        assert!(ChunkList::checked(other, size, None).is_some(), "nothing was recorded of it");
        assert_eq!(ChunkList::checked(list.0[..2].to_vec(), size, None), None);
    }
}
