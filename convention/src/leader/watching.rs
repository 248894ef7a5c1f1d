//! Members that watch: who is in the convention, what members can do, and which images may be used.
//!
//! Each is told the present state page by page, as it asks for the pages, and the changes since it began. A change is
//! noted when its record is made and told, as the state then is, when records are durable and the round of words before
//! has left: many together are one word to each. While nobody watches nothing is noted. That a member is gone or an
//! image is unloaded is not told here: everyone hears that, watching or not.
//!
//! Of capabilities each is told what records after a certain one have changed. That record is all that a member has to
//! know for that, and it means the same to every leader.

mod told;

use super::facts::Judged;
use super::machine::Leader;
use crate::record::Record;
use crate::types::SourceHash;
use crate::watching::{Part, Since, Watched};
use crate::wire::ToMember;
use odeon::{NodeId, NodeRef};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use told::{Item, Told, image_entry, item_of};

#[derive(Debug, Default)]
pub(super) struct Watchers {
    by: BTreeMap<NodeId, Watcher>,
    /// What may be other than it was told last.
    members: BTreeSet<NodeId>,
    images: BTreeSet<SourceHash>,
}

#[derive(Debug)]
struct Watcher {
    node: NodeRef,
    watch: u64,
    /// The last part that it was sent.
    number: u64,
    wants: Wants,
    /// The record up to which it was told what has changed.
    upto: u64,
    /// Where the next page of its listing begins, until it has all.
    next: Option<Next>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wants {
    pub(super) members: bool,
    pub(super) images: bool,
    pub(super) capabilities: bool,
}

/// After what a page begins.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// What has changed since this record, which is the one that was asked for, not the last that was told: a member
    /// that changes once more while others are listed moves to the end with all its keys.
    Changed {
        since: u64,
    },
    Member(Option<NodeId>),
    Image(Option<SourceHash>),
}

impl Watcher {
    /// Since which record what it is told next has changed.
    fn since(&self) -> u64 {
        match self.next {
            Some(Next::Changed { since }) => since,
            _ => self.upto,
        }
    }

    /// Whether its listing will still come to what changes now.
    fn catches_up(&self) -> bool {
        matches!(self.next, Some(Next::Changed { .. }))
    }
}

impl Watchers {
    /// Notes what a record changes, if anybody wants to know.
    pub(super) fn note(&mut self, record: &Record) {
        if self.by.is_empty() {
            return;
        }
        match record {
            Record::NodeRegistered { node, .. } => {
                self.members.insert(node.id);
            }
            Record::ImageJudged { image, .. } => {
                self.images.insert(image.hash);
            }
            // Of one that is unloaded every member is told, whether it watches or not.
            _ => {}
        }
    }

    /// The member is gone, or has to say anew what it watches.
    pub(super) fn forget(&mut self, id: NodeId) {
        if self.by.remove(&id).is_some() && self.by.is_empty() {
            self.members.clear();
            self.images.clear();
        }
    }
}

impl Leader {
    pub(super) fn watch(&mut self, from: NodeRef, watch: u64, wants: Wants, since: Option<Since>) {
        self.watchers.forget(from.id);
        if wants.members || wants.images || wants.capabilities {
            let now = self.facts.count();
            let since = match since {
                Some(Since::Record(record)) => record.min(now),
                Some(Since::Now) | None => now,
            };
            let next = Some(Next::Changed { since });
            let watcher = Watcher { node: from, watch, number: 0, wants, upto: since, next };
            self.watchers.by.insert(from.id, watcher);
            self.send_page(from.id);
        }
    }

    pub(super) fn watch_next(&mut self, from: NodeRef, watch: u64) {
        // One that began anew may still ask for a page of what was before.
        if self.watchers.by.get(&from.id).is_some_and(|w| w.node == from && w.watch == watch) {
            self.send_page(from.id);
        }
    }

    fn send_page(&mut self, to: NodeId) {
        let Some(watcher) = self.watchers.by.get(&to) else { return };
        let Some(next) = watcher.next else { return };
        let (told, next, upto) = self.page(watcher, next);
        if let Some(watcher) = self.watchers.by.get_mut(&to) {
            (watcher.next, watcher.upto) = (next, upto);
        }
        let part = if next.is_some() { Part::Page } else { Part::LastPage };
        self.tell_watcher(to, part, told);
    }

