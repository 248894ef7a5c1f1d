//! The allocator of an image: `talc`, which takes a fifth of the C library's in code.
//!
//! It is given a page of memory at a time, and first a place beside the image's constants, because it writes to the end of
//! whatever it is given. So an actor that waits takes the pages that it has used and no other one.

#![allow(unsafe_code)]

use std::alloc::Layout;
use std::arch::wasm32::memory_grow;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Bytes that a machine backs with memory at once.
const PAGE_BYTES: usize = 4 << 10;
/// Bytes that the memory of an image grows by.
const GROWTH_BYTES: usize = 64 << 10;
/// Bytes of the first place.
const FIRST_BYTES: usize = 16 << 10;
/// Bytes that the allocator wants around an allocation at most, beside what the allocation is aligned by.
const AROUND_BYTES: usize = 64;

#[global_allocator]
static MEMORY: TalcSyncCell<Pages, WasmBinning> =
    TalcSyncCell::new_wasm(Pages { given: None, next: null_mut(), end: null_mut() });

static mut FIRST: [MaybeUninit<u8>; FIRST_BYTES] = [MaybeUninit::uninit(); FIRST_BYTES];

/// A place that the allocator is given more and more of.
#[derive(Debug, Clone, Copy)]
struct Pages {
    /// The end of what the allocator has of it.
    given: Option<NonNull<u8>>,
    /// Where the rest begins, and where it ends.
    next: *mut u8,
    end: *mut u8,
}

impl Pages {
    fn of(start: *mut u8, bytes: usize) -> Self {
        Self { given: None, next: start, end: start.wrapping_add(bytes) }
    }
}

// SAFETY: it gives parts of `FIRST`, which nobody else names, and of memory that did not exist before. It allocates nothing.
unsafe impl Source for Pages {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let wanted = layout.size().checked_add(layout.align() + AROUND_BYTES).ok_or(())?;
        if talc.source.next.is_null() {
            talc.source = Pages::of((&raw mut FIRST).cast(), FIRST_BYTES);
        }
        if talc.source.end as usize - (talc.source.next as usize) < wanted {
            let growth = wanted.div_ceil(GROWTH_BYTES);
            let start = memory_grow::<0>(growth).checked_mul(GROWTH_BYTES).ok_or(())? as *mut u8;
            if start == talc.source.end {
                talc.source.end = start.wrapping_add(growth * GROWTH_BYTES);
            } else {
                talc.source = Pages::of(start, growth * GROWTH_BYTES);
            }
        }
        let Pages { given, next, end } = talc.source;
        let until = (next as usize + wanted).next_multiple_of(PAGE_BYTES).min(end as usize) as *mut u8;
        // SAFETY: what lies between `next` and `until` is nobody's, and `given` is the end of what lies before it.
        talc.source.given = match given {
            Some(given) => Some(unsafe { talc.extend(given, until) }),
            None => unsafe { talc.claim(next, until as usize - next as usize) },
        };
        talc.source.next = until;
        Ok(())
    }
}
