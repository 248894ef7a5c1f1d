//! Short frames, one behind the other in blocks: whoever sends one frees it, and whoever settles many frees a block.

use std::collections::VecDeque;

/// Bytes of a block at most; the first of a lane that was empty has as many as its frame.
const BLOCK_BYTES_MAX: usize = 16 * 1024;
/// A frame of at most so many bytes is put into a block.
pub(super) const SHORT_BYTES_MAX: usize = 4096;

/// Where a frame is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    block: u64,
    from: u32,
    bytes: u32,
}

impl Place {
    pub(super) fn len(self) -> usize {
        self.bytes as usize
    }
}

/// What a lane has of them.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Vec<u8>>,
    /// The number of the first block.
    first: u64,
}

impl Blocks {
    /// Copies a frame of at most [`SHORT_BYTES_MAX`] bytes behind the others.
    pub(super) fn add(&mut self, frame: &[u8]) -> Place {
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= frame.len();
        if !self.blocks.back().is_some_and(has_room) {
            let twice = self.blocks.back().map_or(0, |last| BLOCK_BYTES_MAX.min(last.capacity() * 2));
            self.blocks.push_back(Vec::with_capacity(frame.len().max(twice)));
        }
        let number = self.first + self.blocks.len() as u64 - 1;
        let block = self.blocks.back_mut();
        let from = block.as_ref().map_or(0, |block| block.len());
        block.into_iter().for_each(|block| block.extend_from_slice(frame));
        Place { block: number, from: from as u32, bytes: frame.len() as u32 }
    }

    /// The frame that is there, which was not freed.
    pub(super) fn get(&self, place: Place) -> &[u8] {
        let block = &self.blocks[(place.block - self.first) as usize];
        &block[place.from as usize..][..place.len()]
    }

    /// Frees the blocks before that of the first frame that is still there.
    pub(super) fn free_before(&mut self, first: Place) {
        while self.first < first.block {
            self.blocks.pop_front();
            self.first += 1;
        }
    }
}
