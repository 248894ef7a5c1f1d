//! An actor that is the Source Authority of the convention is asked for its verdict on an image that was pushed.

use super::pending::Place;
use super::{NodeBackend, failed, not_leading};
use crate::admin::protocol::Failed;
use crate::hosting::{NoWord, Question};
use odeon_convention::codes;
use odeon_convention::leader::Operation;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::AuthorityActor;
use odeon_sourceauth::Word;
use std::time::{Duration, Instant};

/// How often it is looked at whether the actor is still the authority, and this node still leads.
const AUTHORITY_LOOK: Duration = Duration::from_millis(100);

/// How a talk ended without a failure.
pub(super) enum Consulted {
    Said(Word),
    /// Another authority decides now.
    Replaced,
}

impl NodeBackend {
    /// Asks, and waits until `until` for the verdict. Nothing is written but that an actor is gone that cannot be reached.
    pub(super) async fn consult(
        &self,
        who: AuthorityActor,
        question: &Question,
        answer_ms: u64,
        until: Instant,
        place: &mut Place,
    ) -> Result<Consulted, Failed> {
        let left = until.saturating_duration_since(Instant::now());
        let said = place.unless_withdrawn(async {
            tokio::select! {
                said = self.hosting.examine(&who, question, left) => said.map(Consulted::Said).map_err(Ok),
                ended = self.is_it_no_more(&who, answer_ms) => ended.map_err(Err),
            }
        });
        let why = match said.await? {
            Ok(consulted) => return Ok(consulted),
            Err(Err(failed)) => return Err(failed),
            Err(Ok(why)) => why,
        };
        let absent = |what: &str| failed(codes::AUTHORITY_ABSENT, format!("the Source Authority, {who}, {what}"));
        Err(match why {
            NoWord::Unasked(error) => failed(codes::INTERNAL, error.to_string()),
            NoWord::Ended(why) => absent(&why),
            NoWord::Gone => {
                self.operation(Operation::AuthorityMissing { address: who.address }).await?;
                absent("is gone")
            }
            NoWord::Silent => {
                let s = Duration::from_millis(answer_ms).as_secs_f32();
                let message = format!("the Source Authority, {who}, has not spoken within {s} s");
                failed(codes::AUTHORITY_SILENT, message)
            }
        })
    }

    /// Returns once another authority decides, or another node leads.
    async fn is_it_no_more(&self, who: &AuthorityActor, answer_ms: u64) -> Result<Consulted, Failed> {
        let ledger = self.ledger.as_ref().ok_or_else(not_leading)?;
        loop {
            tokio::time::sleep(AUTHORITY_LOOK).await;
            if !ledger.may_lead() {
                return Err(not_leading());
            }
            let still = ledger.look(|facts| {
                let same =
                    matches!(facts.authority(), AuthoritySetting::Actor { answer_ms: ms, .. } if *ms == answer_ms);
                same && facts.authority_actor() == Some(who)
            });
            if !still {
                return Ok(Consulted::Replaced);
            }
        }
    }
}
