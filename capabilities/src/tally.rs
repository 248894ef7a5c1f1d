//! Refusals of many nodes, counted: what rejects how many, and which nodes nearly fit. It knows sentences, not causes.

use crate::limits::{NEAREST_MAX, REASONS_MAX};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The counted reasons of many refusals.
///
/// ```
/// use odeon_capabilities::Tally;
///
/// let tally = Tally::of([
///     ("a", vec!["lacks capability \"gpu\"".to_owned()]),
///     ("b", vec!["lacks capability \"gpu\"".to_owned(), "where ram > 8 is false".to_owned()]),
///     ("c", vec![]),
/// ]);
/// assert_eq!((tally.nodes, tally.accepted), (3, 1));
/// assert_eq!(tally.rejected[0].reason, "lacks capability \"gpu\"");
/// assert_eq!((tally.rejected[0].nodes, tally.rejected[0].example.as_str()), (2, "a"));
/// assert_eq!(tally.nearest[0].node, "a");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes that were looked at.
    pub nodes: u32,
    /// Nodes without a refusal.
    pub accepted: u32,
    /// Reasons: what rejects most nodes first, then by text. A node counts under each of its reasons.
    pub rejected: Vec<Reason>,
    /// Refused nodes with the fewest reasons, then by name.
    pub nearest: Vec<Near>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The sentence.
    pub reason: String,
    /// How many nodes it rejects.
    pub nodes: u32,
    /// One of them: the first by name.
    pub example: String,
}

/// A node that nearly fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its name.
    pub node: String,
    /// Everything that it lacks.
    pub lacks: Vec<String>,
}

impl Tally {
    /// Counts the refusals of nodes. The order in which they come does not matter, as long as there are at most
    /// [`REASONS_MAX`] different reasons; the nodes of reasons that come later are counted under one reason.
    pub fn of<S: Into<String>>(nodes: impl IntoIterator<Item = (S, Vec<String>)>) -> Self {
        let mut tally = Tally::default();
        let mut reasons: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for (node, lacks) in nodes {
            let node = node.into();
            tally.nodes = tally.nodes.saturating_add(1);
            if lacks.is_empty() {
                tally.accepted = tally.accepted.saturating_add(1);
                continue;
            }
            for reason in &lacks {
                count(&mut reasons, reason, &node);
            }
            tally.consider(node, lacks);
        }
        tally.rejected =
            reasons.into_iter().map(|(reason, (nodes, example))| Reason { reason, nodes, example }).collect();
        // Stable: what has the same count stays sorted by text.
        tally.rejected.sort_by_key(|r| Reverse(r.nodes));
        tally
    }

    /// Keeps the nearest misses sorted and few.
    fn consider(&mut self, node: String, lacks: Vec<String>) {
        let rank = (lacks.len(), node.as_str());
        let at = self.nearest.partition_point(|near| (near.lacks.len(), near.node.as_str()) <= rank);
        if at < NEAREST_MAX {
            self.nearest.truncate(NEAREST_MAX - 1);
            self.nearest.insert(at, Near { node, lacks });
        }
    }
}

fn count(reasons: &mut BTreeMap<String, (u32, String)>, reason: &str, node: &str) {
    const OTHERS: &str = "for other reasons";
    let reason = match reasons.len() < REASONS_MAX || reasons.contains_key(reason) {
        true => reason,
        false => OTHERS,
    };
    match reasons.get_mut(reason) {
        Some((nodes, example)) => {
            *nodes = nodes.saturating_add(1);
            if node < example.as_str() {
                node.clone_into(example);
            }
        }
        None => {
            reasons.insert(reason.to_owned(), (1, node.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<(String, Vec<String>)> {
        (0..40u32)
            .map(|n| {
                let lacks =
                    (1..=4).filter(|d| n % d != 0 || *d == 4 && n % 5 == 0).map(|d| format!("not {d}")).collect();
                (format!("node-{n:02}"), lacks)
            })
            .collect()
    }

    #[test]
    fn counts_do_not_depend_on_the_order_of_nodes() {
        let forward = Tally::of(nodes());
        let backward = Tally::of(nodes().into_iter().rev());
        assert_eq!(forward, backward);
        let by_hand = nodes().iter().filter(|(_, lacks)| lacks.iter().any(|l| l == "not 3")).count();
        let counted = forward.rejected.iter().find(|r| r.reason == "not 3").unwrap();
        assert_eq!(counted.nodes as usize, by_hand);
        assert_eq!(forward.nodes, 40);
        assert_eq!(forward.accepted as usize, nodes().iter().filter(|(_, l)| l.is_empty()).count());
    }

    #[test]
    fn the_most_frequent_reason_comes_first_and_ties_go_by_text() {
        let tally = Tally::of([
            ("z", vec!["b".to_owned()]),
            ("y", vec!["a".to_owned()]),
            ("x", vec!["c".to_owned()]),
            ("w", vec!["c".to_owned()]),
        ]);
        let reasons: Vec<_> = tally.rejected.iter().map(|r| (r.reason.as_str(), r.nodes, r.example.as_str())).collect();
        assert_eq!(reasons, [("c", 2, "w"), ("a", 1, "y"), ("b", 1, "z")]);
    }

    #[test]
    fn the_nearest_misses_are_the_five_with_the_fewest_lacks() {
        let tally = Tally::of(nodes());
        let mut expected: Vec<_> =
            nodes().into_iter().filter(|(_, l)| !l.is_empty()).map(|(n, l)| (l.len(), n)).collect();
        expected.sort();
        let found: Vec<_> = tally.nearest.iter().map(|n| (n.lacks.len(), n.node.clone())).collect();
        assert_eq!(found, expected[..NEAREST_MAX]);
    }

    #[test]
    fn reasons_beyond_the_bound_are_counted_together() {
        let tally = Tally::of((0..1000).map(|n| (format!("n{n}"), vec![format!("reason {n}")])));
        assert_eq!(tally.rejected.len(), REASONS_MAX + 1);
        assert_eq!(tally.rejected[0].nodes as usize, 1000 - REASONS_MAX);
        assert_eq!(tally.rejected.iter().map(|r| r.nodes).sum::<u32>(), 1000);
    }
}
