//! What actors here watch: who is in the convention, what its members can do, and which images may be used.
//!
//! The member keeps what it has told them. Whatever a leader sends, a listing from the start or a change, is compared
//! with that, so that each join and each loss is told once, whoever leads and however often it is said. While nobody
//! here watches, nothing is asked for and nothing is kept.
//!
//! Where nobody wants to know who is there, only what members can do, there is no listing: the leader tells what has
//! changed since a record, and a copy is kept only of the members that did.

mod copy;

pub(super) use copy::Watching;

use super::Effect;
use super::machine::Member;
use super::state::Link;
use crate::limits;
use crate::types::SourceHash;
use crate::watching::{ChangedEntry, MemberEntry, News, Part, Since, Watched};
use crate::wire::ToLeader;
use copy::{Asked, Known, Wants, lost};
use odeon::{Address, NodeRef, Topic};

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
        if !wants.members && !wants.capabilities {
            self.watching.members.clear();
            self.watching.upto = None;
        }
        if !wants.members {
            self.watching.members.values_mut().for_each(|known| known.there = false);
        }
        if !wants.images {
            self.watching.images.clear();
        }
        let nothing = wants == Wants::NOTHING;
        if !self.watching.asked.map_or(nothing, |asked| asked.serves(wants)) {
            self.watch_anew();
        }
    }

    /// Asks for everything from the start: on a new link, after a gap, or because something else is wanted now.
    pub(super) fn watch_anew(&mut self) {
        let watching = &mut self.watching;
        let (wants, before) = (watching.wants(), watching.asked.take());
        let Link::Registered { leader } = self.link else { return };
        let any = wants != Wants::NOTHING;
        if !any && before.is_none() {
            return;
        }
        watching.watches += 1;
        let watch = watching.watches;
        watching.asked = any.then_some(Asked { watch, wants, number: 0 });
        let Wants { members, images, capabilities } = wants;
        let capabilities = capabilities.then(|| watching.upto.map_or(Since::Now, Since::Record));
        self.send(leader, ToLeader::Watch { watch, members, images, capabilities });
    }

    /// A leader says what there is, or what has changed.
    pub(super) fn watched(&mut self, from: NodeRef, told: Watched) {
        let Watched { watch, number, part, members, images, unavailable, changed, upto } = told;
        let Some(asked) = self.watching.asked.as_mut().filter(|asked| asked.watch == watch) else { return };
        if number != asked.number + 1 {
            return self.watch_anew();
        }
        asked.number = number;
        let asked = *asked;
        if asked.wants.members || asked.wants.capabilities {
            self.watching.upto = Some(upto);
        }
        let changed = changed.into_iter().map(|ChangedEntry { member, keys }| (member, keys));
        let members = members.into_iter().map(|member| (member, Vec::new()));
        let (mut there, mut can, mut can_unless_there, mut usable) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (entry, keys) in changed.chain(members).filter(|(entry, _)| is_bounded(entry)) {
            if !self.gone.knows(entry.node) {
                let learned = self.watching.learn_member(entry, keys, watch);
                there.extend(learned.there);
                can.extend(learned.can);
                can_unless_there.extend(learned.can_unless_there);
            }
        }
        for entry in images {
            usable.extend(self.watching.learn_image(entry, watch));
        }
        for hash in unavailable {
            usable.extend(self.watching.images.remove(&hash).map(|known| News::Unavailable(known.entry)));
        }
        if part == Part::LastPage {
            let (members, images) = self.watching.forget_unheard(asked);
            there.extend(members);
            usable.extend(images);
        }
        // Of one that had a copy and is now told to be there, first how it has changed: then both say the same.
        self.tell_watchers(Topic::Capabilities, can);
        self.tell_watchers(Topic::Members, there);
        self.tell_actors(self.watching.only(Topic::Capabilities, Topic::Members), can_unless_there);
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
            && known.there
        {
            self.tell_watchers(Topic::Members, vec![lost(known.entry, reason)]);
        }
    }

    /// An image may not be used any more, as everyone is told.
    pub(super) fn watched_unloaded(&mut self, hash: SourceHash) {
        let known = self.watching.images.remove(&hash);
        self.tell_watchers(Topic::Images, known.map(|known| News::Unavailable(known.entry)).into_iter().collect());
    }

    fn tell_watchers(&mut self, topic: Topic, news: Vec<News>) {
        self.tell_actors(self.watching.watchers_of(topic).copied().collect(), news);
    }

    fn tell_actors(&mut self, to: Vec<Address>, news: Vec<News>) {
        if !news.is_empty() && !to.is_empty() {
            self.effects.push_back(Effect::News { to, news });
        }
    }
}

/// Whether a leader says no more of a member than a member may say of itself.
fn is_bounded(entry: &MemberEntry) -> bool {
    entry.name.len() <= limits::NAME_BYTES_MAX && entry.listen.len() <= limits::LISTEN_BYTES_MAX
}
