//! The table behind addresses: a slot for every actor and endpoint of this system, reused after it is freed.
//!
//! A look-up takes the lock of that one slot and no other. Chunks double in size, are never moved and never freed.

use super::cell::Cell;
use super::limits::SLOTS_MAX;
use super::lock::{Lock, Locked};
use super::outside::Envelope;
use crate::Address;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// Slots in the first chunk; each further chunk has twice as many.
const FIRST: u32 = 1024;
const CHUNKS: usize = 17;
/// Slot 0 is never given out: addresses of actors that never came to be have it.
pub(super) const NOBODY: u32 = 0;

/// Something that receives without being an actor.
pub(super) struct Line {
    pub(super) nonce: u64,
    pub(super) on_message: Box<dyn Fn(Envelope) + Send + Sync>,
}

pub(super) enum Entry {
    Free,
    Actor(Arc<Cell>),
    Line(Arc<Line>),
}

struct Free {
    reusable: Vec<u32>,
    next: u32,
}

pub(super) struct Slots {
    chunks: [OnceLock<Box<[Lock<Entry>]>>; CHUNKS],
    free: Mutex<Free>,
}

/// The chunk of a slot, and the place in it.
#[inline]
fn place(slot: u32) -> (usize, usize) {
    let chunk = (slot / FIRST + 1).ilog2();
    (chunk as usize, (slot - FIRST * ((1 << chunk) - 1)) as usize)
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { reusable: Vec::new(), next: NOBODY + 1 }),
        }
    }

    /// A free slot, which its holder fills with [`Slots::fill`] or gives back with [`Slots::release`].
    pub(super) fn reserve(&self) -> Option<u32> {
        let mut free = self.free.lock();
        if let Some(slot) = free.reusable.pop() {
            return Some(slot);
        }
        if free.next == SLOTS_MAX {
            return None;
        }
        let slot = free.next;
        free.next += 1;
        let (chunk, _) = place(slot);
        self.chunks[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| Lock::new(Entry::Free)).collect());
        Some(slot)
    }

    #[inline]
    fn slot(&self, slot: u32) -> Option<&Lock<Entry>> {
        let (chunk, index) = place(slot);
        self.chunks.get(chunk)?.get()?.get(index)
    }

    pub(super) fn fill(&self, slot: u32, entry: Entry) {
        if let Some(place) = self.slot(slot) {
            let old = std::mem::replace(&mut *place.lock(), entry);
            debug_assert!(matches!(old, Entry::Free), "slot {slot} was filled twice");
        }
    }

    /// Empties a slot, to be used again.
    pub(super) fn release(&self, slot: u32) {
        if let Some(place) = self.slot(slot) {
            let old = std::mem::replace(&mut *place.lock(), Entry::Free);
            self.free.lock().reusable.push(slot);
            drop(old);
        }
    }

    /// What lives at an address, with the lock of its slot; none where nothing does.
    #[inline]
    pub(super) fn entry(&self, address: &Address) -> Option<Locked<'_, Entry>> {
        let entry = self.slot(address.slot())?.lock();
        let nonce = match &*entry {
            Entry::Free => return None,
            Entry::Actor(cell) => cell.address.nonce(),
            Entry::Line(line) => line.nonce,
        };
        (nonce == address.nonce()).then_some(entry)
    }

    /// All actors that have a slot, in the order of their slots.
    pub(super) fn actors(&self) -> Vec<Arc<Cell>> {
        let slots = self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter());
        slots
            .filter_map(|slot| match &*slot.lock() {
                Entry::Actor(cell) => Some(cell.clone()),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_fill_chunks_without_gaps_or_overlap() {
        let mut expected = (0, 0);
        for slot in 0..FIRST * 40 {
            assert_eq!(place(slot), expected);
            expected.1 += 1;
            if expected.1 == (FIRST << expected.0) as usize {
                expected = (expected.0 + 1, 0);
            }
        }
        let (chunk, _) = place(SLOTS_MAX - 1);
        assert!(chunk < CHUNKS, "the last slot is in chunk {chunk} of {CHUNKS}");
    }

    #[test]
    fn a_slot_is_used_again_only_after_it_was_released() {
        let slots = Slots::new();
        let (a, b) = (slots.reserve().unwrap(), slots.reserve().unwrap());
        assert_ne!(a, b);
        slots.release(a);
        assert_eq!(slots.reserve(), Some(a));
    }
}
