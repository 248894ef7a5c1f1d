//! The bytes of what the file holds: a CRC-32 over its place and its body, then the body as MessagePack with field
//! names.
//!
//! The store's own checksums are looked at when it is opened; this one goes with the entry, and its number is in it
//! so that an entry in the wrong place is noticed too. The shapes are this file's own and not the consensus
//! library's, so that another version of it reads them.

use super::LedgerError;
use super::limits::RECORD_BYTES_MAX;
use super::types::{Entry, Id, LogId, Membership, Seat, SnapshotMeta, StoredMembership, Vote, log_id};
use odeon_convention::record::Record;
use openraft::EntryPayload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const CRC_BYTES: usize = 4;

/// An entry of the log; its index is its key.
#[derive(Serialize, Deserialize)]
struct Kept {
    term: u64,
    what: What,
}

#[derive(Serialize, Deserialize)]
enum What {
    /// A leader's first word in its term.
    Blank,
    Record(Record),
    Group(Group),
}

/// Who leads together: one set of voters, or two while it changes.
#[derive(Serialize, Deserialize)]
struct Group {
    voters: Vec<BTreeSet<Id>>,
    seats: BTreeMap<Id, Seat>,
}

impl Group {
    fn of(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            seats: membership.nodes().map(|(id, seat)| (*id, seat.clone())).collect(),
        }
    }

    fn membership(self) -> Result<Membership, String> {
        // A group that nobody is in yet has no set of voters, which is none that can be agreed on.
        if self.voters.is_empty() && self.seats.is_empty() {
            return Ok(Membership::default());
        }
        Membership::new(self.voters, self.seats).map_err(|e| e.to_string())
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct At {
    term: u64,
    index: u64,
}

impl From<LogId> for At {
    fn from(id: LogId) -> Self {
        Self { term: id.committed_leader_id().term, index: id.index() }
    }
}

impl From<At> for LogId {
    fn from(at: At) -> Self {
        log_id(at.term, at.index)
    }
}

/// Whom a node voted for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct KeptVote {
    term: u64,
    node: Id,
    granted: bool,
}

impl From<Vote> for KeptVote {
    fn from(vote: Vote) -> Self {
        let leader = vote.leader_id();
        Self { term: leader.term, node: leader.voted_for, granted: vote.is_committed() }
    }
}

impl From<KeptVote> for Vote {
    fn from(kept: KeptVote) -> Self {
        let KeptVote { term, node, granted } = kept;
        if granted { Vote::new_committed(term, node) } else { Vote::new(term, node) }
    }
}

#[derive(Serialize, Deserialize)]
struct KeptSnapshot {
    last: Option<At>,
    group_at: Option<At>,
    group: Group,
}

