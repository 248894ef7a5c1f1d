//! A line of a file of the store: one JSON object.

use crate::admin::protocol::{Item, LogGap, LogLine};
use odeon::NodeId;
use serde::{Deserialize, Serialize};

/// A stored line or gap with where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::logs) struct Row {
    pub(in crate::logs) node_id: String,
    pub(in crate::logs) incarnation: u32,
    /// When it came in, by the leader's clock.
    pub(in crate::logs) received: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    line: Option<LogLine>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gap: Option<LogGap>,
}

/// How far a node had come when a file was begun: its id, its start, and its last number.
pub(super) type Cursor = (String, u32, u64);

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) odeon_logs: u32,
    pub(super) cursors: Vec<Cursor>,
}

impl Row {
    pub(super) fn new(id: NodeId, incarnation: u32, received: &str, item: Item) -> Self {
        let (line, gap) = match item {
            Item::Log(line) => (Some(line), None),
            Item::Gap(gap) => (None, Some(gap)),
        };
        Self { node_id: id.to_string(), incarnation, received: received.to_owned(), line, gap }
    }

    /// What a reader is given; none for a row with nothing in it.
    pub(in crate::logs) fn item(self) -> Option<Item> {
        self.line.map(Item::Log).or(self.gap.map(Item::Gap))
    }

    pub(in crate::logs) fn line(&self) -> Option<&LogLine> {
        self.line.as_ref()
    }

    /// The node's name.
    pub(in crate::logs) fn node(&self) -> &str {
        self.line.as_ref().map(|l| l.node.as_str()).or(self.gap.as_ref().map(|g| g.node.as_str())).unwrap_or_default()
    }

    /// The first and last number that it accounts for.
    pub(super) fn range(&self) -> (u64, u64) {
        let line = self.line.as_ref().map(|l| (l.seq, l.seq));
        line.or(self.gap.as_ref().map(|g| (g.from, g.to))).unwrap_or((0, 0))
    }
}
