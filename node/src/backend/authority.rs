//! Who approves images: setting and showing it, and the word on an image that was pushed.

use super::consulting::Consulted;
use super::decrypting::{identities_of, readable};
use super::judging::{Pushed, Word, authority_of, keyring, open};
use super::pending::Place;
use super::{NodeBackend, Outcome, aside, failed, led, nodes, not_leading};
use crate::admin::Replies;
use crate::admin::protocol::{AuthorityActorItem, AuthorityView, Failed, Reply, Request, SetAuthorityActor};
use crate::driver::{LedView, View};
use crate::hosting::Question;
use odeon::{Address, NodeId};
use odeon_convention::codes;
use odeon_convention::leader::Operation;
use odeon_convention::record::{AuthoritySetting, Registrants};
use odeon_convention::types::AuthorityActor;
use odeon_sourceauth::limits::{SIGNATURE_BYTES_MAX, SIGNATURES_MAX, STATEMENT_BYTES_MAX};
use odeon_sourceauth::{self as sourceauth, Authority, Signer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an actor that an operator names may take until it is the authority.
const APPOINT_MAX: Duration = Duration::from_secs(10);
const APPOINT_LOOK: Duration = Duration::from_millis(20);

impl NodeBackend {
    pub(super) async fn set_authority(&self, authority: AuthoritySetting) -> Outcome {
        authority_of(&authority)?;
        if let AuthoritySetting::Keyring { age_identity: Some(path), .. } = &authority {
            let path = PathBuf::from(path);
            aside(move || identities_of(&path)).await??;
        }
        self.operation(Operation::SetAuthority(authority)).await?;
        Ok(Reply::Done)
    }

    /// Lets actors be the authority, or makes one that lives already.
    pub(super) async fn set_authority_actor(&self, view: &View, set: SetAuthorityActor) -> Outcome {
        let SetAuthorityActor { actor, from, answer_ms } = set;
        let led = led(view)?;
        let node = match actor {
            Some(address) => Some((address, self.host_of(view, led, address).await?)),
            None => None,
        };
        let from = match node {
            Some((address, node)) => Registrants::Actor { address, node },
            None if from.is_empty() => Registrants::Leaders,
            None => Registrants::Nodes(from.iter().map(|name| node_of(led, name)).collect::<Result<_, _>>()?),
        };
        self.operation(Operation::SetAuthority(AuthoritySetting::Actor { from, answer_ms })).await?;
        let Some((address, node)) = node else { return Ok(Reply::Done) };
        let appoint = Request::AppointAuthority { address };
        if node == self.me {
            self.appoint_authority(address)?
        } else {
            self.hand_on(node, &appoint, None).await?
        };
        let until = Instant::now() + APPOINT_MAX;
        while self.authority_actor()?.is_none_or(|who| who.address != address) {
            if Instant::now() >= until {
                let message = format!("actor {address} may be the Source Authority, but is not yet");
                return Err(failed(codes::TIMED_OUT, message));
            }
            tokio::time::sleep(APPOINT_LOOK).await;
        }
        Ok(Reply::Done)
    }

    /// Has an actor here be the authority: asked by the leader, for an operator.
    pub(super) fn appoint_authority(&self, address: Address) -> Outcome {
        if self.hosting.authority_claim(address).is_none() {
            return Err(failed(codes::ACTOR_GONE, format!("no actor of node {} has the address {address}", self.name)));
        }
        self.hosting.register_source_authority(address);
        Ok(Reply::Done)
    }

    async fn host_of(&self, view: &View, led: &LedView, address: Address) -> Result<odeon::NodeRef, Failed> {
        let actors = self.all_actors(view).await;
        let host = actors.into_iter().find(|actor| actor.address == address).map(|actor| actor.node);
        let host = host.ok_or_else(|| failed(codes::ACTOR_GONE, format!("no actor has the address {address}")))?;
        Ok(nodes::find_living(led, &host)?.node)
    }

    fn authority_actor(&self) -> Result<Option<AuthorityActor>, Failed> {
        let ledger = self.ledger.as_ref().ok_or_else(not_leading)?;
        Ok(ledger.look(|facts| facts.authority_actor().cloned()))
    }

    pub(super) async fn authority(&self, view: &View) -> Outcome {
        let Some(led) = &view.led else { return self.ask_leader(view, &Request::Authority).await };
        // What is durable: the same as a push goes by.
        let ledger = self.ledger.as_ref().ok_or_else(not_leading)?;
        let (setting, who) = ledger.look(|facts| (facts.authority().clone(), facts.authority_actor().cloned()));
        let mut shown = AuthorityView { authority: kind(&setting).to_owned(), ..AuthorityView::default() };
        match &setting {
            AuthoritySetting::None | AuthoritySetting::AcceptAll => {}
            AuthoritySetting::Keyring { allowed_signers, required, age_identity } => {
                let keyring =
                    keyring(allowed_signers, *required).map_err(|e| failed(codes::DATA_UNUSABLE, e.to_string()))?;
                shown.required = Some(*required);
                shown.age_identity = age_identity.clone();
                shown.signers = keyring.allowed().signers().iter().map(describe).collect();
            }
            AuthoritySetting::Actor { from, answer_ms } => {
                shown.answer_ms = Some(*answer_ms);
                shown.from = match from {
                    Registrants::Leaders => vec!["leaders".to_owned()],
                    Registrants::Nodes(nodes) => nodes.iter().map(|node| name_of(led, *node)).collect(),
                    Registrants::Actor { address, .. } => vec![address.to_string()],
                };
                shown.actor = who.as_ref().map(|who| AuthorityActorItem {
                    address: who.address,
                    actor: who.actor.clone(),
                    image: who.image.map(|hash| hash.to_string()),
                    node: name_of(led, who.node.id),
                });
            }
        }
        Ok(Reply::Authority(shown))
    }

    /// Who decides on what was pushed, once it is known what that is.
    pub(super) async fn word_on(
        &self,
        pushed: &Arc<Pushed>,
        place: &mut Place,
        replies: &Replies,
    ) -> Result<Word, Failed> {
        let began = Instant::now();
        loop {
            let ledger = self.ledger.as_ref().ok_or_else(not_leading)?;
            let (setting, who) = ledger.look(|facts| (facts.authority().clone(), facts.authority_actor().cloned()));
            let AuthoritySetting::Actor { answer_ms, .. } = &setting else {
                let authority = authority_of(&setting)?.ok_or_else(not_leading)?;
                replies.note(&format!("the authority '{}' judges", kind(&setting)));
                let identities = match setting {
                    AuthoritySetting::Keyring { age_identity, .. } => age_identity,
                    _ => None,
                };
                let pushed = pushed.clone();
                let image = aside(move || readable(&pushed, identities.as_deref())).await??;
                return Ok(Word::Judge(authority, image));
            };
            let Some(who) = who else { return Err(nobody()) };
            replies.note(&format!("the Source Authority, {who}, judges"));
            // Whoever takes its place has what is left of the time.
            let until = began + Duration::from_millis(*answer_ms);
            let question = question(pushed)?;
            match self.consult(who.clone(), &question, *answer_ms, until, place).await? {
                Consulted::Replaced => {}
                Consulted::Said(word) => return self.said(&who, pushed, word).await,
            }
        }
    }

    /// What an actor said of what was pushed.
    async fn said(&self, who: &AuthorityActor, pushed: &Pushed, word: sourceauth::Word) -> Result<Word, Failed> {
        let (image, what) = match word {
            sourceauth::Word::Rejected { reason } => {
                let message = format!("the Source Authority, {who}, rejects image {}: {reason}", pushed.hash);
                return Ok(Word::Rejected(failed(codes::IMAGE_NOT_APPROVED, message)));
            }
            sourceauth::Word::Approved => (pushed.image.clone()?, "approves it".to_owned()),
            sourceauth::Word::ApprovedAs(bytes) => {
                let made = aside(move || open(bytes)).await?.map_err(|mut why| {
                    why.message = format!("what the Source Authority, {who}, made out of it: {}", why.message);
                    why
                })?;
                (made, format!("made it out of {}", pushed.hash))
            }
        };
        let by = format!("actor {}", who.actor);
        Ok(Word::Judge(Authority::Examined { by, reason: format!("{} {what}", who.address) }, image))
    }
}

/// An authority as `authority set` has it.
fn kind(setting: &AuthoritySetting) -> &'static str {
    match setting {
        AuthoritySetting::None => "none",
        AuthoritySetting::AcceptAll => "accept-all",
        AuthoritySetting::Keyring { .. } => "keyring",
        AuthoritySetting::Actor { .. } => "actor",
    }
}

