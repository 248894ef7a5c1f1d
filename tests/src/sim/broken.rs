//! Deliberate mistakes of the simulator's driver: each proves that a checker can fail.

use odeon_capabilities::Reads;
use odeon_convention::types::{CheckOutcome, CheckVerdict};

/// The mistake that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// None.
    Nothing,
    /// The leader is told that a record is durable before it is.
    AnswerBeforeCommit,
    /// A member that registers does not say what it hosts.
    ForgetHosted,
    /// A member is told twice that a node is gone.
    GoneTwice,
    /// Renewals, and the answers of those that are asked for one, are lost on links that work.
    LoseRenewals,
    /// Every check is taken as accepted, by leader and members.
    AcceptEverything,
    /// Answers to creations are lost on links that work.
    LoseAnswers,
    /// Actors are told twice what they watch.
    TellNewsTwice,
    /// Some of what actors watch is never told to them.
    LoseNews,
    /// Members confirm revocations and do not hear of them.
    ConfirmUnheard,
    /// Members keep the bytes of a revoked image, and confirm all the same.
    KeepRevoked,
    /// That an actor is gone that was the Source Authority is lost on links that work.
    LoseAuthorityExits,
}

impl Broken {
    /// What comes of a check.
    pub(super) fn spoil(self, outcome: CheckOutcome) -> CheckOutcome {
        match self {
            Broken::AcceptEverything => CheckOutcome { verdict: CheckVerdict::Accepted, read: Reads::default() },
            _ => outcome,
        }
    }
}
