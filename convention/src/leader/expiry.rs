//! Approvals that run out. From then on nothing new comes from the image: the leader refuses to create from it, and its
//! members hear of it as of an image that was unloaded. The fact stays, so that it can be seen what has happened, and
//! another push with signatures that count brings the image back.

use super::facts::Judged;
use super::machine::Leader;
use crate::types::SourceHash;
use crate::wire::ToMember;
use std::collections::BTreeSet;

/// What time it is, and whose end was told.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    now_unix_s: u64,
    told: BTreeSet<SourceHash>,
}

impl Leader {
    /// Takes in the wall clock's time, and tells of approvals that have run out since. A clock that is set back makes them
    /// count again.
    pub(super) fn tell_time(&mut self, unix_s: u64) {
        self.expiry.now_unix_s = unix_s;
        let over: BTreeSet<SourceHash> =
            self.facts.approved().filter(|judged| !self.is_usable(judged)).map(|judged| judged.image.hash).collect();
        let news: Vec<SourceHash> = over.difference(&self.expiry.told).copied().collect();
        self.expiry.told = over;
        for hash in news {
            self.outbox.notice(true, self.me, format!("the approval of image {hash} has run out"));
            let holders = self.peers.holders(hash).to_vec();
            for node in holders.iter().filter_map(|id| self.peers.live.get(id)).map(|p| p.node).collect::<Vec<_>>() {
                self.peers.let_go(node, hash);
            }
            self.broadcast(&ToMember::ImageUnloaded { hash });
        }
    }

    /// Whether new actors may come from it now.
    pub(super) fn is_usable(&self, judged: &Judged) -> bool {
        judged.approved && !judged.approval.is_over(self.expiry.now_unix_s)
    }
}
