//! Members that watch: who is in the convention, and which images may be used.
//!
//! Each is told the present state page by page, as it asks for the pages, and the changes since it began. A change is
//! noted when its record is made and told, as the state then is, when records become durable: many that become so
//! together are one word to each. While nobody watches nothing is noted. That a member is gone is not told here:
//! everyone hears that, watching or not.

use super::facts::{Judged, Registration};
use super::machine::Leader;
use crate::limits;
use crate::record::Record;
use crate::types::SourceHash;
use crate::watching::{ImageEntry, MemberEntry, Part, Watched};
use crate::wire::{self, ToMember};
use odeon::{NodeId, NodeRef};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

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
    /// Where the next page of its listing begins, until it has all.
    next: Option<Next>,
}

#[derive(Debug, Clone, Copy)]
struct Wants {
    members: bool,
    images: bool,
}

/// After what a page begins.
#[derive(Debug, Clone, Copy)]
enum Next {
    Member(Option<NodeId>),
    Image(Option<SourceHash>),
}

/// What one word tells.
#[derive(Debug, Clone, Default)]
struct Told {
    members: Vec<MemberEntry>,
    images: Vec<ImageEntry>,
    unavailable: Vec<SourceHash>,
    bytes: usize,
}

/// A part of a word.
#[derive(Serialize)]
enum Item {
    Member(MemberEntry),
    Image(ImageEntry),
    Unavailable(SourceHash),
}

impl Told {
    fn len(&self) -> usize {
        self.members.len() + self.images.len() + self.unavailable.len()
    }

    /// Takes something in, or gives it back where there is no room. Alone, everything fits.
    fn add(&mut self, item: Item) -> Option<Item> {
        let bytes = self.bytes + wire::encode(&item).map_or(0, |bytes| bytes.len());
        let fits = self.len() < limits::WATCHED_TOGETHER_MAX && bytes <= limits::WATCHED_BYTES_MAX;
        if !fits && self.len() > 0 {
            return Some(item);
        }
        self.bytes = bytes;
        match item {
            Item::Member(entry) => self.members.push(entry),
            Item::Image(entry) => self.images.push(entry),
            Item::Unavailable(hash) => self.unavailable.push(hash),
        }
        None
    }

    /// Only what somebody wants to know.
    fn wanted(&self, wants: Wants) -> Self {
        let mut told = self.clone();
        if !wants.members {
            told.members.clear();
        }
        if !wants.images {
            told.images.clear();
            told.unavailable.clear();
        }
        told
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
            Record::ImageUnloaded { hash } => {
                self.images.insert(*hash);
            }
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
    pub(super) fn watch(&mut self, from: NodeRef, watch: u64, members: bool, images: bool) {
        self.watchers.forget(from.id);
        if members || images {
            let wants = Wants { members, images };
            let next = Some(Next::Member(None));
            self.watchers.by.insert(from.id, Watcher { node: from, watch, number: 0, wants, next });
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
        let Some(watcher) = self.watchers.by.get_mut(&to) else { return };
        let (wants, Some(next)) = (watcher.wants, watcher.next.take()) else { return };
        let (told, next) = self.page(wants, next);
        if let Some(watcher) = self.watchers.by.get_mut(&to) {
            watcher.next = next;
        }
        let part = if next.is_some() { Part::Page } else { Part::LastPage };
        self.tell_watcher(to, part, told);
    }

    /// A page of what is there now, and where the next one begins.
    fn page(&self, wants: Wants, next: Next) -> (Told, Option<Next>) {
        let mut told = Told::default();
        let mut last_image = None;
        match next {
            Next::Member(mut last) => {
                for (id, registration) in after_of(&self.facts.registered, last).take_while(|_| wants.members) {
                    if told.add(Item::Member(member_entry(registration))).is_some() {
                        return (told, Some(Next::Member(last)));
                    }
                    last = Some(*id);
                }
            }
            Next::Image(last) => last_image = last,
        }
        for (hash, judged) in after_of(&self.facts.images, last_image).filter(|(_, j)| wants.images && j.approved) {
            if told.add(Item::Image(image_entry(judged))).is_some() {
                return (told, Some(Next::Image(last_image)));
            }
            last_image = Some(*hash);
        }
        (told, None)
    }

    /// Records are durable: what they changed is told. It waits for whatever was recorded since, as every word does.
    pub(super) fn tell_watchers(&mut self) {
        if self.watchers.members.is_empty() && self.watchers.images.is_empty() {
            return;
        }
        let changes = self.changes_to_tell();
        let Self { watchers, peers, .. } = self;
        // One whose link is down registers again, and then says anew what it watches.
        watchers.by.retain(|_, w| peers.of(w.node).is_some_and(|p| p.current));
        let all: Vec<(NodeId, Wants)> = watchers.by.iter().map(|(id, w)| (*id, w.wants)).collect();
        for (to, wants) in all {
            for told in changes.iter().map(|told| told.wanted(wants)).filter(|told| told.len() > 0) {
                self.tell_watcher(to, Part::Change, told);
            }
        }
    }

    /// What was noted, as it is now, in words of a bounded size.
    fn changes_to_tell(&mut self) -> Vec<Told> {
        let members = std::mem::take(&mut self.watchers.members);
        let images = std::mem::take(&mut self.watchers.images);
        let members = members.iter().filter_map(|id| self.facts.registered.get(id)).map(member_entry).map(Item::Member);
        let images = images.into_iter().map(|hash| match self.facts.images.get(&hash) {
            Some(judged) if judged.approved => Item::Image(image_entry(judged)),
            _ => Item::Unavailable(hash),
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
        let (node, watch, number) = (watcher.node, watcher.watch, watcher.number);
        let Told { members, images, unavailable, bytes: _ } = told;
        self.send(node, ToMember::Watched(Box::new(Watched { watch, number, part, members, images, unavailable })));
    }
}

fn after_of<K: Ord, V>(map: &BTreeMap<K, V>, after: Option<K>) -> impl Iterator<Item = (&K, &V)> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range((from, Bound::Unbounded))
}

fn member_entry(registration: &Registration) -> MemberEntry {
    let Registration { node, name, listen, capabilities, index: _ } = registration;
    MemberEntry { node: *node, name: name.clone(), listen: listen.clone(), capabilities: capabilities.clone() }
}

fn image_entry(judged: &Judged) -> ImageEntry {
    let image = &judged.image;
    ImageEntry { hash: image.hash, name: image.name.clone(), version: image.version.clone() }
}
