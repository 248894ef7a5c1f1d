//! What leaders say to each other about their log: one question and one answer on a stream of its own.
//!
//! The shapes are this file's own and not the consensus library's, so that another version of it reads them.

use super::LedgerError;
use super::entry::{self, At, KeptVote};
use super::limits::APPEND_BYTES_MAX;
use super::types::{Entry, LogId, Types};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// Follow me, and take these entries after that one.
    Append { vote: KeptVote, before: Option<At>, entries: Vec<Sealed>, agreed: Option<At> },
    /// Elect me; or, would you?
    Vote { vote: KeptVote, last: Option<At>, only_would: bool },
    /// Follow me, and take this in the place of all entries up to some place.
    Snapshot {
        vote: KeptVote,
        #[serde(with = "odeon::bytes")]
        meta: Vec<u8>,
        #[serde(with = "odeon::bytes")]
        facts: Vec<u8>,
    },
}

/// An entry as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sealed {
    index: u64,
    #[serde(with = "odeon::bytes")]
    bytes: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Appended,
    AppendedUpTo(Option<At>),
    /// The entry before is another one here.
    Conflict,
    /// Somebody else is followed here.
    HigherVote(KeptVote),
    Voted {
        vote: KeptVote,
        granted: bool,
        last: Option<At>,
    },
    Installed {
        vote: KeptVote,
    },
    /// Nothing was done.
    Refused(String),
}

pub(super) fn encode<T: Serialize>(word: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(word).map_err(|e| e.to_string())
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|e| e.to_string())
}

/// The question for as many entries as fit, and the last of them when these are not all.
pub(super) fn append(rpc: &AppendEntriesRequest<Types>) -> Result<(Question, Option<LogId>), LedgerError> {
    let (mut entries, mut size) = (Vec::new(), 0);
    let mut cut = None;
    for entry in &rpc.entries {
        let bytes = entry::encode(entry)?;
        if size > 0 && size + bytes.len() > APPEND_BYTES_MAX {
            cut = rpc.entries.get(entries.len() - 1).map(|last: &Entry| last.log_id);
            break;
        }
        size += bytes.len();
        entries.push(Sealed { index: entry.log_id.index(), bytes });
    }
    let (before, agreed) = (rpc.prev_log_id.map(At::from), rpc.leader_commit.map(At::from));
    Ok((Question::Append { vote: rpc.vote.into(), before, entries, agreed }, cut))
}

pub(super) fn append_request(
    vote: KeptVote,
    before: Option<At>,
    entries: &[Sealed],
    agreed: Option<At>,
) -> Result<AppendEntriesRequest<Types>, LedgerError> {
    Ok(AppendEntriesRequest {
        vote: vote.into(),
        prev_log_id: before.map(LogId::from),
        entries: entries.iter().map(|sealed| entry::decode(sealed.index, &sealed.bytes)).collect::<Result<_, _>>()?,
        leader_commit: agreed.map(LogId::from),
    })
}

impl From<AppendEntriesResponse<Types>> for Answer {
    fn from(response: AppendEntriesResponse<Types>) -> Self {
        match response {
            AppendEntriesResponse::Success => Answer::Appended,
            AppendEntriesResponse::PartialSuccess(upto) => Answer::AppendedUpTo(upto.map(At::from)),
            AppendEntriesResponse::Conflict => Answer::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Answer::HigherVote(vote.into()),
        }
    }
}

pub(super) fn vote(rpc: &VoteRequest<Types>, only_would: bool) -> Question {
    Question::Vote { vote: rpc.vote.into(), last: rpc.last_log_id.map(At::from), only_would }
}

impl From<VoteResponse<Types>> for Answer {
    fn from(response: VoteResponse<Types>) -> Self {
        let VoteResponse { vote, vote_granted, last_log_id } = response;
        Answer::Voted { vote: vote.into(), granted: vote_granted, last: last_log_id.map(At::from) }
    }
}
