//! Capabilities: what a node says it has, what an actor asks for, and whether the two fit.
//!
//! Owns the value type that capabilities and untyped messages share, the bounded capability map, requirements,
//! the match with its explanation, and the index over many nodes. It does no I/O and reads no clock.
//! Start with [`Value`], then [`CapabilityMap`], then [`Requirements`].

mod map;
mod reads;
mod requirements;
mod value;

pub use map::{CapabilityMap, Delta, MapError, limits};
pub use reads::Reads;
pub use requirements::{Preference, Requirements, RequirementsError};
pub use value::{Value, ValueKind};
