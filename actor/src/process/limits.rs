//! Every bound on what one end takes from the other, with its unit in its name.

/// Bytes of the messages that actors send each other this way.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of a frame, without its length: a message and what is said of it.
pub const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX + (64 << 10);
/// Lists and maps inside each other in a frame.
pub const DEPTH_MAX: usize = 64;
/// Messages that one process may work at the same time.
pub const WORKERS_MAX: u16 = 16;
/// Actor types of one image.
pub const ACTORS_MAX: usize = 256;
/// Bytes of an actor type's name, and of the library's.
pub const NAME_BYTES_MAX: usize = 256;
/// Capabilities that one actor type requires.
pub const REQUIRED_MAX: usize = 64;
/// Bytes of a message's type name.
pub const MESSAGE_NAME_BYTES_MAX: usize = 1 << 10;
/// Bytes of a reason; what is longer is cut.
pub const REASON_BYTES_MAX: usize = 4 << 10;
/// Bytes of a log line; what is longer is cut.
pub const LINE_BYTES_MAX: usize = 8 << 10;
