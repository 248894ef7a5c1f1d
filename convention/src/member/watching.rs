//! What actors here watch: who is in the convention, and which images may be used.
//!
//! The member keeps what it has told them. Whatever a leader sends, a listing from the start or a change, is compared
//! with that, so that each join and each loss is told once, whoever leads and however often it is said. While nobody
//! here watches, nothing is asked for and nothing is kept.

use super::Effect;
use super::machine::Member;
use super::state::Link;
use crate::limits;
use crate::types::SourceHash;
use crate::watching::{ImageEntry, MemberEntry, News, Part, Watched};
use crate::wire::ToLeader;
use odeon::{Address, NodeId, NodeRef, Topic};
use std::collections::{BTreeMap, BTreeSet};

/// Why a member is gone whose end was missed.
const MISSED: &str = "it is gone, as the leader knows";
/// Why the start of a node is gone whose next one is there.
const SUPERSEDED: &str = "a later start supersedes it";

/// Who watches what, and what they were told.
#[derive(Debug, Default)]
pub(super) struct Watching {
    watchers: BTreeMap<Topic, BTreeSet<Address>>,
    members: BTreeMap<NodeId, Known<MemberEntry>>,
    images: BTreeMap<SourceHash, Known<ImageEntry>>,
    /// How often it has asked.
    watches: u64,
    asked: Option<Asked>,
}

/// What was told, and in which listing or change after one it was heard of last.
#[derive(Debug)]
struct Known<T> {
    entry: T,
    heard: u64,
}

/// What a leader was asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    watch: u64,
    wants: Wants,
    /// The last part that came.
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wants {
    members: bool,
    images: bool,
}

impl Watching {
    fn has(&self, topic: Topic) -> bool {
        self.watchers.get(&topic).is_some_and(|by| !by.is_empty())
    }

    fn wants(&self) -> Wants {
        Wants { members: self.has(Topic::Members) || self.has(Topic::Capabilities), images: self.has(Topic::Images) }
    }

    fn count(&self) -> usize {
        self.watchers.values().map(BTreeSet::len).sum()
    }

    /// All that is known of a topic, for one who begins to watch. Of capabilities only changes are told.
    fn present(&self, topic: Topic) -> Vec<News> {
        match topic {
            Topic::Members => self.members.values().map(|known| News::Joined(known.entry.clone())).collect(),
            Topic::Capabilities => Vec::new(),
            Topic::Images => self.images.values().map(|known| News::Available(known.entry.clone())).collect(),
        }
    }

    /// Takes in a member as it is now. Gives what is news of who is there, and of what a member can do.
    fn learn_member(&mut self, entry: MemberEntry, heard: u64) -> (Vec<News>, Option<News>) {
        let id = entry.node.id;
        let Some(known) = self.members.get_mut(&id) else {
            if self.members.len() >= limits::WATCHED_MEMBERS_MAX {
                return (Vec::new(), None);
            }
            self.members.insert(id, Known { entry: entry.clone(), heard });
            return (vec![News::Joined(entry)], None);
        };
        if entry.node.incarnation < known.entry.node.incarnation {
            return (Vec::new(), None);
        }
        let before = std::mem::replace(known, Known { entry: entry.clone(), heard }).entry;
        if before.node != entry.node {
            return (vec![lost(before, SUPERSEDED), News::Joined(entry)], None);
        }
        let keys: Vec<String> = before.capabilities.delta_to(&entry.capabilities).0.into_keys().collect();
        (Vec::new(), (!keys.is_empty()).then_some(News::Changed { member: entry, keys }))
    }

    fn learn_image(&mut self, entry: ImageEntry, heard: u64) -> Option<News> {
        if self.images.len() >= limits::IMAGES_MAX && !self.images.contains_key(&entry.hash) {
            return None;
        }
        let before = self.images.insert(entry.hash, Known { entry: entry.clone(), heard });
        before.is_none().then_some(News::Available(entry))
    }

    /// The listing is complete: what it did not name is gone.
    fn forget_unheard(&mut self, watch: u64) -> (Vec<News>, Vec<News>) {
        let members = self.members.extract_if(.., |_, known| known.heard != watch);
        let members = members.map(|(_, known)| lost(known.entry, MISSED)).collect();
        let images = self.images.extract_if(.., |_, known| known.heard != watch);
        (members, images.map(|(_, known)| News::Unavailable(known.entry)).collect())
    }
}

