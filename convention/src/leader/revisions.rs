//! Whose capabilities have changed, in the order of the records that did so last.

use odeon::NodeId;
use std::collections::BTreeMap;

/// The members whose present starts have changed their capabilities.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    by_record: BTreeMap<u64, NodeId>,
    of: BTreeMap<NodeId, u64>,
}

impl Revisions {
    /// A member's capabilities were changed by this record last, or never.
    pub(super) fn set(&mut self, id: NodeId, record: Option<u64>) {
        let before = match record {
            Some(record) => self.of.insert(id, record),
            None => self.of.remove(&id),
        };
        if let Some(before) = before {
            self.by_record.remove(&before);
        }
        self.by_record.extend(record.map(|record| (record, id)));
    }

    /// Those that were changed last by a record after this one.
    pub(super) fn after(&self, record: u64) -> impl Iterator<Item = (u64, NodeId)> {
        let from = (std::ops::Bound::Excluded(record), std::ops::Bound::Unbounded);
        self.by_record.range(from).map(|(record, id)| (*record, *id))
    }
}
