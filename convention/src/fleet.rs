//! What a creation would do on a fleet that was written down: matched, counted and chosen by the leader's own code.
//!
//! Only what can be said of capabilities: an actor's own check, what its type requires and who has it are with the
//! nodes, and are not looked at here.

use crate::fit::{self, DRAINING, Wish};
use crate::placement::{self, Candidate};
use crate::random::Random;
use crate::types::{Explanation, Placement};
use odeon::{Incarnation, NodeId, NodeRef};
use odeon_capabilities::{CapabilityMap, Requirements, RequirementsError};

/// A node that lived when the fleet was written down.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetNode {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub node: NodeRef,
    /// What it has.
    pub capabilities: CapabilityMap,
    /// Actors that live there.
    pub actors: u32,
    /// Whether its link is up.
    pub reachable: bool,
    /// Whether it takes no actor any more.
    pub draining: bool,
}

/// Nobody asks from a node of the fleet: starts are counted from 1.
const NOBODY: NodeRef = NodeRef { id: NodeId([0xff; 16]), incarnation: Incarnation(0) };

/// Why each node would accept or not, counted, and which one would be chosen. With a strategy that draws, the same
/// fleet gives the same draw.
///
/// # Errors
/// When the requirements cannot be understood.
pub fn explain(
    fleet: &[FleetNode],
    requirements: &Requirements,
    strategy: Placement,
) -> Result<Explanation, RequirementsError> {
    let wish = Wish::parse(requirements)?;
    let mut candidates = Vec::new();
    let mut judged = Vec::new();
    for node in fleet {
        let mut lacks = wish.lacks(&node.capabilities, &[]);
        lacks.extend(node.draining.then(|| DRAINING.to_owned()));
        if lacks.is_empty() {
            let score = wish.score(&node.capabilities);
            let (actors, reachable) = (node.actors, node.reachable);
            // A saved fleet does not say who holds which image.
            candidates.push(Candidate { node: node.node, actors, score, reachable, holds: false });
        }
        judged.push((node.name.clone(), lacks));
    }
    let mut random = Random::new(0);
    let chosen = placement::decide(&candidates, strategy, NOBODY, |bound| random.below(bound));
    let chosen = chosen.and_then(|node| fleet.iter().find(|n| n.node == node)).map(|n| n.name.clone());
    Ok(Explanation { chosen, ..fit::counted(judged) })
}