impl Member {
    /// An actor here begins or ends to watch.
    pub(super) fn watch(&mut self, by: Address, topic: Topic, on: bool) {
        let full = self.watching.count() >= limits::WATCHERS_MAX;
        let watchers = self.watching.watchers.entry(topic).or_default();
        if !on {
            watchers.remove(&by);
            return self.watch_what_is_wanted();
        }
        if watchers.contains(&by) {
            return;
        }
        if full {
            let reason = format!("cannot watch: {} watches on this node are the most", limits::WATCHERS_MAX);
            return self.effects.push_back(Effect::WatchRefused { by, reason });
        }
        watchers.insert(by);
        let news = self.watching.present(topic);
        if !news.is_empty() {
            self.effects.push_back(Effect::News { to: vec![by], news });
        }
        self.watch_what_is_wanted();
    }

    /// An actor that is gone watches nothing any more.
    pub(super) fn watcher_gone(&mut self, by: Address) {
        let watched = self.watching.watchers.values_mut().fold(false, |any, of| of.remove(&by) | any);
        if watched {
            self.watch_what_is_wanted();
        }
    }

    fn watch_what_is_wanted(&mut self) {
        let wants = self.watching.wants();
        if !wants.members {
            self.watching.members.clear();
        }
        if !wants.images {
            self.watching.images.clear();
        }
        let asked = self.watching.asked.map_or(Wants { members: false, images: false }, |asked| asked.wants);
        if asked != wants {
            self.watch_anew();
        }
    }

    /// Asks for everything from the start: on a new link, after a gap, or because something else is wanted now.
    pub(super) fn watch_anew(&mut self) {
        let watching = &mut self.watching;
        let (wants, before) = (watching.wants(), watching.asked.take());
        let Link::Registered { leader } = self.link else { return };
        let any = wants.members || wants.images;
        if !any && before.is_none() {
            return;
        }
        watching.watches += 1;
        let watch = watching.watches;
        watching.asked = any.then_some(Asked { watch, wants, number: 0 });
        self.send(leader, ToLeader::Watch { watch, members: wants.members, images: wants.images });
    }

    /// A leader says what there is, or what has changed.
    pub(super) fn watched(&mut self, from: NodeRef, told: Watched) {
        let Watched { watch, number, part, members, images, unavailable } = told;
        let Some(asked) = self.watching.asked.as_mut().filter(|asked| asked.watch == watch) else { return };
        if number != asked.number + 1 {
            return self.watch_anew();
        }
        asked.number = number;
        let (mut there, mut can, mut usable) = (Vec::new(), Vec::new(), Vec::new());
        for entry in members.into_iter().filter(is_bounded) {
            if !self.gone.knows(entry.node) {
                let (news, changed) = self.watching.learn_member(entry, watch);
                there.extend(news);
                can.extend(changed);
            }
        }
        for entry in images {
            usable.extend(self.watching.learn_image(entry, watch));
        }
        for hash in unavailable {
            usable.extend(self.watching.images.remove(&hash).map(|known| News::Unavailable(known.entry)));
        }
        if part == Part::LastPage {
            let (members, images) = self.watching.forget_unheard(watch);
            there.extend(members);
            usable.extend(images);
        }
        self.tell_watchers(Topic::Members, there);
        self.tell_watchers(Topic::Capabilities, can);
        self.tell_watchers(Topic::Images, usable);
        if part == Part::Page {
            self.send(from, ToLeader::WatchNext { watch });
        }
    }

    /// A node is gone, as everyone is told.
    pub(super) fn watched_gone(&mut self, node: NodeRef, reason: &str) {
        let is_it = |known: &Known<MemberEntry>| known.entry.node.incarnation <= node.incarnation;
        if self.watching.members.get(&node.id).is_some_and(is_it)
            && let Some(known) = self.watching.members.remove(&node.id)
        {
            self.tell_watchers(Topic::Members, vec![lost(known.entry, reason)]);
        }
    }

    fn tell_watchers(&mut self, topic: Topic, news: Vec<News>) {
        let to: Vec<Address> = self.watching.watchers.get(&topic).into_iter().flatten().copied().collect();
        if !news.is_empty() && !to.is_empty() {
            self.effects.push_back(Effect::News { to, news });
        }
    }
}

fn lost(entry: MemberEntry, reason: &str) -> News {
    News::Lost { node: entry.node, name: entry.name, reason: reason.to_owned() }
}

/// Whether a leader says no more of a member than a member may say of itself.
fn is_bounded(entry: &MemberEntry) -> bool {
    entry.name.len() <= limits::NAME_BYTES_MAX && entry.listen.len() <= limits::LISTEN_BYTES_MAX
}
