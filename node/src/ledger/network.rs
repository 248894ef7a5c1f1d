//! How leaders reach each other: the consensus library's words, each as a question that some way carries.

use super::entry;
use super::limits::{QUESTION_BYTES_MAX, SNAPSHOT_TIME_MAX};
use super::types::{Id, LogId, Seat, Types, Vote};
use super::wire::{self, Answer, Question};
use crate::link::{BoxFuture, Links};
use crate::purpose;
use odeon::NodeId;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::type_config::alias::SnapshotOf;
use openraft::{AnyError, OptionalSend};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Carries a question to another leader and brings its answer.
pub(crate) trait Way: Send + Sync + 'static {
    /// An error says for people why there is no answer; the question may have arrived all the same.
    fn ask(&self, leader: NodeId, question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, String>>;
}

impl Way for Links {
    fn ask(&self, leader: NodeId, question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(async move {
            let node = self.connected(leader).ok_or("no link")?;
            let (mut send, mut receive) = self.open(node, purpose::LEDGER).await.map_err(|e| e.to_string())?;
            send.write_all(&question).await.map_err(|e| e.to_string())?;
            send.finish().map_err(|e| e.to_string())?;
            receive.read_to_end(QUESTION_BYTES_MAX).await.map_err(|e| e.to_string())
        })
    }
}

/// The way to all the others.
pub(super) struct Network(pub(super) Arc<dyn Way>);

/// The way to one of them.
pub(super) struct Peer {
    way: Arc<dyn Way>,
    id: Id,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: Id, _seat: &Seat) -> Peer {
        Peer { way: self.0.clone(), id: target }
    }
}

impl Peer {
    async fn ask(&self, question: &Question, within: Duration) -> Result<Answer, Unreachable<Types>> {
        let failed = |why: String| Unreachable::from_string(format!("leader {}: {why}", self.id));
        let question = wire::encode(question).map_err(failed)?;
        match tokio::time::timeout(within, self.way.ask(self.id.0, question)).await {
            Ok(Ok(answer)) => wire::decode(&answer).map_err(failed),
            Ok(Err(why)) => Err(failed(why)),
            Err(_) => Err(failed(format!("no answer within {} ms", within.as_millis()))),
        }
    }

    async fn vote_or_would(
        &self,
        rpc: &VoteRequest<Types>,
        only_would: bool,
        option: &RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self.ask(&wire::vote(rpc, only_would), option.soft_ttl()).await? {
            Answer::Voted { vote, granted, last } => {
                Ok(VoteResponse::new(Vote::from(vote), last.map(LogId::from), granted))
            }
            other => Err(unexpected(&other).into()),
        }
    }
}

fn unexpected(answer: &Answer) -> Unreachable<Types> {
    match answer {
        Answer::Refused(why) => Unreachable::from_string(why),
        other => Unreachable::from_string(format!("an answer to another question: {other:.100?}")),
    }
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let own = |e: super::LedgerError| NetworkError::new(&AnyError::new(&e));
        let (question, cut) = wire::append(&rpc).map_err(own)?;
        match self.ask(&question, option.soft_ttl()).await? {
            Answer::Appended => Ok(match cut {
                Some(last) => AppendEntriesResponse::PartialSuccess(Some(last)),
                None => AppendEntriesResponse::Success,
            }),
            Answer::AppendedUpTo(upto) => Ok(AppendEntriesResponse::PartialSuccess(upto.map(LogId::from))),
            Answer::Conflict => Ok(AppendEntriesResponse::Conflict),
            Answer::HigherVote(vote) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
            other => Err(unexpected(&other).into()),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.vote_or_would(&rpc, false, &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.vote_or_would(&rpc, true, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, Vec<u8>>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let own = |e: super::LedgerError| NetworkError::new(&AnyError::new(&e));
        let meta = entry::encode_meta(&snapshot.meta).map_err(own)?;
        let question = Question::Snapshot { vote: vote.into(), meta, facts: entry::seal_facts(&snapshot.snapshot) };
        let answer = tokio::select! {
            answer = self.ask(&question, SNAPSHOT_TIME_MAX) => answer?,
            closed = cancel => return Err(closed.into()),
        };
        match answer {
            Answer::Installed { vote } => Ok(SnapshotResponse::new(vote.into())),
            other => Err(unexpected(&other).into()),
        }
    }
}
