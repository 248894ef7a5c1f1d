//! Exact-effect tests of the two machines: inputs in, exact effects out. One file a rule.

// The vocabulary is test code too; a list of effects reads better as a list than as a slice of one.
#![allow(clippy::unwrap_used, clippy::cloned_ref_to_slice_refs)]

#[path = "machines/scene.rs"]
mod scene;

#[path = "machines/authority.rs"]
mod authority;
#[path = "machines/draining.rs"]
mod draining;
#[path = "machines/fleet.rs"]
mod fleet;
#[path = "machines/groups.rs"]
mod groups;
#[path = "machines/liveness.rs"]
mod liveness;
#[path = "machines/member.rs"]
mod member;
#[path = "machines/names.rs"]
mod names;
#[path = "machines/operators.rs"]
mod operators;
#[path = "machines/placing.rs"]
mod placing;
#[path = "machines/reaching.rs"]
mod reaching;
#[path = "machines/registering.rs"]
mod registering;
#[path = "machines/restart.rs"]
mod restart;
#[path = "machines/revoking.rs"]
mod revoking;
#[path = "machines/watching.rs"]
mod watching;
#[path = "machines/wire.rs"]
mod wire;
