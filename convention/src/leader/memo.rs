//! The answers of actors' own checks, remembered by what they read: asked once per distinct set of values.

use crate::limits;
use crate::types::{CheckOutcome, CheckVerdict, CreateSpec, Millis, SourceHash};
use odeon_capabilities::{CapabilityMap, Memo, MemoLimits, Reads, Requirements};

/// What a check's answer depends on besides the capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CheckKey {
    pub(crate) actor: String,
    pub(crate) image: Option<SourceHash>,
    pub(crate) requirements: Requirements,
}

impl CheckKey {
    pub(crate) fn of(spec: &CreateSpec) -> Self {
        Self { actor: spec.actor.clone(), image: spec.image, requirements: spec.requirements.clone() }
    }
}

/// With the time at which each was given.
#[derive(Debug)]
pub(crate) struct Verdicts(Memo<CheckKey, (Millis, CheckVerdict)>);

impl Default for Verdicts {
    fn default() -> Self {
        Self(Memo::new(MemoLimits { entries_max: limits::MEMO_ENTRIES_MAX, bytes_max: limits::MEMO_BYTES_MAX }))
    }
}

impl Verdicts {
    /// The answer that holds for a map, with the time at which it was given.
    pub(crate) fn given(&self, key: &CheckKey, map: &CapabilityMap) -> Option<(Millis, CheckVerdict)> {
        self.0.find(key, map).cloned()
    }

    /// A check that could not be finished may do better another time: such an answer counts only when it was given
    /// at `failures_since` or later.
    pub(crate) fn of(&self, key: &CheckKey, map: &CapabilityMap, failures_since: Millis) -> Option<&CheckVerdict> {
        let (given, verdict) = self.0.find(key, map)?;
        let counts = !matches!(verdict, CheckVerdict::Failed(_)) || *given >= failures_since;
        counts.then_some(verdict)
    }

    /// Remembers the answer that was given for `asked`. It holds at least for that very map: whoever waits for it can
    /// go on, whatever the check says that it read.
    pub(crate) fn remember(&mut self, key: CheckKey, asked: &CapabilityMap, outcome: CheckOutcome, now: Millis) {
        let CheckOutcome { verdict, read } = outcome;
        if !(read.agree(asked) && self.0.remember(key.clone(), read, (now, verdict.clone()))) {
            let all = asked.iter().map(|(key, value)| (key.to_owned(), Some(value.clone())));
            self.0.remember(key, Reads(all.collect()), (now, verdict));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_ends_after_one_that_did_not_is_its_answer_whatever_each_had_read() {
        let mut map = CapabilityMap::new();
        map.set("gpu", 1).unwrap();
        let key = CheckKey { actor: "Actor".to_owned(), image: None, requirements: Requirements::none() };
        let mut verdicts = Verdicts::default();
        let failed = CheckVerdict::Failed("it took longer than it may".to_owned());
        verdicts.remember(key.clone(), &map, CheckOutcome { verdict: failed, read: Reads::default() }, 0);
        assert_eq!(verdicts.of(&key, &map, 40_000), None);
        let read = Reads([("gpu".to_owned(), Some(1.into()))].into());
        verdicts.remember(key.clone(), &map, CheckOutcome { verdict: CheckVerdict::Accepted, read }, 50_000);
        assert_eq!(verdicts.of(&key, &map, 40_000), Some(&CheckVerdict::Accepted));
    }
}
