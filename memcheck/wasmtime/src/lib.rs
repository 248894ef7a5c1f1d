//! What the memory of instances names of the engine, so that its tests are built in seconds.

pub use anyhow::{Result, bail};

/// Errors.
pub mod error {
    pub use anyhow::Context;
}

/// What a memory is asked to be.
pub struct MemoryType;

impl MemoryType {
    /// So many pages.
    pub fn new(_minimum: u32, _maximum: Option<u32>) -> Self {
        Self
    }
}

/// A memory of an instance.
///
/// # Safety
/// As the engine's.
pub unsafe trait LinearMemory: Send + Sync + 'static {
    /// Bytes.
    fn byte_size(&self) -> usize;
    /// Bytes that it can have where it is.
    fn byte_capacity(&self) -> usize;
    /// Makes it larger.
    fn grow_to(&mut self, new_size: usize) -> Result<()>;
    /// Where it is.
    fn as_ptr(&self) -> *mut u8;
}

/// Makes memories.
///
/// # Safety
/// As the engine's.
pub unsafe trait MemoryCreator: Send + Sync {
    /// One of them.
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String>;
}
