//! What a node ships at once, and its form on the wire: one byte of version, then MessagePack.

use super::limits::{BATCH_BYTES_MAX, BATCH_ITEMS_MAX};
use super::line::{bound, bound_gap};
use crate::admin::protocol::{LogGap, LogLine};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// Levels of nesting that a reader follows: a batch, its lines, a line, its fields, and the values in a field.
const DEPTH_MAX: usize = 24;

/// Lines and gaps of one start of a node, in the order of their numbers and without a hole between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The start that logged them.
    pub incarnation: u32,
    /// The number of the first line, or the first one missing.
    pub first_seq: u64,
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Lines that were lost at the node.
    pub gaps: Vec<LogGap>,
    /// The last line of this start that a leader has taken, whichever it was: what another one has is not lost.
    #[serde(default)]
    pub acknowledged: u64,
}

/// Why bytes are not a batch, or why one is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum BatchError {
    #[error("a batch of logs has {found} bytes, {BATCH_BYTES_MAX} are allowed")]
    TooLarge { found: usize },
    #[error("a batch of logs has version {found}, this node reads version {VERSION}")]
    Version { found: u8 },
    #[error("the bytes are not a batch of logs: {what}")]
    Malformed { what: String },
    #[error("a batch of logs has {found} lines and gaps, 1 to {BATCH_ITEMS_MAX} are allowed")]
    Items { found: usize },
    #[error("line {found} of a batch of logs comes where {expected} or a later one was expected")]
    Order { found: u64, expected: u64 },
}

impl Batch {
    /// The wire form.
    pub fn encode(&self) -> Result<Vec<u8>, BatchError> {
        let mut bytes = vec![VERSION];
        rmp_serde::encode::write(&mut bytes, self).map_err(|e| BatchError::Malformed { what: e.to_string() })?;
        if bytes.len() > BATCH_BYTES_MAX {
            return Err(BatchError::TooLarge { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads the wire form. Lines of a peer that are too long are cut; a batch whose numbers make no sense is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() > BATCH_BYTES_MAX {
            return Err(BatchError::TooLarge { found: bytes.len() });
        }
        let (version, body) = bytes.split_first().ok_or(BatchError::Malformed { what: "there are none".into() })?;
        if *version != VERSION {
            return Err(BatchError::Version { found: *version });
        }
        let mut reader = rmp_serde::Deserializer::from_read_ref(body);
        reader.set_max_depth(DEPTH_MAX);
        let mut batch = Self::deserialize(&mut reader).map_err(|e| BatchError::Malformed { what: e.to_string() })?;
        batch.check()?;
        batch.lines.iter_mut().for_each(bound);
        batch.gaps.iter_mut().for_each(bound_gap);
        Ok(batch)
    }

    /// The highest number that the batch accounts for.
    pub fn last_seq(&self) -> u64 {
        let line = self.lines.last().map_or(0, |l| l.seq);
        let gap = self.gaps.last().map_or(0, |g| g.to);
        line.max(gap)
    }

    /// Whether the numbers go up from `first_seq`, no line is in a gap, and there is something in it.
    pub fn check(&self) -> Result<(), BatchError> {
        let found = self.lines.len() + self.gaps.len();
        if found == 0 || found > BATCH_ITEMS_MAX {
            return Err(BatchError::Items { found });
        }
        let mut expected = self.first_seq.max(1);
        for item in self.items() {
            let (from, to) = item.range();
            if from < expected || to < from || to == u64::MAX {
                return Err(BatchError::Order { found: from, expected });
            }
            expected = to + 1;
        }
        Ok(())
    }

    /// Lines and gaps in the order of their numbers.
    pub(super) fn items(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut lines = self.lines.iter().peekable();
        let mut gaps = self.gaps.iter().peekable();
        std::iter::from_fn(move || match (lines.peek(), gaps.peek()) {
            (Some(line), Some(gap)) if gap.from < line.seq => gaps.next().map(Piece::Gap),
            (Some(_), _) => lines.next().map(Piece::Line),
            (None, _) => gaps.next().map(Piece::Gap),
        })
    }
}

/// A line or a gap.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    Line(&'a LogLine),
    Gap(&'a LogGap),
}

impl Piece<'_> {
    /// The first and the last number that it accounts for.
    pub(super) fn range(&self) -> (u64, u64) {
        match self {
            Piece::Line(line) => (line.seq, line.seq),
            Piece::Gap(gap) => (gap.from, gap.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::outbox::tests::line;
    use proptest::prelude::*;

    fn numbered(seq: u64) -> LogLine {
        LogLine { seq, ..line(&format!("line {seq}")) }
    }

    fn gap(from: u64, to: u64) -> LogGap {
        LogGap { node: "n".into(), from, to, reason: "rate".into() }
    }

    fn sample() -> Batch {
        Batch {
            incarnation: 3,
            first_seq: 4,
            lines: vec![numbered(4), numbered(8)],
            gaps: vec![gap(5, 7), gap(9, 9)],
            acknowledged: 2,
        }
    }

    #[test]
    fn a_batch_survives_the_wire_and_gives_its_items_in_order() {
        let batch = sample();
        assert_eq!(Batch::decode(&batch.encode().unwrap()), Ok(batch.clone()));
        assert_eq!(batch.items().map(|i| i.range()).collect::<Vec<_>>(), [(4, 4), (5, 7), (8, 8), (9, 9)]);
        assert_eq!(batch.last_seq(), 9);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let overlapping = Batch { gaps: vec![gap(4, 7)], ..sample() };
        let backwards = Batch { lines: vec![numbered(8), numbered(4)], ..sample() };
        let inverted = Batch { gaps: vec![gap(7, 5)], ..sample() };
        let endless = Batch { gaps: vec![gap(9, u64::MAX)], ..sample() };
        for batch in [overlapping, backwards, inverted, endless] {
            assert!(matches!(Batch::decode(&batch.encode().unwrap()), Err(BatchError::Order { .. })), "{batch:?}");
        }
        let empty = Batch { lines: vec![], gaps: vec![], ..sample() };
        assert_eq!(Batch::decode(&empty.encode().unwrap()), Err(BatchError::Items { found: 0 }));
    }

    #[test]
    fn size_and_version_are_checked_first() {
        assert_eq!(Batch::decode(&[2, 0]), Err(BatchError::Version { found: 2 }));
        assert!(matches!(Batch::decode(&vec![1; BATCH_BYTES_MAX + 1]), Err(BatchError::TooLarge { .. })));
        let nested = [&[VERSION][..], &[0x91; 100_000]].concat();
        assert!(matches!(Batch::decode(&nested), Err(BatchError::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn random_bytes_do_not_panic_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = Batch::decode(&bytes);
            let _ = Batch::decode(&[&[VERSION][..], &bytes].concat());
        }

        #[test]
        fn a_damaged_batch_does_not_panic_the_decoder(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = sample().encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(batch) = Batch::decode(&bytes) {
                prop_assert!(batch.check().is_ok());
            }
        }
    }
}
