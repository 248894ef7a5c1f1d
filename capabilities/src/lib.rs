//! Capabilities: what a node says it has, what an actor asks for, and whether the two fit.
//!
//! Owns the value type that capabilities and untyped messages share, the bounded capability map, requirements,
//! the match with its explanation, and the index over many nodes. It does no I/O and reads no clock.
//! Start with [`Value`], then [`CapabilityMap`], then [`Requirements`], then `Matcher`.
//!
//! Without the feature `match` only the data types are there: that is what wasm guests use.

pub mod limits;
mod map;
mod reads;
mod recording;
mod requirements;
#[cfg(test)]
mod samples;
mod value;

#[cfg(feature = "match")]
mod assignment;
#[cfg(feature = "match")]
mod expression;
#[cfg(feature = "match")]
mod expressions;
#[cfg(feature = "match")]
mod fixed_hash;
#[cfg(feature = "match")]
mod index;
#[cfg(feature = "match")]
mod matcher;
#[cfg(feature = "match")]
mod memo;
#[cfg(feature = "match")]
mod refusal;
#[cfg(feature = "match")]
mod selector;
#[cfg(feature = "match")]
mod tally;

pub use map::{CapabilityMap, Delta, MapError};
pub use reads::Reads;
pub use recording::RecordingView;
pub use requirements::{Preference, Requirements, RequirementsError};
pub use value::{Value, ValueKind};

#[cfg(feature = "match")]
pub use assignment::{AssignmentError, parse_assignment};
#[cfg(feature = "match")]
pub use expression::Expression;
#[cfg(feature = "match")]
pub use index::{Candidates, Class, ClassId, Index};
#[cfg(feature = "match")]
pub use matcher::Matcher;
#[cfg(feature = "match")]
pub use memo::{Memo, MemoLimits};
#[cfg(feature = "match")]
pub use refusal::Refusal;
#[cfg(feature = "match")]
pub use selector::{Accepted, Selection, Selector};
#[cfg(feature = "match")]
pub use tally::{Near, Reason, Tally};

// The page about how all this works together: its examples are tests.
#[cfg(all(doctest, feature = "match"))]
#[doc = include_str!("../../docs/capabilities.md")]
struct Guide;
