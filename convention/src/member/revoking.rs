//! Revocations: nothing is created from a revoked image here any more, its bytes are gone, and the leader hears of that.
//!
//! Revocations are counted, as the ledger has them. A member keeps up to which of them it was told, and asks for the
//! others when a leader knows of more. A start that registers for the first time is told of those that it holds: of
//! the others nothing lives here. It confirms all that it was told of together, once its driver is done with each, and
//! where all are told at once after a pause, so that the confirmations of the first do not hold up the word to the last.

use super::Effect;
use super::machine::Member;
use super::state::Step;
use crate::limits;
use crate::types::{Millis, RequestId, SourceHash};
use crate::wire::{Revoked, RevokedImage, ToLeader};
use odeon::NodeRef;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Revocations {
    /// How many, ever, it was told of; none before it has registered.
    told: Option<u64>,
    /// How many the leader knows to be done.
    confirmed: u64,
    /// Nothing is confirmed before.
    pause_until: Millis,
    /// The images, and whether their actors are asked to exit.
    revoked: BTreeMap<SourceHash, bool>,
    /// Those that the driver is not done with.
    open: BTreeSet<SourceHash>,
    /// Those that the leader takes this node to hold, by its registration or since, and that it holds no more.
    dropped: BTreeSet<SourceHash>,
}

impl Member {
    /// Why nothing is created from an image, if it is revoked.
    pub(super) fn revoked(&self, hash: SourceHash) -> Option<String> {
        self.revocations.revoked.contains_key(&hash).then(|| format!("image {hash} was revoked"))
    }

    /// A registration says what is held: what was dropped before is known by that.
    pub(super) fn says_what_is_held(&mut self) {
        self.revocations.dropped.clear();
    }

    /// What is told on every registration.
    pub(super) fn welcomed_with_revoked(&mut self, from: NodeRef, told: Revoked, now: Millis) {
        // Another leader knows nothing of what was confirmed.
        self.revocations.confirmed = 0;
        self.revocations.pause_until = now;
        let Revoked { upto, images, .. } = told;
        if !self.take_revoked(images, now) {
            return;
        }
        match self.revocations.told.filter(|known| *known < upto) {
            Some(upto) => self.send(from, ToLeader::RevokedSince { upto }),
            None => self.revocations.told = Some(upto),
        }
        self.confirm_revocations(now);
    }

    pub(super) fn images_revoked(&mut self, told: Revoked, confirm_within_ms: Millis, now: Millis) {
        let Revoked { since, upto, images } = told;
        if !self.take_revoked(images, now) {
            return;
        }
        // A pause that has begun stays as long as it is, or a leader that revokes one image after the other would hear of none.
        if self.revocations.pause_until <= now {
            let half = confirm_within_ms.min(limits::CONFIRM_WITHIN_MS_MAX) / 2;
            self.revocations.pause_until = now.saturating_add(half + self.random_ms(half));
        }
        if let Some(known) = self.revocations.told.filter(|known| since <= *known) {
            self.revocations.told = Some(known.max(upto));
        }
        self.confirm_revocations(now);
    }

    /// Gives whether there was room: what cannot be kept in mind is not confirmed.
    fn take_revoked(&mut self, images: Vec<RevokedImage>, now: Millis) -> bool {
        let known = &self.revocations.revoked;
        let more = images.iter().filter(|image| !known.contains_key(&image.hash)).count();
        let has_room = known.len() + more <= limits::REVOKED_MAX;
        for image in images.into_iter().filter(|_| has_room) {
            self.revoke(image, now);
        }
        has_room
    }

    fn revoke(&mut self, RevokedImage { hash, end }: RevokedImage, now: Millis) {
        let known = self.revocations.revoked.get(&hash).copied();
        let held = self.images.held.remove(&hash);
        if !held && known.is_some_and(|ends| ends || !end) {
            return;
        }
        let end = end || known == Some(true);
        self.revocations.revoked.insert(hash, end);
        self.revocations.open.insert(hash);
        if held {
            self.revocations.dropped.insert(hash);
        }
        self.images.approved.remove(&hash);
        self.images.known.remove(&hash);
        self.effects.push_back(Effect::ImageRevoked { hash, end });
        self.watched_unloaded(hash);
        let begun = self.jobs.iter().filter(|(_, job)| job.spec.image == Some(hash) && job.step != Step::Launching);
        for request in begun.map(|(request, _)| *request).collect::<Vec<RequestId>>() {
            self.fail(request, format!("image {hash} was revoked"), now);
        }
    }

    /// The driver is done with an image.
    pub(super) fn revocation_done(&mut self, hash: SourceHash, end: bool, now: Millis) {
        if self.revocations.revoked.get(&hash) == Some(&end) {
            self.revocations.open.remove(&hash);
            self.confirm_revocations(now);
        }
    }

    /// Confirms all that was told, once all of it is done, and what was being launched when it was told as well.
    pub(super) fn confirm_revocations(&mut self, now: Millis) {
        if let Some(upto) = self.confirmable().filter(|_| self.revocations.pause_until <= now) {
            self.revocations.confirmed = upto;
            let dropped = std::mem::take(&mut self.revocations.dropped).into_iter().collect();
            self.tell(ToLeader::RevocationsDone { upto, dropped });
        }
    }

    pub(super) fn confirms_at(&self) -> Option<Millis> {
        self.confirmable().map(|_| self.revocations.pause_until)
    }

    /// Up to how many there is something to confirm.
    fn confirmable(&self) -> Option<u64> {
        let Revocations { told, confirmed, open, dropped, .. } = &self.revocations;
        let upto = told.filter(|upto| upto > confirmed || !dropped.is_empty())?;
        (open.is_empty() && self.link.told().is_some() && !self.launches_revoked()).then_some(upto)
    }

    fn launches_revoked(&self) -> bool {
        let mut images = self.jobs.values().filter(|job| job.step == Step::Launching).filter_map(|job| job.spec.image);
        images.any(|hash| self.revocations.revoked.contains_key(&hash))
    }
}
