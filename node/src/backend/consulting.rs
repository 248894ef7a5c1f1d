//! An actor that is the Source Authority is asked for its verdict on an image.
//!
//! The talk has an address of its own, so what is said there counts for this image only; what somebody else says there
//! is dropped. It is bounded in time, in messages and in bytes, whatever the actor does.

use super::pending::Place;
use super::{NodeBackend, failed, not_leading};
use crate::admin::protocol::Failed;
use crate::hosting::Hosting;
use odeon::system::Envelope;
use odeon::{
    AnyMessage, Message, PoisonMessage, REJECTION_BYTES_MAX, ReadSource, SourceBytes, SourceVerdict, ValidateSource,
    ValidatedSource,
};
use odeon_convention::codes;
use odeon_convention::leader::Operation;
use odeon_convention::record::AuthoritySetting;
use odeon_convention::types::AuthorityActor;
use odeon_sourceauth::{Examination, Word};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often it is looked at whether the actor is still the authority, and this node still leads.
const AUTHORITY_LOOK: Duration = Duration::from_millis(100);

/// What is asked.
pub(super) struct Question {
    /// What was pushed.
    pub(super) bytes: Arc<[u8]>,
    pub(super) hash: String,
    /// From the manifest, where there is one.
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) signatures: Vec<String>,
}

/// How a talk ended without a failure.
pub(super) enum Consulted {
    Said(Word),
    /// Another authority decides now.
    Replaced,
}

/// What is examined, and who waits for the word on it.
type Open = (Examination, oneshot::Sender<Result<Word, String>>);

/// A talk that is under way.
struct Talking {
    hash: String,
    who: AuthorityActor,
    hosting: Arc<Hosting>,
    /// None once it has ended.
    state: Mutex<Option<Open>>,
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
        let ask = ValidateSource {
            hash: question.hash.clone(),
            size_bytes: question.bytes.len() as u64,
            name: question.name.clone(),
            version: question.version.clone(),
            signatures: question.signatures.clone(),
            answer_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        let (end, word) = oneshot::channel();
        let talking = Arc::new(Talking {
            hash: question.hash.clone(),
            who: who.clone(),
            hosting: self.hosting.clone(),
            state: Mutex::new(Some((Examination::new(question.bytes.clone()), end))),
        });
        let hears = talking.clone();
        let talk = self.hosting.talk(who.node, who.address, ask, Box::new(move |envelope| hears.hear(envelope)));
        let mut talk = talk.map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
        let absent = |what: &str| failed(codes::AUTHORITY_ABSENT, format!("the Source Authority, {who}, {what}"));
        place
            .unless_withdrawn(async {
                tokio::select! {
                    said = word => match said {
                        Ok(Ok(word)) => Ok(Consulted::Said(word)),
                        Ok(Err(why)) => Err(absent(&why)),
                        Err(_) => Err(absent("ended the talk")),
                    },
                    () = talk.undeliverable() => {
                        self.operation(Operation::AuthorityMissing { address: who.address }).await?;
                        Err(absent("is gone"))
                    }
                    ended = self.is_it_no_more(&who, answer_ms) => ended,
                    () = tokio::time::sleep(left) => {
                        let s = Duration::from_millis(answer_ms).as_secs_f32();
                        let message = format!("the Source Authority, {who}, has not spoken within {s} s");
                        Err(failed(codes::AUTHORITY_SILENT, message))
                    }
                }
            })
            .await?
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

impl Talking {
    /// A message that came for this talk. In the sender's thread.
    fn hear(&self, envelope: Envelope) {
        let mut state = self.state.lock();
        let Some((examination, _)) = &mut *state else { return };
        if envelope.sender != self.who.address {
            tracing::debug!(sender = %envelope.sender, "a word on an image that is not the authority's was dropped");
            return;
        }
        match self.step(examination, &envelope.message) {
            Ok(Step::Wait) => {}
            Ok(Step::Reply(piece)) => {
                let (to, sender) = (self.who.address, envelope.to);
                let reply = Envelope { to, sender, message: AnyMessage::new(piece) };
                drop(state);
                // So much as is bounded may be under way, so nobody is put aside.
                let _ = self.hosting.send_to(self.who.node, to, reply);
            }
            Ok(Step::End(word)) => end(&mut state, Ok(word)),
            Err(why) => {
                tracing::warn!(authority = %self.who, image = self.hash, why, "the Source Authority is not listened to");
                end(&mut state, Err(why));
            }
        }
    }

    fn step(&self, examination: &mut Examination, message: &AnyMessage) -> Result<Step, String> {
        examination.heard().map_err(|breach| breach.to_string())?;
        if let Some(read) = self.on_this(message, |read: &ReadSource| &read.hash) {
            let bytes = examination.read(read.offset, read.bytes_max).map_err(|breach| breach.to_string())?.to_vec();
            return Ok(Step::Reply(SourceBytes { hash: self.hash.clone(), offset: read.offset, bytes }));
        }
        if let Some(piece) = self.on_this(message, |piece: &SourceBytes| &piece.hash) {
            examination.take(piece.offset, &piece.bytes).map_err(|breach| breach.to_string())?;
            return Ok(Step::Wait);
        }
        if let Some(said) = self.on_this(message, |said: &ValidatedSource| &said.hash) {
            return Ok(Step::End(match &said.verdict {
                SourceVerdict::Approved => Word::Approved,
                SourceVerdict::ApprovedAs { size_bytes } => {
                    examination.replaced(*size_bytes).map_err(|breach| breach.to_string())?
                }
                SourceVerdict::Rejected { reason } => Word::Rejected { reason: cut(reason) },
            }));
        }
        match message.get::<PoisonMessage>().filter(|_| message.name() == PoisonMessage::NAME) {
            Some(poison) => Err(format!("failed twice on the image: {}", cut(&poison.details))),
            None => {
                tracing::debug!(authority = %self.who, message = message.name(), "a word on another image was dropped");
                Ok(Step::Wait)
            }
        }
    }

    /// A message of one type, if it is on the image that was asked about.
    fn on_this<'a, M: Message>(&self, message: &'a AnyMessage, hash: impl Fn(&M) -> &String) -> Option<&'a M> {
        let is_named = message.name() == M::NAME;
        message.get::<M>().filter(|said| is_named && *hash(said) == self.hash)
    }
}

enum Step {
    Wait,
    Reply(SourceBytes),
    End(Word),
}

fn end(state: &mut Option<Open>, how: Result<Word, String>) {
    if let Some((_, end)) = state.take() {
        // Who asked may have given up.
        let _ = end.send(how);
    }
}

/// A reason that came from an actor, in one line of a bounded length.
fn cut(reason: &str) -> String {
    let reason = &reason[..reason.floor_char_boundary(REJECTION_BYTES_MAX)];
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
