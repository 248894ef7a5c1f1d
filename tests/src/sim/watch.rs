//! What was seen, and the checkers that watch it. One invariant a file.

mod accepted;
mod authority;
mod durable;
mod gone;
mod groups;
mod names;
mod once;
mod progress;
mod revoked;
mod told;

use odeon::{Address, NodeRef, Topic};
use odeon_capabilities::CapabilityMap;
use odeon_convention::leader::{Answer, Operation};
use odeon_convention::record::Record;
use odeon_convention::types::{AuthorityActor, CreateOutcome, CreateSpec, RequestId, SourceHash};
use odeon_convention::watching::News;

pub(super) use progress::{Ending, settled};

/// Something that the simulator did or saw a machine do.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Seen {
    NodeStarted {
        node: NodeRef,
    },
    NodeEnded {
        node: NodeRef,
    },
    /// A start of a node is durably known to be gone. `sound_for_ms` is how long it had lived with a sound link, if
    /// it lived at all.
    DeclaredGone {
        node: NodeRef,
        sound_for_ms: Option<u64>,
    },
    /// A member told its node that a node is gone.
    ToldGone {
        to: NodeRef,
        node: NodeRef,
    },
    /// A member launches; `accepts` is the truth of that moment.
    Launching {
        host: NodeRef,
        request: RequestId,
        accepts: bool,
    },
    ActorBorn {
        host: NodeRef,
        address: Address,
        request: RequestId,
        name: Option<String>,
        group: Option<String>,
        image: Option<SourceHash>,
    },
    ActorEnded {
        host: NodeRef,
        address: Address,
    },
    /// A creation was answered where it was asked.
    Answered {
        asker: NodeRef,
        spec: Box<CreateSpec>,
        outcome: CreateOutcome,
    },
    /// The leader answered an operator.
    OperatorAnswered {
        operation: Operation,
        answer: Answer,
    },
    /// The leader told a member that its registration is durable.
    Welcomed {
        node: NodeRef,
    },
    /// An actor asks to be told of a topic, or not any more.
    Watches {
        by: Address,
        topic: Topic,
        on: bool,
    },
    /// An actor is told something that it watches.
    ToldNews {
        to: Address,
        news: News,
    },
    /// A node was told that an image is revoked.
    ToldRevoked {
        node: NodeRef,
        hash: SourceHash,
    },
    /// A node says that it has done what so many revocations ask of it.
    ConfirmsRevocations {
        node: NodeRef,
        upto: u64,
    },
    /// The end of the run: what the leader shows, what there is of revoked images, and which actor is the authority.
    Settled {
        members: Vec<(NodeRef, CapabilityMap)>,
        images: Vec<SourceHash>,
        revoked: Vec<Left>,
        authority: Option<AuthorityActor>,
    },
    /// A record is durable.
    Durable {
        record: Record,
    },
    /// A leader has replayed its ledger; what it then shows.
    LeaderStarted {
        images: Vec<([u8; 32], bool)>,
        tokens: Vec<([u8; 32], u32)>,
    },
}

/// What there is of a revoked image when all is quiet.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Left {
    pub hash: SourceHash,
    /// Members that have not confirmed.
    pub unconfirmed: usize,
    /// Nodes that have its bytes.
    pub stores: usize,
    pub actors: usize,
}

/// One invariant.
pub trait Checker {
    /// Its name, as a failure shows it.
    fn name(&self) -> &'static str;
    /// Takes in what was seen; the error says what does not hold.
    fn observe(&mut self, seen: &Seen) -> Result<(), String>;
}

/// All of them.
pub fn checkers(lease_ms: u64) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(names::OneActorPerName::default()),
        Box::new(groups::OneActorPerGroup::default()),
        Box::new(once::CreatedOnce::default()),
        Box::new(durable::AnswersAreDurable::default()),
        Box::new(gone::GoneIsTrueAndToldOnce::new(lease_ms)),
        Box::new(accepted::HostAccepts),
        Box::new(told::NewsIsToldOnce::default()),
        Box::new(revoked::NothingOfTheRevoked::default()),
        Box::new(authority::AuthorityIsPermittedAndLives::default()),
    ]
}
