//! Answers what other leaders ask about the log.

use super::Ledger;
use super::entry;
use super::limits::ELECTION_MAX;
use super::types::Vote;
use super::wire::{self, Answer, Question};
use openraft::Snapshot;
use openraft::raft::VoteRequest;

impl Ledger {
    /// Answers one question. The asker is a leader of this convention, by its certificate.
    pub(crate) async fn answer(&self, question: &[u8]) -> Vec<u8> {
        let answer = match wire::decode(question) {
            Ok(question) => self.answer_to(question).await.unwrap_or_else(Answer::Refused),
            Err(why) => Answer::Refused(format!("a question that cannot be understood: {why}")),
        };
        // An answer is a few words: it can be encoded.
        wire::encode(&answer).unwrap_or_default()
    }

    async fn answer_to(&self, question: Question) -> Result<Answer, String> {
        match question {
            Question::Append { vote, before, entries, agreed } => {
                let request = wire::append_request(vote, before, &entries, agreed).map_err(|e| e.to_string())?;
                self.raft.append_entries(request).await.map(Answer::from).map_err(|e| e.to_string())
            }
            Question::Vote { vote, last, only_would } => {
                if self.opened.elapsed() < ELECTION_MAX {
                    // It may have answered a leader a moment before it ended, who counts on its answer.
                    return Err("it started a moment ago".to_owned());
                }
                let request = VoteRequest::new(Vote::from(vote), last.map(Into::into));
                let voted = if only_would { self.raft.pre_vote(request).await } else { self.raft.vote(request).await };
                voted.map(Answer::from).map_err(|e| e.to_string())
            }
            Question::Snapshot { vote, meta, facts } => {
                let meta = entry::decode_meta(&meta).map_err(|e| e.to_string())?;
                let snapshot = entry::unseal_facts(&facts).map_err(|e| e.to_string())?;
                let installed = self.raft.install_full_snapshot(vote.into(), Snapshot { meta, snapshot }).await;
                installed.map(|response| Answer::Installed { vote: response.vote.into() }).map_err(|e| e.to_string())
            }
        }
    }
}
