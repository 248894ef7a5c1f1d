//! Images: what the authority said of them, who holds them, and where a node can fetch one.

use super::machine::Leader;
use super::{Answer, Effect};
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{ImageInfo, SourceHash};
use crate::wire::ToMember;
use odeon::NodeRef;

impl Leader {
    pub(super) fn judge_image(&mut self, image: ImageInfo, approved: bool, by: String) -> Answer {
        let known = self.facts.images.get(&image.hash).is_some_and(|j| j.approved);
        if approved && !known && self.facts.approved().count() >= limits::IMAGES_MAX {
            let reason = format!("more than {} images are approved", limits::IMAGES_MAX);
            return Answer::Refused { code: codes::BAD_REQUEST, reason };
        }
        self.persist(Record::ImageJudged { image, approved, by });
        Answer::Done
    }

    pub(super) fn unload_image(&mut self, hash: SourceHash) -> Answer {
        if !self.facts.images.contains_key(&hash) {
            let reason = format!("no image has the hash {hash}");
            return Answer::Refused { code: codes::IMAGE_UNKNOWN, reason };
        }
        self.persist(Record::ImageUnloaded { hash });
        self.peers.unload(hash);
        self.broadcast(&ToMember::ImageUnloaded { hash });
        self.outbox.after_facts(Effect::DropImage { hash });
        Answer::Done
    }

    pub(super) fn image_held(&mut self, from: NodeRef, hash: SourceHash, held: bool) {
        let known = self.facts.images.contains_key(&hash);
        let Some(peer) = self.peers.of_mut(from) else { return };
        if !held {
            peer.images.remove(&hash);
        } else if known && peer.images.len() < limits::IMAGES_HELD_MAX {
            peer.images.insert(hash);
        }
    }

    /// Where a node fetches an image: a few other members taken at random, so that a fleet feeds itself, then the
    /// leader, which has every image. Nodes that only dial are not asked: a way to them may have to be made first.
    pub(super) fn sources(&mut self, hash: SourceHash, fetcher: NodeRef) -> Vec<NodeRef> {
        let holds = |p: &&super::peers::Peer| p.current && p.images.contains(&hash);
        let mut holders: Vec<NodeRef> = self.peers.live.values().filter(holds).map(|p| p.node).collect();
        let can_be_dialled = |node: &NodeRef| self.facts.listen_of(node.id).is_some_and(|listen| !listen.is_empty());
        holders.retain(|node| *node != fetcher && node.id != self.me.id && can_be_dialled(node));
        let mut sources = Vec::new();
        while sources.len() + 1 < limits::SOURCES_MAX && !holders.is_empty() {
            let at = self.random.below(holders.len());
            sources.push(holders.swap_remove(at));
        }
        sources.push(self.me);
        sources
    }
}
