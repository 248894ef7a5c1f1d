//! The linear memory of an instance: a slot, and beyond that a mapping of its own, twice as large whenever it is full.
//! The kernel moves its pages then, so that next to nothing is copied.
//!
//! Without reserved address space the engine's own memories are copied whole at every growth: an actor that comes to
//! 64 MiB in small steps would copy gigabytes, and run into its time limit instead of its memory limit. And each time that
//! the kernel moves pages, all threads of the process wait.
#![allow(unsafe_code)]

use super::slab::{SLOT_BYTES, Slab, Slot};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};
use std::ffi::c_void;
use std::ptr::{copy_nonoverlapping, null_mut};
use std::sync::Arc;
use wasmtime::error::Context as _;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result, bail};

/// Makes memories for an engine that reserves no address space and relies on no guard pages.
#[derive(Default)]
pub(super) struct Memories(Arc<Slab>);

// SAFETY: a memory is a private mapping or a slot of its own, zero at first, that nothing else knows of. An engine that
// wants address space reserved or guarded is refused, so none leaves out a check of bounds because of either.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved_size_in_bytes.is_some_and(|bytes| bytes > 0) || guard_size_in_bytes > 0 {
            return Err(format!(
                "{reserved_size_in_bytes:?} bytes reserved, {guard_size_in_bytes} guarded, expected none"
            ));
        }
        let mut memory = Memory { place: Place::Slot(self.0.take().map_err(|e| e.to_string())?), bytes: 0 };
        memory.grow_to(minimum).map_err(|e| e.to_string())?;
        Ok(Box::new(memory))
    }
}

/// The first `bytes` bytes of its place.
struct Memory {
    place: Place,
    bytes: usize,
}

enum Place {
    Slot(Slot),
    Own(Mapping),
}

/// One mapping of `bytes` bytes at `base`; only what is written to takes memory.
struct Mapping {
    base: *mut c_void,
    bytes: usize,
}

// SAFETY: the pointer is to a mapping of the process, which no thread has a special part in; it is changed through
// `&mut` only.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` only reads the two fields.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(bytes: usize) -> Result<Mapping> {
        let bytes = capacity(bytes)?;
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: the kernel chooses the place of a new mapping, so that none of another is touched.
        let base = unsafe { mmap_anonymous(null_mut(), bytes, access, flags) }?;
        Ok(Mapping { base, bytes })
    }

    fn grow_to(&mut self, bytes: usize) -> Result<()> {
        let bytes = capacity(bytes)?;
        // SAFETY: the old mapping is exactly this one, and nobody holds a pointer into it: the engine asks for the
        // new one after every growth.
        self.base = unsafe { mremap(self.base, self.bytes, bytes, MremapFlags::MAYMOVE) }?;
        self.bytes = bytes;
        Ok(())
    }
}

/// How large a mapping is for so many bytes.
fn capacity(bytes: usize) -> Result<usize> {
    bytes.checked_next_power_of_two().context("more memory than there are addresses")
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is exactly this one, and whoever drops it uses it no more. That it cannot be unmapped
        // would mean that it is not mapped.
        let _ = unsafe { munmap(self.base, self.bytes) };
    }
}

// SAFETY: `byte_size` bytes at `as_ptr` are mapped for reading and writing until the memory is dropped or grown, and
// keep what they hold when it grows; new ones are zero.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        self.bytes
    }

    fn grow_to(&mut self, new_size: usize) -> Result<()> {
        if new_size < self.bytes {
            bail!("a memory of {} bytes cannot become one of {new_size} bytes", self.bytes);
        }
        match &mut self.place {
            Place::Slot(_) if new_size <= SLOT_BYTES => {}
            Place::Slot(slot) => {
                let own = Mapping::new(new_size)?;
                // SAFETY: the slot has that many bytes, the new mapping more, and they are apart.
                unsafe { copy_nonoverlapping(slot.base().cast::<u8>(), own.base.cast(), self.bytes) };
                self.place = Place::Own(own);
            }
            Place::Own(own) if new_size > own.bytes => own.grow_to(new_size)?,
            Place::Own(_) => {}
        }
        self.bytes = new_size;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        match &self.place {
            Place::Slot(slot) => slot.base().cast(),
            Place::Own(own) => own.base.cast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(memory: &dyn LinearMemory) -> &[u8] {
        // SAFETY: as `LinearMemory` promises; nothing grows it meanwhile.
        unsafe { std::slice::from_raw_parts(memory.as_ptr(), memory.byte_size()) }
    }

    fn new(minimum: usize) -> Result<Box<dyn LinearMemory>, String> {
        Memories::default().new_memory(MemoryType::new(0, None), minimum, None, Some(0), 0)
    }

    #[test]
    fn a_memory_keeps_what_it_holds_when_it_grows_and_what_is_new_is_zero() {
        const PAGE: usize = 64 << 10;
        let mut memory = new(0).unwrap();
        assert_eq!(memory.byte_size(), 0);
        for pages in 1..200 {
            memory.grow_to(pages * PAGE).unwrap();
            assert!(bytes_of(&*memory)[(pages - 1) * PAGE..].iter().all(|byte| *byte == 0));
            // SAFETY: the last page is mapped and nobody else looks at it.
            unsafe { memory.as_ptr().add((pages - 1) * PAGE).write(pages as u8) };
        }
        let marks: Vec<u8> = bytes_of(&*memory).iter().step_by(PAGE).copied().collect();
        assert_eq!(marks, (1..200).map(|page| page as u8).collect::<Vec<_>>());
        assert!(memory.grow_to(PAGE).is_err(), "it never shrinks");
    }

    #[test]
    fn an_engine_that_relies_on_reserved_or_guarded_space_gets_none() {
        assert!(Memories::default().new_memory(MemoryType::new(0, None), 0, None, Some(1 << 32), 0).is_err());
        assert!(Memories::default().new_memory(MemoryType::new(0, None), 0, None, Some(0), 1 << 16).is_err());
        assert!(new(usize::MAX >> 1).is_err(), "more than there is");
    }
}
