//! What the machines want done, done.

use super::window::Said;
use super::{CreateFor, Driver, End, Event};
use crate::causes::chain;
use crate::identity::TokenEntry;
use crate::ledger::LedgerError;
use crate::transfer::Way;
use odeon::NodeRef;
use odeon_convention::record::TokenFact;
use odeon_convention::types::{CheckOutcome, CheckVerdict, CreateSpec, ImageInfo, RequestId, SourceHash};
use odeon_convention::wire::{ToLeader, Word};
use odeon_convention::{codes, leader, member, wire};
use std::sync::Arc;
use tokio::time::Instant;

impl Driver {
    /// Drains the effects of both machines until neither has any: the one place where effects are carried out. Words to
    /// members then leave as the window allows.
    pub(super) async fn carry_out(&mut self) {
        loop {
            self.check_lease();
            if let Some(effect) = self.leader.as_mut().and_then(leader::Leader::next_effect) {
                self.lead_effect(effect);
            } else if let Some(effect) = self.member.next_effect() {
                self.member_effect(effect);
            } else if let Some(message) = self.to_leader.pop_front() {
                let from = self.me;
                self.lead(|l, now| l.handle(now, leader::Input::Received { from, message }));
            } else if let Some(message) = self.to_member.pop_front() {
                let from = self.me;
                self.take_part(member::Input::Received { from, message });
            } else if self.say() {
                // What was woken by it has its turn.
                tokio::task::yield_now().await;
            } else {
                return;
            }
        }
    }

    /// Says what may leave now. Gives whether there was anything.
    fn say(&mut self) -> bool {
        if self.window.look_at().is_none() {
            return false;
        }
        let links = &self.means.links;
        let said: Vec<Said> = self.window.take(Instant::now(), links.acknowledged(), links.sessions()).collect();
        let any = !said.is_empty();
        for said in said {
            match said {
                Said::Word { to, message } => self.send(to, &Word::ToMember(message)),
                Said::Image { to, hash } => {
                    if let Some(bytes) = self.means.images.at_hand(hash) {
                        self.send(to, &Word::Carried { hash, bytes });
                    }
                }
                Said::Flush => self.lead(|l, now| l.handle(now, leader::Input::Flushed)),
                Said::Close { node, reason } => {
                    tracing::info!(%node, reason, "closing the link");
                    self.means.links.forget(node);
                }
            }
        }
        any
    }

    fn lead_effect(&mut self, effect: leader::Effect) {
        match effect {
            leader::Effect::Send { to, message } if to == self.me => self.to_member.push_back(message),
            leader::Effect::Send { to, message } => self.window.push(Said::Word { to, message }),
            // The numbers go on from what was taken, so nothing may follow what was not. The end is near.
            leader::Effect::Persist { .. } if self.end.is_some() => {}
            leader::Effect::Persist { index, record } => {
                let written = self.means.ledger.as_ref().map(|ledger| ledger.append(self.turn, index, record));
                match written {
                    // Why it stopped comes as news of its own.
                    None | Some(Ok(()) | Err(LedgerError::Stopped { .. })) => {}
                    Some(Err(error)) => self.ledger_failed(&error),
                }
            }
            leader::Effect::Check { ticket, actor, image, requirements, capabilities } => {
                let (images, hosting, events) =
                    (self.means.images.clone(), self.means.hosting.clone(), self.means.events.clone());
                let turn = self.turn;
                tokio::task::spawn_blocking(move || {
                    let mut outcome = images.check(&hosting, image, &actor, &Arc::new(capabilities), &requirements);
                    // A process that is not there now says nothing about other nodes: each asks its own.
                    if let (CheckVerdict::Failed(_), true) = (&outcome.verdict, hosting.waits(image, &actor)) {
                        outcome = CheckOutcome { verdict: CheckVerdict::Unknown, read: Default::default() };
                    }
                    let _ = events.blocking_send(Event::LeaderChecked { turn, ticket, outcome });
                });
            }
            leader::Effect::Answer { ticket, answer } => {
                if let Some(end) = self.operations.remove(&ticket) {
                    // Who asked may have gone.
                    let _ = end.send(answer);
                }
            }
            leader::Effect::DropImage { hash } => self.drop_image(hash),
            leader::Effect::Carry { to, hash } => self.window.push(Said::Image { to, hash }),
            leader::Effect::TokensChanged => self.take_over_tokens(),
            leader::Effect::Echo { at } => self.means.links.echo(at),
            leader::Effect::Flush => self.window.push(Said::Flush),
            leader::Effect::Close { node, reason } => self.window.push(Said::Close { node, reason }),
            leader::Effect::Notice(notice) => {
                let node = notice.node.map(|n| n.to_string()).unwrap_or_default();
                if notice.warn {
                    tracing::warn!(about = node, "{}", notice.text);
                } else {
                    tracing::info!(about = node, "{}", notice.text);
                }
            }
        }
    }