    /// A page of what is there now, where the next one begins, and up to which record all changes are told with it.
    fn page(&self, watcher: &Watcher, next: Next) -> (Told, Option<Next>, u64) {
        let (mut told, wants, mut upto) = (Told::default(), watcher.wants, watcher.upto);
        let (mut last, mut last_image) = (None, None);
        let mut members = wants.members;
        match next {
            Next::Changed { since } => {
                for (record, id) in self.revisions.after(upto).take_while(|_| wants.capabilities) {
                    let registration = self.facts.registered.get(&id);
                    let item = registration.and_then(|registration| item_of(registration, wants, since));
                    if item.and_then(|item| told.add(item)).is_some() {
                        return (told, Some(next), upto);
                    }
                    upto = record;
                }
                upto = self.facts.count();
            }
            Next::Member(id) => last = id,
            Next::Image(hash) => (members, last_image) = (false, hash),
        }
        for (id, registration) in after_of(&self.facts.registered, last).take_while(|_| members) {
            if item_of(registration, wants, upto).and_then(|item| told.add(item)).is_some() {
                return (told, Some(Next::Member(last)), upto);
            }
            last = Some(*id);
        }
        let usable = |judged: &Judged| wants.images && self.is_usable(judged);
        for (hash, judged) in after_of(&self.facts.images, last_image).filter(|(_, judged)| usable(judged)) {
            if told.add(Item::Image(image_entry(judged))).is_some() {
                return (told, Some(Next::Image(last_image)), upto);
            }
            last_image = Some(*hash);
        }
        (told, None, upto)
    }

    /// Tells what records have changed. Gives whether there was anything.
    pub(super) fn tell_watchers(&mut self) -> bool {
        if self.watchers.members.is_empty() && self.watchers.images.is_empty() {
            return false;
        }
        let members = std::mem::take(&mut self.watchers.members);
        let images = std::mem::take(&mut self.watchers.images);
        let Self { watchers, peers, .. } = self;
        // One whose link is down registers again, and then says anew what it watches.
        watchers.by.retain(|_, w| peers.of(w.node).is_some_and(|p| p.current));
        // As a rule all were told the same so far, and what they are told now is made once.
        let mut alike: BTreeMap<(Wants, u64, bool), Vec<NodeId>> = BTreeMap::new();
        for (id, watcher) in &watchers.by {
            alike.entry((watcher.wants, watcher.since(), watcher.catches_up())).or_default().push(*id);
        }
        for ((wants, since, catches_up), watchers) in alike {
            let words = self.changes_to_tell((&members, &images), wants, since, catches_up);
            for to in watchers {
                self.tell_changes(to, &words, catches_up);
            }
        }
        true
    }

    fn tell_changes(&mut self, to: NodeId, words: &[Told], catches_up: bool) {
        for (n, told) in words.iter().enumerate() {
            let is_last = n + 1 == words.len();
            if let Some(watcher) = self.watchers.by.get_mut(&to).filter(|_| is_last && !catches_up) {
                watcher.upto = self.facts.count();
            }
            if told.len() > 0 {
                self.tell_watcher(to, Part::Change, told.clone());
            }
        }
    }

    /// What was noted, as it is now, in words of a bounded size, the last of which may be empty.
    fn changes_to_tell(
        &self,
        (members, images): (&BTreeSet<NodeId>, &BTreeSet<SourceHash>),
        wants: Wants,
        since: u64,
        catches_up: bool,
    ) -> Vec<Told> {
        let members = members.iter().filter_map(|id| self.facts.registered.get(id));
        let members = members.filter_map(|registration| item_of(registration, wants, since));
        let members = members.filter(|item| !(catches_up && matches!(item, Item::Changed(_))));
        let images = images.iter().filter(|_| wants.images).map(|hash| match self.facts.images.get(hash) {
            Some(judged) if self.is_usable(judged) => Item::Image(image_entry(judged)),
            _ => Item::Unavailable(*hash),
        });
        let (mut words, mut told) = (Vec::new(), Told::default());
        for item in members.chain(images) {
            if let Some(item) = told.add(item) {
                words.push(std::mem::take(&mut told));
                told.add(item);
            }
        }
        words.push(told);
        words
    }

    fn tell_watcher(&mut self, to: NodeId, part: Part, told: Told) {
        let Some(watcher) = self.watchers.by.get_mut(&to) else { return };
        watcher.number += 1;
        // Until all that has changed is listed, one that asks anew asks for all of it.
        let (node, watch, number, upto) = (watcher.node, watcher.watch, watcher.number, watcher.since());
        let Told { members, images, unavailable, changed, .. } = told;
        let watched = Watched { watch, number, part, members, images, unavailable, changed, upto };
        self.send(node, ToMember::Watched(Box::new(watched)));
    }
}

fn after_of<K: Ord, V>(map: &BTreeMap<K, V>, after: Option<K>) -> impl Iterator<Item = (&K, &V)> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range((from, Bound::Unbounded))
}