fn question(pushed: &Pushed) -> Result<Question, Failed> {
    let too_long = |text: &String| text.len() > SIGNATURE_BYTES_MAX + STATEMENT_BYTES_MAX;
    if pushed.evidence.len() > SIGNATURES_MAX || pushed.evidence.iter().any(too_long) {
        let max = SIGNATURES_MAX;
        return Err(failed(codes::SIGNATURE_INVALID, format!("more than {max} signatures, or one that is too long")));
    }
    let manifest = pushed.image.as_ref().ok().map(|image| image.manifest());
    Ok(Question {
        bytes: pushed.bytes.clone(),
        hash: pushed.hash.to_string(),
        name: manifest.map(|manifest| manifest.name.clone()),
        version: manifest.map(|manifest| manifest.version.to_string()),
        signatures: pushed.evidence.clone(),
    })
}

fn nobody() -> Failed {
    let message = "the Source Authority is an actor, and none has registered, or the one that had is gone: have one call \
                   `register_source_authority`, or set another authority with `odeon authority set`";
    failed(codes::AUTHORITY_ABSENT, message)
}

fn node_of(led: &LedView, name_or_id: &str) -> Result<NodeId, Failed> {
    Ok(nodes::find_living(led, name_or_id)?.node.id)
}

fn name_of(led: &LedView, node: NodeId) -> String {
    led.members.iter().find(|m| m.node.id == node).map_or_else(|| node.to_string(), |member| member.name.clone())
}

/// A signer as `authority show` shows it.
fn describe(signer: &Signer) -> String {
    let certifies = if signer.certifies { " cert-authority" } else { "" };
    let namespaces = signer.namespaces().map_or_else(String::new, |list| format!(" namespaces={list:?}"));
    format!("{}{certifies}{namespaces} {}", signer.principals, signer.fingerprint())
}