fn crc(place: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.to_be_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// The number that stands for the place of something that is no entry.
fn place(name: &str) -> u64 {
    u64::from(crc32fast::hash(name.as_bytes())) | 1 << 63
}

pub(super) fn seal(place: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CRC_BYTES + body.len());
    bytes.extend_from_slice(&crc(place, body).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn unseal(place: u64, bytes: &[u8]) -> Result<&[u8], String> {
    let Some((sum, body)) = bytes.split_first_chunk::<CRC_BYTES>() else {
        return Err(format!("{} bytes are nothing that was written", bytes.len()));
    };
    let (found, expected) = (crc(place, body), u32::from_be_bytes(*sum));
    if found != expected {
        return Err(format!("its checksum is {found:08x}, it was written with {expected:08x}"));
    }
    Ok(body)
}

/// Whether a ledger can hold the record, before anybody is asked to agree on it.
pub(super) fn check_size(index: u64, record: &Record) -> Result<usize, LedgerError> {
    let body = rmp_serde::to_vec_named(record)
        .map_err(|e| LedgerError::Io { what: format!("record {index} cannot be encoded: {e}") })?;
    if body.len() > RECORD_BYTES_MAX {
        return Err(LedgerError::RecordTooLarge { index, found: body.len() });
    }
    Ok(body.len())
}

pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, LedgerError> {
    let index = entry.log_id.index();
    let what = match &entry.payload {
        EntryPayload::Blank => What::Blank,
        EntryPayload::Normal(record) => What::Record(record.clone()),
        EntryPayload::Membership(membership) => What::Group(Group::of(membership)),
    };
    let kept = Kept { term: entry.log_id.committed_leader_id().term, what };
    let body = rmp_serde::to_vec_named(&kept)
        .map_err(|e| LedgerError::Io { what: format!("entry {index} cannot be encoded: {e}") })?;
    Ok(seal(index, &body))
}

pub(super) fn decode(index: u64, bytes: &[u8]) -> Result<Entry, LedgerError> {
    let corrupt = |what: String| LedgerError::CorruptEntry { index, what };
    let body = unseal(index, bytes).map_err(corrupt)?;
    let kept: Kept = rmp_serde::from_slice(body).map_err(|e| match unknown_kind(&e.to_string()) {
        Some(kind) => LedgerError::UnknownKind { index, kind },
        None => corrupt(e.to_string()),
    })?;
    let payload = match kept.what {
        What::Blank => EntryPayload::Blank,
        What::Record(record) => EntryPayload::Normal(record),
        What::Group(group) => EntryPayload::Membership(group.membership().map_err(corrupt)?),
    };
    Ok(Entry { log_id: log_id(kept.term, index), payload })
}

/// The kind that a later version wrote and this one does not know.
fn unknown_kind(error: &str) -> Option<String> {
    let (_, rest) = error.split_once("unknown variant `")?;
    rest.split_once('`').map(|(kind, _)| kind.to_owned())
}

fn named<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>, LedgerError> {
    let body = rmp_serde::to_vec_named(value)
        .map_err(|e| LedgerError::Io { what: format!("the {name} cannot be encoded: {e}") })?;
    Ok(seal(place(name), &body))
}

fn read_named<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LedgerError> {
    let corrupt = |what: String| LedgerError::Corrupt { what: format!("its {name}: {what}") };
    let body = unseal(place(name), bytes).map_err(corrupt)?;
    rmp_serde::from_slice(body).map_err(|e| corrupt(e.to_string()))
}

pub(super) const VOTE: &str = "vote";
pub(super) const COMMITTED: &str = "committed";
pub(super) const PURGED: &str = "purged";
pub(super) const SNAPSHOT: &str = "snapshot";
pub(super) const FACTS: &str = "facts";

pub(super) fn encode_vote(vote: &Vote) -> Result<Vec<u8>, LedgerError> {
    named(VOTE, &KeptVote::from(*vote))
}

pub(super) fn decode_vote(bytes: &[u8]) -> Result<Vote, LedgerError> {
    read_named::<KeptVote>(VOTE, bytes).map(Vote::from)
}

/// `name` is [`COMMITTED`] or [`PURGED`].
pub(super) fn encode_log_id(name: &str, id: LogId) -> Result<Vec<u8>, LedgerError> {
    named(name, &At::from(id))
}

pub(super) fn decode_log_id(name: &str, bytes: &[u8]) -> Result<LogId, LedgerError> {
    read_named::<At>(name, bytes).map(LogId::from)
}

pub(super) fn encode_meta(meta: &SnapshotMeta) -> Result<Vec<u8>, LedgerError> {
    let kept = KeptSnapshot {
        last: meta.last_log_id.map(At::from),
        group_at: meta.last_membership.log_id().map(At::from),
        group: Group::of(meta.last_membership.membership()),
    };
    named(SNAPSHOT, &kept)
}

pub(super) fn decode_meta(bytes: &[u8]) -> Result<SnapshotMeta, LedgerError> {
    let kept: KeptSnapshot = read_named(SNAPSHOT, bytes)?;
    let membership =
        kept.group.membership().map_err(|what| LedgerError::Corrupt { what: format!("its snapshot: {what}") })?;
    Ok(SnapshotMeta {
        last_log_id: kept.last.map(LogId::from),
        last_membership: StoredMembership::new(kept.group_at.map(LogId::from), membership),
    })
}

/// The facts of a snapshot are bytes already.
pub(super) fn seal_facts(facts: &[u8]) -> Vec<u8> {
    seal(place(FACTS), facts)
}

pub(super) fn unseal_facts(bytes: &[u8]) -> Result<Vec<u8>, LedgerError> {
    unseal(place(FACTS), bytes)
        .map(<[u8]>::to_vec)
        .map_err(|what| LedgerError::Corrupt { what: format!("the facts of its snapshot: {what}") })
}
