//! What the actors of a node were told of the convention, and what something that a leader says is news of.

use crate::limits;
use crate::types::SourceHash;
use crate::watching::{ImageEntry, MemberEntry, News};
use odeon::{Address, NodeId, Topic};
use std::collections::{BTreeMap, BTreeSet};

/// Why a member is gone whose end was missed.
const MISSED: &str = "it is gone, as the leader knows";
/// Why the start of a node is gone whose next one is there.
const SUPERSEDED: &str = "a later start supersedes it";

/// Who watches what, and what they were told.
#[derive(Debug, Default)]
pub(in crate::member) struct Watching {
    pub(super) watchers: BTreeMap<Topic, BTreeSet<Address>>,
    /// All, while somebody wants to know who is there, else those that have changed.
    pub(super) members: BTreeMap<NodeId, Known<MemberEntry>>,
    pub(super) images: BTreeMap<SourceHash, Known<ImageEntry>>,
    /// The record up to which it was told how members' capabilities have changed.
    pub(super) upto: Option<u64>,
    /// How often it has asked.
    pub(super) watches: u64,
    pub(super) asked: Option<Asked>,
}

/// What was told, and in which listing or change after one it was heard of last.
#[derive(Debug)]
pub(super) struct Known<T> {
    pub(super) entry: T,
    pub(super) heard: u64,
    /// Whether those who want to know what is there were told.
    pub(super) there: bool,
}

/// What a leader was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) watch: u64,
    pub(super) wants: Wants,
    /// The last part that came.
    pub(super) number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wants {
    pub(super) members: bool,
    pub(super) images: bool,
    pub(super) capabilities: bool,
}

impl Wants {
    pub(super) const NOTHING: Self = Self { members: false, images: false, capabilities: false };
}

impl Asked {
    /// Whether what the leader tells is all that is wanted. A copy of all members does not stand for their changes: one
    /// that joins and changes at once is told in one word.
    pub(super) fn serves(self, wants: Wants) -> bool {
        (self.wants.members, self.wants.images) == (wants.members, wants.images)
            && (self.wants.capabilities == wants.capabilities || (self.wants.capabilities && wants.members))
    }
}

/// What a member's entry is news of.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// For those who want to know who is there.
    pub(super) there: Vec<News>,
    /// For those who want to know what members can do.
    pub(super) can: Option<News>,
    /// The same, for those of them who are not told that the member is there now.
    pub(super) can_unless_there: Option<News>,
}

impl Watching {
    pub(super) fn has(&self, topic: Topic) -> bool {
        self.watchers.get(&topic).is_some_and(|by| !by.is_empty())
    }

    pub(super) fn watchers_of(&self, topic: Topic) -> impl Iterator<Item = &Address> {
        self.watchers.get(&topic).into_iter().flatten()
    }

    /// Those who watch the one and not the other.
    pub(super) fn only(&self, topic: Topic, not: Topic) -> Vec<Address> {
        let others = self.watchers.get(&not);
        self.watchers_of(topic).filter(|by| others.is_none_or(|others| !others.contains(by))).copied().collect()
    }

    pub(super) fn wants(&self) -> Wants {
        Wants {
            members: self.has(Topic::Members),
            images: self.has(Topic::Images),
            capabilities: self.has(Topic::Capabilities),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.watchers.values().map(BTreeSet::len).sum()
    }

    /// All that is known of a topic, for one who begins to watch. Of capabilities only changes are told.
    pub(super) fn present(&self, topic: Topic) -> Vec<News> {
        match topic {
            Topic::Members => {
                let there = self.members.values().filter(|known| known.there);
                there.map(|known| News::Joined(known.entry.clone())).collect()
            }
            Topic::Capabilities => Vec::new(),
            Topic::Images => self.images.values().map(|known| News::Available(known.entry.clone())).collect(),
        }
    }

    /// Takes in a member as it is now. `keys` are those that have changed since this node was told last, as the leader
    /// says; where there is a copy to compare with, that says better.
    pub(super) fn learn_member(&mut self, entry: MemberEntry, keys: Vec<String>, heard: u64) -> Learned {
        let (id, there) = (entry.node.id, self.has(Topic::Members));
        let mut learned = Learned::default();
        let known = self.members.get(&id);
        if known.is_some_and(|known| entry.node.incarnation < known.entry.node.incarnation) {
            return learned;
        }
        let full = known.is_none() && self.members.len() >= limits::WATCHED_MEMBERS_MAX;
        if full && there {
            return learned;
        }
        let next = Known { entry: entry.clone(), heard, there };
        // Without room for a copy what the leader says has to do.
        let before = if full { None } else { self.members.insert(id, next) };
        let copy = before.as_ref().filter(|before| before.entry.node == entry.node);
        let was_there = copy.is_some_and(|copy| copy.there);
        let differing = |copy: &Known<MemberEntry>| copy.entry.capabilities.delta_to(&entry.capabilities).0;
        let keys = copy.map_or(keys, |copy| differing(copy).into_keys().collect());
        let changed = (!keys.is_empty()).then(|| News::Changed { member: entry.clone(), keys });
        if there && copy.is_none() {
            learned.can_unless_there = changed;
        } else {
            learned.can = changed;
        }
        if there && !was_there {
            let earlier = before.filter(|before| before.there).map(|before| lost(before.entry, SUPERSEDED));
            learned.there.extend(earlier);
            learned.there.push(News::Joined(entry));
        }
        learned
    }

    pub(super) fn learn_image(&mut self, entry: ImageEntry, heard: u64) -> Option<News> {
        if self.images.len() >= limits::IMAGES_MAX && !self.images.contains_key(&entry.hash) {
            return None;
        }
        let before = self.images.insert(entry.hash, Known { entry: entry.clone(), heard, there: true });
        before.is_none().then_some(News::Available(entry))
    }

    /// The listing is complete: what it did not name is gone.
    pub(super) fn forget_unheard(&mut self, Asked { watch, wants, .. }: Asked) -> (Vec<News>, Vec<News>) {
        // Without a listing of members there is nothing to be missed in it.
        let members = self.members.extract_if(.., |_, known| wants.members && known.heard != watch);
        let members = members.filter(|(_, known)| known.there).map(|(_, known)| lost(known.entry, MISSED)).collect();
        let images = self.images.extract_if(.., |_, known| known.heard != watch);
        (members, images.map(|(_, known)| News::Unavailable(known.entry)).collect())
    }
}

pub(super) fn lost(entry: MemberEntry, reason: &str) -> News {
    News::Lost { node: entry.node, name: entry.name, reason: reason.to_owned() }
}