    fn member_effect(&mut self, effect: member::Effect) {
        match effect {
            member::Effect::Send { to, message } if to == self.me => self.to_leader.push_back(message),
            member::Effect::Send { to, message: message @ ToLeader::Renew { .. } } => {
                self.send_sign(to, &Word::ToLeader(message));
            }
            member::Effect::Send { to, message } => self.send(to, &Word::ToLeader(message)),
            member::Effect::LeadersKnown(leaders) => self.means.leaders.know(leaders),
            member::Effect::Check { ticket, spec } => self.check(ticket, *spec),
            member::Effect::Fetch { image, sources } => self.fetch(*image, sources),
            member::Effect::Sources { hash, sources } => self.means.images.can_be_had_from(hash, &sources),
            member::Effect::Launch { request, spec } => self.launch(request, *spec),
            member::Effect::Created { ticket, spec: _, outcome } => match self.creates.remove(&ticket) {
                Some(CreateFor::Actor(child)) => self.means.hosting.settle(child, &outcome),
                Some(CreateFor::Person(end)) => {
                    let _ = end.send(*outcome);
                }
                None => {}
            },
            member::Effect::Explained { ticket, explanation } => {
                if let Some(end) = self.explains.remove(&ticket) {
                    let _ = end.send(*explanation);
                }
            }
            member::Effect::CapabilitiesChanged(map) => self.means.hosting.set_capabilities(map),
            member::Effect::Draining { draining } => {
                tracing::info!(draining, "whether this node is to become empty has changed");
                self.means.hosting.set_draining(draining);
            }
            member::Effect::MemberGone { node, reason } => {
                tracing::info!(%node, reason, "a node is gone");
                self.means.hosting.node_gone(node, &reason);
            }
            member::Effect::ImageUnloaded { hash } => self.drop_image(hash),
            member::Effect::ImageRevoked { hash, end } => self.revoke_image(hash, end),
            member::Effect::News { to, news } => self.means.hosting.tell_news(&to, news),
            member::Effect::WatchRefused { by, reason } => self.means.hosting.watch_refused(by, &reason),
            member::Effect::AuthorityAnswered { by, refusal } => {
                self.means.hosting.authority_answered(by, refusal.as_deref());
            }
            member::Effect::Located { node, at } => self.means.hosting.node_located(node, at),
            member::Effect::Reach { node, listen } => self.means.hosting.reach(node, &listen),
            member::Effect::Joined { leader, term } => {
                tracing::info!(%leader, term, "registered with the leader");
                self.joined = Some(leader);
            }
            member::Effect::Rejected { code, reason } => {
                let end =
                    if code == codes::DECLARED_GONE { End::StartAgain(reason) } else { End::Rejected { code, reason } };
                self.end = Some(end);
            }
            member::Effect::Left => self.end = Some(End::Left),
        }
    }

    /// The handshake accepts the tokens that the leader knows now. After a start these are the ledger's.
    pub(super) fn take_over_tokens(&mut self) {
        let Some(leader) = &self.leader else { return };
        self.tokens_version = 0;
        self.means.tokens.replace(leader.tokens().map(token_entry));
    }

    /// One that follows accepts the tokens that it has heard of: it passes on whoever comes with one.
    pub(super) fn follow_tokens(&mut self) {
        let Some(ledger) = self.means.ledger.as_ref().filter(|_| self.leader.is_none()) else { return };
        let known = self.tokens_version;
        self.tokens_version = ledger.look(|facts| {
            if facts.tokens_version() != known {
                self.means.tokens.replace(facts.tokens().map(token_entry));
            }
            facts.tokens_version()
        });
    }

