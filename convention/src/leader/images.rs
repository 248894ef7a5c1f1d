//! Images: what the authority said of them, who holds them, and where a node can fetch one.

use super::machine::Leader;
use super::placing::{Refusal, truncate};
use super::{Answer, Effect};
use crate::codes;
use crate::limits;
use crate::record::Record;
use crate::types::{ImageApproval, ImageInfo, SourceHash};
use crate::wire::ToMember;
use odeon::{NodeId, NodeRef};

/// Holders of an image that are all looked at; of more a few are drawn.
const LISTED_MAX: usize = 32;
/// Draws for the sources of one placement.
const DRAWS_MAX: usize = 4 * limits::SOURCES_MAX;

impl Leader {
    pub(super) fn judge_image(
        &mut self,
        image: ImageInfo,
        approved: bool,
        mut by: String,
        approval: ImageApproval,
    ) -> Answer {
        if !approval.is_bounded() {
            let reason = format!("more than {} signatures, or too large ones", limits::ENDORSEMENTS_MAX);
            return Answer::Refused { code: codes::BAD_REQUEST, reason };
        }
        truncate(&mut by);
        if let Some(Refusal { code, reason }) = self.revoked(image.hash) {
            return Answer::Refused { code, reason };
        }
        let known = self.facts.images.get(&image.hash).is_some_and(|j| j.approved);
        if approved && !known && self.facts.approved().count() >= limits::IMAGES_MAX {
            let reason = format!("more than {} images are approved", limits::IMAGES_MAX);
            return Answer::Refused { code: codes::BAD_REQUEST, reason };
        }
        self.persist(Record::ImageJudged { image, approved, by, approval });
        Answer::Done
    }

    pub(super) fn unload_image(&mut self, hash: SourceHash) -> Answer {
        if let Some(Refusal { code, reason }) = self.revoked(hash) {
            return Answer::Refused { code, reason };
        }
        if !self.facts.images.contains_key(&hash) {
            let reason = format!("no image has the hash {hash}");
            return Answer::Refused { code: codes::IMAGE_UNKNOWN, reason };
        }
        self.persist(Record::ImageUnloaded { hash });
        let holders = self.peers.holders(hash).to_vec();
        for node in holders.iter().filter_map(|id| self.peers.live.get(id)).map(|p| p.node).collect::<Vec<_>>() {
            self.peers.let_go(node, hash);
        }
        self.peers.nobody_fetches(hash);
        self.broadcast(&ToMember::ImageUnloaded { hash });
        self.outbox.after_facts(Effect::DropImage { hash });
        Answer::Done
    }

    pub(super) fn image_held(&mut self, from: NodeRef, hash: SourceHash, held: bool) {
        if !held {
            self.peers.let_go(from, hash);
            self.peers.fetches_not(from, hash);
        } else if self.facts.images.contains_key(&hash) {
            self.peers.hold(from, hash);
        } else if self.facts.revoked.get(&hash).is_some() {
            self.revoked_is_held(from, hash);
        }
    }

    /// A member that fetches an image asks for others to fetch it from.
    pub(super) fn seek(&mut self, from: NodeRef, hash: SourceHash) {
        if self.facts.images.get(&hash).is_some_and(|judged| judged.approved) {
            let sources = self.sources(hash, from);
            self.send(from, ToMember::Sources { hash, sources });
        }
    }

    /// Where a node fetches an image: a few other members taken at random, those that still fetch it as well, so that a
    /// fleet feeds itself, then the leader, which has every image. Nodes that only dial are not asked: a way to them may
    /// have to be made first. The node counts as one that fetches from now on.
    pub(super) fn sources(&mut self, hash: SourceHash, fetcher: NodeRef) -> Vec<NodeRef> {
        let (holders, fetchers) = (self.peers.holders(hash), self.peers.fetchers(hash));
        let count = holders.len() + fetchers.len();
        let mut sources = Vec::new();
        // Of many most will do. Only where too few of those that were drawn do, all are looked at.
        let draws = if count > LISTED_MAX { DRAWS_MAX } else { 0 };
        for _ in 0..draws {
            if sources.len() + 1 == limits::SOURCES_MAX {
                break;
            }
            let at = self.random.below(count);
            let id = holders.get(at).or_else(|| fetchers.get(at - holders.len()));
            let drawn = id.and_then(|id| self.source(*id, fetcher));
            sources.extend(drawn.filter(|node| !sources.contains(node)));
        }
        if sources.len() + 1 < limits::SOURCES_MAX {
            let all = holders.iter().chain(fetchers);
            let mut left: Vec<NodeRef> = all.filter_map(|id| self.source(*id, fetcher)).collect();
            left.retain(|node| !sources.contains(node));
            left.sort_unstable();
            while sources.len() + 1 < limits::SOURCES_MAX && !left.is_empty() {
                let at = self.random.below(left.len());
                sources.push(left.swap_remove(at));
            }
        }
        sources.push(self.me);
        if fetcher != self.me {
            self.peers.fetches(fetcher, hash);
        }
        sources
    }

    /// Whether an image is to be sent along with what needs it: a small one that few fetch at this time.
    pub(super) fn is_carried(&self, image: &ImageInfo, to: NodeRef) -> bool {
        let lacks = |to| self.peers.of(to).is_some_and(|peer| !peer.images().contains(&image.hash));
        image.size_bytes <= limits::CARRIED_BYTES_MAX
            && to != self.me
            && self.peers.fetchers(image.hash).len() < limits::CARRIED_TO_MAX
            && lacks(to)
    }

    /// A holder, or one that fetches, as another node can fetch from it.
    fn source(&self, holder: NodeId, fetcher: NodeRef) -> Option<NodeRef> {
        let peer = self.peers.live.get(&holder).filter(|peer| peer.current)?;
        let can_be_dialled = self.facts.listen_of(holder).is_some_and(|listen| !listen.is_empty());
        (can_be_dialled && peer.node != fetcher && holder != self.me.id).then_some(peer.node)
    }
}
