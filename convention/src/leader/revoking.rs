//! Revocations: an image that is revoked is one for ever, and members confirm that.
//!
//! Every member is told, whatever it holds, and each when it registers. It confirms once nothing is created from the
//! image there any more and its bytes are gone. How far each has confirmed is one number, which the next leader hears
//! again: nothing of it is a record.

use super::machine::Leader;
use super::placing::{Refusal, Stage};
use super::telling::since;
use super::{Answer, Confirmations};
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{Millis, RequestId, SourceHash};
use crate::wire::{Revoked, RevokedImage, ToMember};
use odeon::NodeRef;

impl Leader {
    pub(super) fn revoke_image(&mut self, image: RevokedImage, reason: String, by: String, now: Millis) -> Answer {
        let RevokedImage { hash, end } = image;
        let known = self.facts.revoked.get(&hash);
        if known.is_some_and(|known| known.end || !end) {
            return Answer::Done;
        }
        let refused = |reason| Answer::Refused { code: codes::BAD_REQUEST, reason };
        if known.is_none() && self.facts.revoked.len() >= limits::REVOKED_MAX {
            return refused(format!("{} images are revoked, and no more can be", limits::REVOKED_MAX));
        }
        if let Some(text) = [&reason, &by].into_iter().find(|text| text.len() > limits::REASON_BYTES_MAX) {
            return refused(format!(
                "a text of {} bytes is longer than {} bytes",
                text.len(),
                limits::REASON_BYTES_MAX
            ));
        }
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let ends = if end { ", and its actors are asked to exit" } else { "" };
        self.outbox.notice(true, self.me, format!("image {hash} is revoked by {by}{ends}{why}"));
        self.peers.nobody_fetches(hash);
        self.persist(Record::ImageRevoked { hash, end, reason, by });
        self.telling.note_revoked(self.facts.revoked.upto(), image);
        self.refuse_creations_of(hash, now);
        Answer::Done
    }

    /// What no node was asked for yet ends at once. A node that was asked may have created it already, so its word is
    /// waited for.
    fn refuse_creations_of(&mut self, hash: SourceHash, now: Millis) {
        let waiting =
            self.creations.open.iter().filter(|(_, creation)| {
                creation.spec.image == Some(hash) && !matches!(creation.stage, Stage::Placing(_))
            });
        for request in waiting.map(|(request, _)| *request).collect::<Vec<RequestId>>() {
            self.advance(request, now);
        }
    }

    /// Why nothing may be done with an image, if it is revoked.
    pub(super) fn revoked(&self, hash: SourceHash) -> Option<Refusal> {
        let revocation = self.facts.revoked.get(&hash)?;
        let why = if revocation.reason.is_empty() { "" } else { ": " };
        let reason = format!("image {hash} was revoked by {}{why}{}", revocation.by, revocation.reason);
        Some(Refusal { code: codes::IMAGE_REVOKED, reason })
    }

    /// What a member that registers is told: the revoked ones of those that it says it holds.
    pub(super) fn revoked_at(&self, node: NodeRef) -> Revoked {
        let held = self.peers.of(node).into_iter().flat_map(|peer| peer.images());
        let images = held.filter_map(|hash| self.revoked_image(*hash)).collect();
        Revoked { since: 0, upto: self.facts.revoked.upto(), images }
    }

    fn revoked_image(&self, hash: SourceHash) -> Option<RevokedImage> {
        self.facts.revoked.get(&hash).map(|revocation| RevokedImage { hash, end: revocation.end })
    }

    /// Tells a member what it was not told that knows of so many.
    pub(super) fn tell_revoked_since(&mut self, to: NodeRef, known: u64) {
        let after = self.facts.revoked.after(known);
        for revoked in since(known, self.facts.revoked.upto(), &after) {
            self.send(to, ToMember::ImagesRevoked { revoked, confirm_within_ms: 0 });
        }
    }

    /// A member says that it holds an image that is revoked. It may have fetched that while it was told.
    pub(super) fn revoked_is_held(&mut self, by: NodeRef, hash: SourceHash) {
        self.peers.hold(by, hash);
        let upto = self.facts.revoked.upto();
        let images = self.revoked_image(hash).into_iter().collect();
        let revoked = Revoked { since: upto, upto, images };
        self.send(by, ToMember::ImagesRevoked { revoked, confirm_within_ms: 0 });
    }

    pub(super) fn revocations_done(&mut self, from: NodeRef, upto: u64, dropped: &[SourceHash]) {
        if upto > self.facts.revoked.upto() || dropped.len() > limits::IMAGES_HELD_MAX {
            return self.drop_word(from, "the confirmation of what was not revoked");
        }
        for hash in dropped {
            self.peers.let_go(from, *hash);
        }
        self.peers.confirm(from, upto);
    }

    pub(super) fn tell_confirmations(&self, hash: SourceHash) -> Answer {
        let unknown = || Answer::Refused { code: codes::IMAGE_UNKNOWN, reason: format!("image {hash} is not revoked") };
        self.confirmations(hash).map_or_else(unknown, Answer::Confirmations)
    }

    /// Which of the live members have confirmed that an image is revoked, and which have not; none where it is not.
    pub fn confirmations(&self, hash: SourceHash) -> Option<Confirmations> {
        let revocation = self.facts.revoked.get(&hash)?;
        let (mut confirmed, mut unconfirmed) = (0, Vec::new());
        for peer in self.peers.live.values() {
            if peer.has_confirmed(revocation.number, hash) {
                confirmed += 1;
            } else {
                unconfirmed.push(peer.node);
            }
        }
        Some(Confirmations { confirmed, unconfirmed })
    }
}
