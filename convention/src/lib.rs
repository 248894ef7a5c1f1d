//! The protocol core of a convention: what a leader and its members say to each other and do about it.
//!
//! Pure: the machines take an input and the time and give effects. No socket, no clock, no task, no random number
//! of its own. The node drives them over QUIC, the simulator drives hundreds in one thread from one seed.
//! Start with [`types`], then [`wire`], then [`member`] and [`leader`]; `docs/protocol.md` tells the story.

pub mod codes;
mod fit;
pub mod fleet;
pub mod leader;
pub mod limits;
mod liveness;
pub mod logs;
pub mod member;
pub mod placement;
mod random;
pub mod record;
pub mod spreading;
pub mod types;
pub mod watching;
pub mod wire;
