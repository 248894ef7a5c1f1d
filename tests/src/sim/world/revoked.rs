//! What the driver of a member does about images that are revoked.

use super::World;
use crate::sim::broken::Broken;
use crate::sim::queue::Event;
use crate::sim::watch::Seen;
use odeon::NodeRef;
use odeon_convention::member;
use odeon_convention::types::SourceHash;
use odeon_convention::wire::{ToLeader, ToMember};

impl World {
    /// From now on nothing of it comes into the store; what is in there goes a moment later.
    pub(super) fn revoke(&mut self, node: usize, me: NodeRef, hash: SourceHash, end: bool) {
        if let Some(process) = self.running(node, me) {
            process.revoked.insert(hash);
        }
        self.saw(&Seen::ToldRevoked { node: me, hash });
        let delay = if self.random.mishap(5) { self.random.within(200, 3_000) } else { self.random.within(1, 60) };
        self.after(delay, Event::Revoked { node, me, hash, end });
    }

    pub(super) fn revocation_done(&mut self, node: usize, me: NodeRef, hash: SourceHash, end: bool) {
        let keeps = self.options.broken == Broken::KeepRevoked;
        let Some(process) = self.running(node, me) else { return };
        if !keeps {
            process.store.remove(&hash);
        }
        let of_image = process.actors.iter().filter(|(_, actor)| end && actor.image == Some(hash));
        for actor in of_image.map(|(address, _)| *address).collect::<Vec<_>>() {
            let delay = self.random.within(1, 800);
            self.after(delay, Event::Exits { node, me, actor });
        }
        self.tell_member(node, me, member::Input::ImageRevoked { hash, end });
    }

    /// Something comes to its end at a node: an image that arrives and is revoked is not kept.
    pub(super) fn happen_at_member(&mut self, node: usize, me: NodeRef, mut input: member::Input) {
        if let member::Input::Fetched { hash, failure: failure @ None } = &mut input
            && let Some(process) = self.running(node, me)
        {
            if process.revoked.contains(hash) {
                *failure = Some("it is revoked".to_owned());
            } else {
                process.store.insert(*hash);
            }
        }
        self.tell_member(node, me, input);
    }

    /// Whether a broken driver confirms what a leader says of revocations, and tells the member nothing.
    pub(super) fn confirms_unheard(&mut self, node: usize, me: NodeRef, from: NodeRef, message: &ToMember) -> bool {
        let ToMember::ImagesRevoked { revoked, .. } = message else { return false };
        let unheard = self.options.broken == Broken::ConfirmUnheard;
        if unheard {
            let confirms = ToLeader::RevocationsDone { upto: revoked.upto, dropped: Vec::new() };
            self.send_to_leader(node, me, from, confirms);
        }
        unheard
    }
}
