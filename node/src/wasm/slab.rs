//! Slots for the memories of instances, many in one mapping: a kernel gives a process some 65,000 mappings, and most
//! actors never need more memory than a slot has.
//!
//! A slot that is let go of gives its memory back to the kernel, and a mapping goes with the last slot in it.
#![allow(unsafe_code)]

use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::ptr::null_mut;
use std::sync::{Arc, Weak};

/// Bytes of address space of a slot; only what is written to takes memory.
pub(super) const SLOT_BYTES: usize = 256 << 10;
/// Slots of one mapping.
const CHUNK_SLOTS: u16 = 256;
const CHUNK_BYTES: usize = SLOT_BYTES * CHUNK_SLOTS as usize;

/// Gives out slots.
#[derive(Default)]
pub(super) struct Slab {
    /// Mappings that have a free slot, as far as they are still there. What is last is taken from.
    open: Mutex<Vec<Weak<Chunk>>>,
}

struct Chunk {
    base: *mut c_void,
    slab: Arc<Slab>,
    free: Mutex<Vec<u16>>,
}

// SAFETY: the pointer is to a mapping of the process, in which no thread has a special part; it is never changed.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

/// `SLOT_BYTES` that are readable and writable, and zero at first, for as long as this is there.
pub(super) struct Slot {
    chunk: Arc<Chunk>,
    index: u16,
}

impl Slab {
    /// A slot that nobody else has.
    pub(super) fn take(self: &Arc<Self>) -> io::Result<Slot> {
        let mut open = self.open.lock();
        while let Some(last) = open.last() {
            let Some(chunk) = last.upgrade() else {
                open.pop();
                continue;
            };
            let mut free = chunk.free.lock();
            let index = free.pop();
            if free.is_empty() {
                open.pop();
            }
            drop(free);
            if let Some(index) = index {
                return Ok(Slot::new(chunk, index));
            }
        }
        let chunk = Arc::new(Chunk::new(self.clone())?);
        open.push(Arc::downgrade(&chunk));
        Ok(Slot::new(chunk, 0))
    }
}

impl Chunk {
    /// A mapping whose first slot is taken.
    fn new(slab: Arc<Slab>) -> io::Result<Chunk> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: the kernel chooses the place of a new mapping, so that none of another is touched.
        let base = unsafe { mmap_anonymous(null_mut(), CHUNK_BYTES, access, flags) }?;
        // A large page would be that of eight slots, for the few bytes that each of them has. A kernel that has none
        // refuses, which is as good.
        // SAFETY: it changes nothing that the mapping holds.
        let _ = unsafe { madvise(base, CHUNK_BYTES, Advice::LinuxNoHugepage) };
        #[cfg(memcheck)]
        crate::forbid(base, CHUNK_BYTES);
        Ok(Chunk { base, slab, free: Mutex::new((1..CHUNK_SLOTS).rev().collect()) })
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the mapping is exactly this one, and the last slot in it is gone. That it cannot be unmapped would
        // mean that it is not mapped.
        let _ = unsafe { munmap(self.base, CHUNK_BYTES) };
    }
}

impl Slot {
    fn new(chunk: Arc<Chunk>, index: u16) -> Slot {
        let slot = Slot { chunk, index };
        #[cfg(memcheck)]
        crate::allow(slot.base(), SLOT_BYTES);
        slot
    }

    pub(super) fn base(&self) -> *mut c_void {
        self.chunk.base.wrapping_byte_add(usize::from(self.index) * SLOT_BYTES)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: nobody looks at the slot any more; it is zero when it is taken again.
        if unsafe { madvise(self.base(), SLOT_BYTES, Advice::LinuxDontNeed) }.is_err() {
            // What it holds is for nobody else: it is not given out again.
            return;
        }
        #[cfg(memcheck)]
        crate::forbid(self.base(), SLOT_BYTES);
        let mut open = self.chunk.slab.open.lock();
        let mut free = self.chunk.free.lock();
        if free.is_empty() {
            open.push(Arc::downgrade(&self.chunk));
        }
        free.push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn bytes_of(slot: &mut Slot) -> &mut [u8] {
        // SAFETY: the slot is mapped for reading and writing, and this is the only one who has it.
        unsafe { std::slice::from_raw_parts_mut(slot.base().cast(), SLOT_BYTES) }
    }

    #[test]
    fn slots_are_apart_and_those_that_come_back_are_zero() {
        let slab = Arc::new(Slab::default());
        let mut slots: Vec<Slot> = (0..600).map(|_| slab.take().unwrap()).collect();
        let bases: BTreeSet<usize> = slots.iter().map(|slot| slot.base() as usize).collect();
        assert_eq!(bases.len(), 600);
        assert!(bases.iter().zip(bases.iter().skip(1)).all(|(a, b)| b - a >= SLOT_BYTES));
        for slot in &mut slots {
            assert!(bytes_of(slot).iter().step_by(4096).all(|byte| *byte == 0));
            bytes_of(slot)[SLOT_BYTES - 1] = 1;
        }
        let kept = slots.split_off(599);
        drop(slots);
        let mut again: Vec<Slot> = (0..600).map(|_| slab.take().unwrap()).collect();
        assert!(again.iter().all(|slot| slot.base() != kept[0].base()), "it is somebody's");
        assert!(again.iter_mut().all(|slot| bytes_of(slot)[SLOT_BYTES - 1] == 0));
    }

    #[test]
    fn a_mapping_goes_with_its_last_slot() {
        let slab = Arc::new(Slab::default());
        let slots: Vec<Slot> = (0..CHUNK_SLOTS + 1).map(|_| slab.take().unwrap()).collect();
        let chunks = [&slots[0], &slots[usize::from(CHUNK_SLOTS)]].map(|slot| Arc::downgrade(&slot.chunk));
        assert!(!Weak::ptr_eq(&chunks[0], &chunks[1]));
        drop(slots);
        assert!(chunks.iter().all(|chunk| chunk.strong_count() == 0));
        let one = slab.take().unwrap();
        assert_eq!(slab.open.lock().len(), 1, "what is gone is forgotten");
        drop(one);
    }
}
