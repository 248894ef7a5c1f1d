//! The answers of actors' own checks, remembered by what they read: asked once per distinct set of values.

use crate::limits;
use crate::types::{CheckOutcome, CheckVerdict, CreateSpec, SourceHash};
use hashbrown::HashMap;
use odeon_capabilities::{CapabilityMap, Reads, Requirements};

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

#[derive(Debug, Default)]
pub(crate) struct Memo {
    answers: HashMap<CheckKey, Vec<(Reads, CheckVerdict)>>,
}

impl Memo {
    pub(crate) fn verdict(&self, key: &CheckKey, map: &CapabilityMap) -> Option<&CheckVerdict> {
        self.answers.get(key)?.iter().find(|(reads, _)| reads.agree(map)).map(|(_, verdict)| verdict)
    }

    /// Remembers an answer. A full memo starts again: asking twice costs a call, never a wrong answer.
    pub(crate) fn remember(&mut self, key: CheckKey, outcome: CheckOutcome) {
        if self.answers.len() >= limits::MEMO_KEYS_MAX && !self.answers.contains_key(&key) {
            self.answers.clear();
        }
        let answers = self.answers.entry(key).or_default();
        if answers.len() >= limits::MEMO_ANSWERS_MAX {
            answers.clear();
        }
        answers.push((outcome.read, outcome.verdict));
    }

    /// The code of an image is not there any more.
    pub(crate) fn forget_image(&mut self, hash: SourceHash) {
        self.answers.retain(|key, _| key.image != Some(hash));
    }
}
