//! What is really so: which capabilities a node has, and whether an actor may live there. Nothing here uses the
//! machines' own matching.

use odeon_capabilities::{CapabilityMap, Reads, Value};
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateSpec, ImageInfo, NativeActor, SourceHash};

/// Linked into every node.
pub(super) const ANY: &str = "Any";
/// Its type requires the capability `db`.
pub(super) const DATABASE: &str = "Database";
/// Its own check reads `zone` and wants `a` or `b`.
pub(super) const ZONED: &str = "Zoned";
/// Only some nodes have it, never the leader, which cannot run its check. Its check wants `gpu` of 2 or more.
pub(super) const RARE: &str = "Rare";
/// In every image.
pub(super) const IMAGED: &str = "Imaged";

pub(super) fn natives(node: u32) -> Vec<NativeActor> {
    let native = |name: &str, required: &[&str]| NativeActor {
        name: name.to_owned(),
        required: required.iter().map(|r| (*r).to_owned()).collect(),
    };
    let mut natives = vec![native(ANY, &[]), native(DATABASE, &["db"]), native(ZONED, &[])];
    if node.is_multiple_of(3) {
        natives.push(native(RARE, &[]));
    }
    natives
}

pub(super) fn image(n: u8) -> ImageInfo {
    ImageInfo {
        hash: SourceHash([n; 32]),
        name: format!("image-{n}"),
        version: "1.0.0".to_owned(),
        size_bytes: 1_000,
        actors: vec![NativeActor { name: IMAGED.to_owned(), required: vec!["db".to_owned()] }],
        chunks: None,
    }
}

/// An actor's own check, with what it read.
pub(super) fn check(actor: &str, capabilities: &CapabilityMap, at_leader: bool) -> CheckOutcome {
    let mut read = Reads::default();
    let mut look = |key: &str| {
        let value = capabilities.value(key).cloned();
        read.0.insert(key.to_owned(), value.clone());
        value
    };
    let accepted = match actor {
        ZONED => look("zone").is_some_and(|zone| matches!(zone.as_str(), Some("a" | "b"))),
        RARE if at_leader => return CheckOutcome { verdict: CheckVerdict::Unknown, read },
        RARE => look("gpu").is_some_and(|gpu| gpu >= Value::Integer(2)),
        _ => true,
    };
    let verdict = if accepted { CheckVerdict::Accepted } else { CheckVerdict::Refused };
    CheckOutcome { verdict, read }
}

/// Whether an actor may live on a node with these capabilities.
pub(super) fn accepts(spec: &CreateSpec, node: u32, capabilities: &CapabilityMap) -> bool {
    let has = |key: &String| capabilities.value(key).is_some_and(Value::is_true);
    let linked = spec.image.is_some() || natives(node).iter().any(|n| n.name == spec.actor);
    let typed = !matches!(spec.actor.as_str(), DATABASE | IMAGED) || has(&"db".to_owned());
    linked
        && typed
        && spec.requirements.require.iter().all(has)
        && spec.requirements.equal.iter().all(|(key, value)| capabilities.value(key) == Some(value))
        && check(&spec.actor, capabilities, false).verdict == CheckVerdict::Accepted
}
