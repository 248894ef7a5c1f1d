//! What an instance may use at most.

use std::time::Duration;

/// Bounds of every instance. A breach is the actor's failure, with a reason that names the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WasmLimits {
    /// Milliseconds for one message, or for the constructor.
    pub message_ms: u64,
    /// Milliseconds for a capability check, and for an image to say which actors it has.
    pub check_ms: u64,
    /// Bytes of an instance's memory.
    pub memory_bytes_max: usize,
    /// Elements of an instance's tables.
    pub table_elements_max: usize,
    /// Bytes of a component.
    pub component_bytes_max: usize,
    /// Bytes of one message that an actor sends.
    pub message_bytes_max: usize,
    /// Bytes of everything that an actor hands to the node while it handles one message.
    pub outgoing_bytes_max: usize,
    /// Actors in an instance that is shared.
    pub shared_actors_max: usize,
    /// Calls of the node while an actor handles one message.
    pub host_calls_max: u64,
}

impl Default for WasmLimits {
    fn default() -> Self {
        Self {
            message_ms: 1000,
            check_ms: 500,
            memory_bytes_max: 64 << 20,
            table_elements_max: 100_000,
            component_bytes_max: 64 << 20,
            message_bytes_max: 16 << 20,
            outgoing_bytes_max: 64 << 20,
            shared_actors_max: 100_000,
            host_calls_max: 200_000,
        }
    }
}

/// Milliseconds between two ticks of the clock that cuts runaway instances off.
pub(super) const TICK_MS: u64 = 10;
/// Bytes of a worker's stack that wasm may use.
pub(super) const WASM_STACK_BYTES: usize = 512 << 10;
/// Bytes of a reason that an actor gives for its failure.
pub(super) const REASON_BYTES_MAX: usize = 4 << 10;
/// Bytes of a log line.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;
/// Actors in one image.
pub(super) const ACTORS_MAX: usize = 256;
/// Bytes of an actor's name.
pub(super) const ACTOR_NAME_BYTES_MAX: usize = 256;
/// Capabilities that one actor requires.
pub(super) const REQUIRED_MAX: usize = 64;
/// Bytes of a message's type name.
pub(super) const MESSAGE_NAME_BYTES_MAX: usize = 1 << 10;
/// Lists and maps inside each other in what an actor asks of the node.
pub(super) const DEPTH_MAX: usize = 32;
/// Bytes of random data in one call.
pub(super) const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Core instances, tables and memories of one component's instance.
pub(super) const PARTS_MAX: usize = 32;

impl WasmLimits {
    /// Ticks until `ms` milliseconds have surely passed: one more, because the first may come at once.
    pub(super) fn ticks(ms: u64) -> u64 {
        Duration::from_millis(ms).as_millis().div_ceil(u128::from(TICK_MS)) as u64 + 1
    }
}
