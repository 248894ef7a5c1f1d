//! `odeon explain --fleet`: what would be on a fleet that was saved. It asks no node.

use super::actors::{CreateFlags, outline};
use super::up::text_of_at_most;
use super::{CommandError, Output};
use crate::admin::protocol::NodeItem;
use odeon::{Incarnation, NodeRef};
use odeon_convention::codes;
use odeon_convention::fleet::{self, FleetNode};
use odeon_convention::leader::MemberState;
use std::path::Path;

/// Bytes of a saved fleet: some kilobytes for each of ten thousand nodes.
const FLEET_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What nobody can say without a node.
const NOT_LOOKED_AT: &str = "note: from the file alone: the actor's own check, what its type requires, \
     which nodes have it, global names and groups are not looked at";

/// Explains on the fleet that a file holds, as `odeon nodes --json` writes it.
pub(super) fn explain(out: &mut Output<'_>, flags: CreateFlags, file: &Path) -> Result<(), CommandError> {
    let arguments = flags.into_arguments()?;
    let mut fleet = living(file)?;
    if let Some(on) = &arguments.on {
        fleet.retain(|node| node.name == *on || node.node.id.to_string() == *on);
        if fleet.is_empty() {
            let reason = format!("no living node in {} has the name or id {on:?}", file.display());
            return Err(CommandError::coded(codes::NODE_UNKNOWN, reason));
        }
    }
    let explanation = fleet::explain(&fleet, &arguments.requirements, arguments.placement)
        .map_err(|e| CommandError::coded(codes::BAD_REQUIREMENT, e.to_string()))?;
    out.note(NOT_LOOKED_AT);
    out.value(&explanation, outline)
}

/// The nodes that lived when the file was written.
fn living(file: &Path) -> Result<Vec<FleetNode>, CommandError> {
    let wrong = |why: String| CommandError::Usage(format!("{}: {why}", file.display()));
    let text = text_of_at_most(file, FLEET_BYTES_MAX)?;
    let nodes: Vec<NodeItem> =
        serde_json::from_str(&text).map_err(|e| wrong(format!("this is not what 'odeon nodes --json' writes: {e}")))?;
    let living = nodes.into_iter().filter(|n| matches!(n.state, MemberState::Alive | MemberState::Suspect));
    living
        .map(|n| {
            let id = n.id.parse().map_err(|_| wrong(format!("{:?} is not the id of a node", n.id)))?;
            Ok(FleetNode {
                name: n.name,
                node: NodeRef { id, incarnation: Incarnation(n.incarnation) },
                capabilities: n.capabilities,
                actors: n.actors,
                reachable: n.state == MemberState::Alive,
                draining: n.draining,
            })
        })
        .collect()
}