    /// Sends on the control lane. A link that does not take it is cut: both sides then begin anew.
    fn send(&self, to: NodeRef, message: &Word) {
        let sent = wire::encode(message)
            .map_err(|e| e.to_string())
            .and_then(|bytes| self.means.links.send_control(to, bytes).map_err(|e| e.to_string()));
        if let Err(error) = sent {
            tracing::debug!(node = %to, error, "a control message was not sent");
            self.means.links.cut(to);
        }
    }

    /// Sends what another word like it follows soon.
    fn send_sign(&self, to: NodeRef, message: &Word) {
        let sent = wire::encode(message)
            .map_err(|e| e.to_string())
            .and_then(|bytes| self.means.links.send_sign(to, bytes).map_err(|e| e.to_string()));
        if let Err(error) = sent {
            tracing::debug!(node = %to, error, "a sign of life was not sent");
        }
    }

    fn drop_image(&self, hash: SourceHash) {
        self.means.hosting.remove_image(&hash.to_string());
        let images = self.means.images.clone();
        tokio::task::spawn_blocking(move || images.remove(hash));
    }

    fn check(&mut self, ticket: u64, spec: CreateSpec) {
        // What is known takes no other thread, and most creations are of a type that was created here before.
        if let Some(outcome) = self.means.hosting.known_check(&spec, self.member.capabilities()) {
            return self.take_part(member::Input::Checked { ticket, outcome });
        }
        let capabilities = Arc::new(self.member.capabilities().clone());
        let (images, hosting, events) =
            (self.means.images.clone(), self.means.hosting.clone(), self.means.events.clone());
        let image = spec.image;
        self.means.images.once_examined(image, move || {
            let unusable = spec.image.and_then(|hash| images.load(hash).err().map(|error| (hash, error)));
            let outcome = match unusable {
                None => images.check(&hosting, spec.image, &spec.actor, &capabilities, &spec.requirements),
                Some((hash, error)) => {
                    tracing::warn!(image = %hash, %error, "an image in the store cannot be used");
                    if !error.is_of_this_node() {
                        let _ = events.blocking_send(Event::ImageLost(hash));
                    }
                    let verdict = CheckVerdict::Failed(format!("cannot use its image: {error}"));
                    CheckOutcome { verdict, read: Default::default() }
                }
            };
            let _ = events.blocking_send(Event::MemberChecked { ticket, outcome });
        });
    }

    fn fetch(&self, image: ImageInfo, sources: Vec<NodeRef>) {
        let (images, links, events) = (self.means.images.clone(), self.means.links.clone(), self.means.events.clone());
        // One that may lead knows what approved an image, as soon as it has read that.
        let approval = self.means.ledger.as_ref().and_then(|l| l.look(|facts| facts.approval(image.hash).cloned()));
        let evidence = approval.map(|kept| kept.endorsements.into_iter().map(|one| one.text).collect());
        tokio::spawn(async move {
            let way = Way::led(&links, &events);
            let failure = images.ensure(&way, &image, &sources, evidence).await.err().map(|e| chain(&e));
            if let Some(failure) = &failure {
                tracing::warn!(image = %image.hash, failure, "an image cannot be had");
            }
            let _ = events.send(Event::Fetched { hash: image.hash, failure }).await;
        });
    }

    fn launch(&self, request: RequestId, spec: CreateSpec) {
        let (images, hosting, events) =
            (self.means.images.clone(), self.means.hosting.clone(), self.means.events.clone());
        let seen = hosting.capabilities();
        tokio::task::spawn_blocking(move || {
            let loaded = spec.image.map_or(Ok(()), |hash| {
                images.load(hash).map_err(|error| {
                    // So that the next placement brings what is missing.
                    if !error.is_of_this_node() {
                        let _ = events.blocking_send(Event::ImageLost(hash));
                    }
                    chain(&error)
                })
            });
            let result = loaded.and_then(|()| hosting.launch(&spec, &seen));
            let _ = events.blocking_send(Event::Launched { request, result });
        });
    }
}

fn token_entry((token, used): (&TokenFact, u32)) -> TokenEntry {
    TokenEntry {
        id: token.id,
        role: token.role,
        expires_unix_s: token.expires_unix_s,
        uses_left: token.uses.map(|uses| uses.saturating_sub(used)),
    }
}
