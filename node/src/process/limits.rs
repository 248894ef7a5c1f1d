//! What the process of an image may use at most.

use std::time::Duration;

/// Bounds of every process. A breach ends the process, with a reason that names the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Milliseconds for one message, or for a constructor, from when the process has it.
    pub message_ms: u64,
    /// Milliseconds for a capability check, and to say which actors there are.
    pub check_ms: u64,
    /// Milliseconds from the start to the first word.
    pub start_ms: u64,
    /// Milliseconds that a process with no actors stays.
    pub linger_ms: u64,
    /// Bytes of address space.
    pub memory_bytes_max: u64,
    /// Bytes of one file that it writes.
    pub file_bytes_max: u64,
    /// Open files.
    pub files_max: u64,
    /// Processes and threads, its own and those of its descendants.
    pub processes_max: u64,
    /// Bytes of everything that an actor hands to the node while it handles one message.
    pub outgoing_bytes_max: usize,
    /// Calls of the node while an actor handles one message.
    pub host_calls_max: u64,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self {
            message_ms: 10_000,
            check_ms: 2_000,
            start_ms: 10_000,
            linger_ms: 5_000,
            memory_bytes_max: 2 << 30,
            file_bytes_max: 256 << 20,
            files_max: 256,
            processes_max: 64,
            outgoing_bytes_max: 64 << 20,
            host_calls_max: 200_000,
        }
    }
}

/// How long the first wait is before a process that has died is started again; each further one is twice as long.
pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest such wait.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// After so long a life a death is taken for the first one.
pub(super) const LIFE_MIN: Duration = Duration::from_secs(30);
/// How long whoever creates or checks waits for its turn and the answer.
pub(super) const CALL_MAX: Duration = Duration::from_secs(60);
/// How long a guard may take to end everything.
pub(super) const KILL_MAX: Duration = Duration::from_secs(5);
/// How often a guard looks at how many processes it guards.
pub(super) const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Frames that wait to be written to a process: each worker has at most two, the rest are actors that are gone.
pub(super) const FRAMES_OUT_MAX: usize = 256;
/// Frames that were read and wait to be looked at.
pub(super) const FRAMES_IN_MAX: usize = 16;
/// Bytes of a line that a process prints; what is longer is cut into several.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;
/// Lines that are logged of one process at once, and then in each second.
pub(super) const LINES_PER_SECOND_MAX: u32 = 100;
/// Bytes of what a guard is told, and of what it tells.
pub(super) const CAGE_BYTES_MAX: usize = 120 << 10;
