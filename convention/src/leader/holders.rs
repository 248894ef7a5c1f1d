//! Who holds which image, so that a few of them can be taken without asking every member.

use crate::types::SourceHash;
use odeon::NodeId;
use std::collections::BTreeMap;

/// The holders of every image that somebody holds.
#[derive(Debug, Default)]
pub(crate) struct Holders(BTreeMap<SourceHash, Crowd>);

/// Nodes that can be drawn from: a list, and where each node is in it.
#[derive(Debug, Default)]
struct Crowd {
    list: Vec<NodeId>,
    at: BTreeMap<NodeId, usize>,
}

impl Holders {
    pub(crate) fn add(&mut self, hash: SourceHash, id: NodeId) {
        let crowd = self.0.entry(hash).or_default();
        if !crowd.at.contains_key(&id) {
            crowd.at.insert(id, crowd.list.len());
            crowd.list.push(id);
        }
    }

    pub(crate) fn remove(&mut self, hash: SourceHash, id: NodeId) {
        let Some(crowd) = self.0.get_mut(&hash) else { return };
        let Some(at) = crowd.at.remove(&id) else { return };
        crowd.list.swap_remove(at);
        if let Some(moved) = crowd.list.get(at) {
            crowd.at.insert(*moved, at);
        }
        if crowd.list.is_empty() {
            self.0.remove(&hash);
        }
    }

    /// The holders of an image, in no order that means anything, but the same after the same history.
    pub(crate) fn of(&self, hash: SourceHash) -> &[NodeId] {
        self.0.get(&hash).map_or(&[], |crowd| &crowd.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_holders_are_who_came_and_did_not_go(steps in vec((0u8..3, 0u8..8, any::<bool>()), 0..60)) {
            let mut holders = Holders::default();
            let mut plain = BTreeSet::new();
            for (image, n, holds) in steps {
                let (hash, id) = (SourceHash([image; 32]), NodeId([n; 16]));
                if holds {
                    holders.add(hash, id);
                    plain.insert((hash, id));
                } else {
                    holders.remove(hash, id);
                    plain.remove(&(hash, id));
                }
            }
            for hash in (0..3).map(|image| SourceHash([image; 32])) {
                let mut found = holders.of(hash).to_vec();
                found.sort();
                let expected = plain.iter().filter(|(of, _)| *of == hash).map(|(_, id)| *id);
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
            prop_assert!(holders.0.values().all(|crowd| !crowd.list.is_empty()));
        }
    }
}
