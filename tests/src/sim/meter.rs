//! What passes between the members and their leader, counted, and how long the leader's machine takes for each input.

use odeon_convention::leader::{Input, Operation};
use odeon_convention::wire::ToLeader;
use std::collections::BTreeMap;
use std::ops::Sub;
use std::time::{Duration, Instant};

/// How many words, without those that a member says to nobody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words {
    /// Renewals of leases. Not among `to_leader`.
    pub renewals: u64,
    /// From members to the leader.
    pub to_leader: u64,
    /// From the leader to members.
    pub from_leader: u64,
    /// Facts that were written into the ledger.
    pub records: u64,
}

impl Sub for Words {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            renewals: self.renewals - earlier.renewals,
            to_leader: self.to_leader - earlier.to_leader,
            from_leader: self.from_leader - earlier.from_leader,
            records: self.records - earlier.records,
        }
    }
}

/// How long inputs took, by their kinds.
pub(super) type Took = BTreeMap<&'static str, Vec<Duration>>;

#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) words: Words,
    /// None while nobody wants to know: to look at a clock costs as much as some inputs do.
    pub(super) took: Option<Took>,
}

impl Meter {
    /// A member says something to its leader.
    pub(super) fn said(&mut self, message: &ToLeader) {
        match message {
            ToLeader::Renew { .. } => self.words.renewals += 1,
            _ => self.words.to_leader += 1,
        }
    }

    /// The leader is about to handle an input.
    pub(super) fn begin(&self, input: &Input) -> Option<(&'static str, Instant)> {
        self.took.as_ref().map(|_| (kind(input), Instant::now()))
    }

    /// It has done so.
    pub(super) fn end(&mut self, began: Option<(&'static str, Instant)>) {
        if let (Some((kind, at)), Some(took)) = (began, &mut self.took) {
            took.entry(kind).or_default().push(at.elapsed());
        }
    }
}

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Connected { .. } => "Connected",
        Input::Received { message: ToLeader::Register(_), .. } => "Register",
        Input::Received { message: ToLeader::Renew { .. }, .. } => "Renew",
        Input::Received { message: ToLeader::CapabilitiesChanged { .. }, .. } => "CapabilitiesChanged",
        Input::Received { message: ToLeader::Create { .. }, .. } => "Create",
        Input::Received { message: ToLeader::Placed { .. }, .. } => "Placed",
        Input::Operation { operation: Operation::Admit { .. }, .. } => "Admit",
        Input::Committed { .. } => "Committed",
        Input::Checked { .. } => "Checked",
        Input::Heard { .. } => "Heard",
        Input::Flushed => "Flushed",
        Input::Timer => "Timer",
        Input::Clock { .. }
        | Input::Disconnected { .. }
        | Input::Group { .. }
        | Input::Received { .. }
        | Input::Operation { .. } => "others",
    }
}
