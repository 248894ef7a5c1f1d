//! Whether a capability map fits what an actor needs: the creator's requirements and what the actor's type requires.

use crate::types::{Explanation, NearMiss, Rejection};
use odeon_capabilities::{CapabilityMap, Matcher, Refusal, Requirements, RequirementsError, Tally, Value};
use std::sync::Arc;

/// Why a node that is to become empty takes no actor: the same text wherever it is noticed.
pub(crate) const DRAINING: &str = "is draining";

/// Why a node takes no second actor of a group: the same text wherever it is noticed.
pub(crate) fn has_group(group: &str) -> String {
    format!("has an actor of group {group:?} already")
}

/// Requirements that were understood.
#[derive(Debug)]
pub(crate) struct Wish {
    matcher: Arc<Matcher>,
}

impl Wish {
    pub(crate) fn parse(requirements: &Requirements) -> Result<Self, RequirementsError> {
        Ok(Self::of(Arc::new(Matcher::new(requirements)?)))
    }

    pub(crate) fn of(matcher: Arc<Matcher>) -> Self {
        Self { matcher }
    }

    /// Everything that `map` lacks, of what the type requires and of what the creator asks.
    pub(crate) fn lacks(&self, map: &CapabilityMap, required: &[String]) -> Vec<String> {
        let refusals = self.matcher.refusals(map).into_iter();
        let mut lacks: Vec<String> = missing(map, required).chain(refusals).map(|r| r.to_string()).collect();
        lacks.dedup();
        lacks
    }

    /// What the preferences that hold in `map` add up to.
    pub(crate) fn score(&self, map: &CapabilityMap) -> u32 {
        self.matcher.score(map)
    }
}

/// What of the type's own requirements is not true in `map`.
pub(crate) fn missing<'a>(map: &'a CapabilityMap, required: &'a [String]) -> impl Iterator<Item = Refusal> + 'a {
    let lacking = required.iter().filter(|key| !map.value(key).is_some_and(Value::is_true));
    lacking.map(|key| Refusal::Lacks { capability: key.clone() })
}

/// Counts why nodes do not fit; those that lack nothing accept.
pub(crate) fn counted(judged: Vec<(String, Vec<String>)>) -> Explanation {
    let Tally { nodes, accepted, rejected, nearest } = Tally::of(judged);
    let rejection = |r: odeon_capabilities::Reason| Rejection { reason: r.reason, nodes: r.nodes, example: r.example };
    Explanation {
        nodes,
        accepted,
        chosen: None,
        rejected: rejected.into_iter().map(rejection).collect(),
        nearest: nearest.into_iter().map(|n| NearMiss { node: n.node, lacks: n.lacks }).collect(),
    }
}
