//! Every limit of the engine, with its unit in its name.

use std::time::Duration;

/// Messages that an actor handles before the next actor has its turn.
pub const ACTIVATION_MESSAGES_MAX: usize = 128;
/// Messages in a mailbox above which whoever sends to it is put aside after the current message.
pub const MAILBOX_MESSAGES_HIGH: usize = 4096;
/// Messages in a mailbox at which those put aside for it go on.
pub const MAILBOX_MESSAGES_LOW: usize = 1024;
/// Actors and endpoints that one system holds.
pub const SLOTS_MAX: u32 = 1 << 26;
/// Wakeups that wait in one system.
pub const WAKEUPS_MAX: usize = 1 << 22;
/// Messages that wait for `listen`.
pub const LISTEN_MESSAGES_MAX: usize = 1 << 16;
/// Messages that one actor has put off.
pub const DEFERRED_MESSAGES_MAX: usize = 4096;
/// Actors that wait for each other, one for the next, and are followed to see whether an actor waits for itself. One behind
/// more of them does not wait.
pub const CHAIN_ACTORS_MAX: usize = 1024;
/// Messages that an actor which would wait for itself sends before it is put aside again.
pub const CIRCLE_MESSAGES: u8 = 128;
/// Longest time that an actor stays put aside for a link or a creation, should nobody resume it.
pub const PUT_ASIDE_TIME_MAX: Duration = Duration::from_secs(1);
/// How far ahead of its rate, where that is bounded, an actor may be before it is put to rest.
pub const RATE_BURST: Duration = Duration::from_secs(1);
/// How long an actor rests at once: whether it is still ahead of its rate is seen with its next message.
pub const REST_TIME_MAX: Duration = Duration::from_secs(10);
/// Resumed tickets that are remembered for senders that are about to wait for one.
pub const RESUMED_TICKETS_MAX: usize = 4096;
/// Activations that `tell` runs on the base `simple` before it returns.
pub const TELL_ACTIVATIONS_MAX: usize = 100_000;
/// Places in a mailbox's buffers that an idle actor keeps.
pub(super) const IDLE_BUFFER_MESSAGES_MAX: usize = 8;
/// Times that a worker goes on with the actor just woken before it looks at the others.
pub(super) const LIFO_RUNS_MAX: u32 = 16;
/// Turns after which a worker looks at what came from outside the pool, however busy it is.
pub(super) const INJECTOR_TURNS: u32 = 61;
/// Looks for work before a worker parks: a few microseconds.
pub(super) const IDLE_LOOKS: u32 = 4;
/// How often a busy pool is looked at for a worker that is held up by one long handler.
pub(super) const RESCUE_INTERVAL: Duration = Duration::from_millis(2);
/// Quiet looks after which the clock sleeps until something happens.
pub(super) const QUIET_LOOKS_MAX: u32 = 50;
/// Messages that an actor handles in a turn outside of the pool.
pub(super) const TURN_MESSAGES_MAX: usize = 8;
/// A turn outside of the pool that lasts longer than this is long,
pub(super) const LONG_TURN: Duration = Duration::from_micros(200);
/// and workers give the actor as many of its next ones.
pub(super) const TURNS_AFTER_A_LONG_ONE: u8 = 32;
/// Threads in a pool.
pub const WORKERS_MAX: usize = 1024;
