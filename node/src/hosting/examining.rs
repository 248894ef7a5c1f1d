//! An actor is asked for its word on an image: by the leader, whose Source Authority it is, or by this node for itself.
//!
//! The talk has an address of its own, so what is said there counts for this image only; what somebody else says there
//! is dropped. It is bounded in time, in messages and in bytes, whatever the actor does.

use super::Hosting;
use odeon::system::{Envelope, SpawnError};
use odeon::{
    AnyMessage, Message, PoisonMessage, REJECTION_BYTES_MAX, ReadSource, SourceBytes, SourceVerdict, ValidateSource,
    ValidatedSource,
};
use odeon_convention::types::AuthorityActor;
use odeon_sourceauth::{Examination, Word};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What is asked.
pub(crate) struct Question {
    /// What it is about.
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) hash: String,
    /// From the manifest, where there is one.
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) signatures: Vec<String>,
}

/// Why there is no word. None of these is a verdict.
#[derive(Debug)]
pub(crate) enum NoWord {
    /// The question could not be asked.
    Unasked(SpawnError),
    /// Nobody is at the actor's address.
    Gone,
    Silent,
    /// What the actor did instead.
    Ended(String),
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

impl Hosting {
    /// Asks an actor, and waits for so long for its word.
    pub(crate) async fn examine(
        self: &Arc<Self>,
        who: &AuthorityActor,
        question: &Question,
        within: Duration,
    ) -> Result<Word, NoWord> {
        let ask = ValidateSource {
            hash: question.hash.clone(),
            size_bytes: question.bytes.len() as u64,
            name: question.name.clone(),
            version: question.version.clone(),
            signatures: question.signatures.clone(),
            answer_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        };
        let (end, word) = oneshot::channel();
        let talking = Arc::new(Talking {
            hash: question.hash.clone(),
            who: who.clone(),
            hosting: self.clone(),
            state: Mutex::new(Some((Examination::new(question.bytes.clone()), end))),
        });
        let talk = self.talk(who.node, who.address, ask, Box::new(move |envelope| talking.hear(envelope)));
        let mut talk = talk.map_err(NoWord::Unasked)?;
        tokio::select! {
            said = word => match said {
                Ok(said) => said.map_err(NoWord::Ended),
                Err(_) => Err(NoWord::Ended("ended the talk".to_owned())),
            },
            () = talk.undeliverable() => Err(NoWord::Gone),
            () = tokio::time::sleep(within) => Err(NoWord::Silent),
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
