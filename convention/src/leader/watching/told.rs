//! What one word tells those who watch, within its bounds.

use super::Wants;
use crate::leader::facts::{Judged, Registration};
use crate::limits;
use crate::types::SourceHash;
use crate::watching::{ChangedEntry, ImageEntry, MemberEntry};
use crate::wire;
use serde::Serialize;

/// What one word tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) members: Vec<MemberEntry>,
    pub(super) images: Vec<ImageEntry>,
    pub(super) unavailable: Vec<SourceHash>,
    pub(super) changed: Vec<ChangedEntry>,
    bytes: usize,
}

/// A part of a word.
#[derive(Serialize)]
pub(super) enum Item {
    Member(MemberEntry),
    Image(ImageEntry),
    Unavailable(SourceHash),
    Changed(ChangedEntry),
}

impl Told {
    pub(super) fn len(&self) -> usize {
        self.members.len() + self.images.len() + self.unavailable.len() + self.changed.len()
    }

    /// Takes something in, or gives it back where there is no room. Alone, everything fits.
    pub(super) fn add(&mut self, item: Item) -> Option<Item> {
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
            Item::Changed(entry) => self.changed.push(entry),
        }
        None
    }
}

/// What somebody is told of a member, if anything: that its capabilities have changed since a record, or else how it is.
pub(super) fn item_of(registration: &Registration, wants: Wants, since: u64) -> Option<Item> {
    let keys = if wants.capabilities { registration.changed_since(since) } else { Vec::new() };
    if !keys.is_empty() {
        return Some(Item::Changed(ChangedEntry { member: member_entry(registration), keys }));
    }
    wants.members.then(|| Item::Member(member_entry(registration)))
}

fn member_entry(registration: &Registration) -> MemberEntry {
    let Registration { node, name, listen, capabilities, index: _, changed: _ } = registration;
    MemberEntry { node: *node, name: name.clone(), listen: listen.clone(), capabilities: capabilities.clone() }
}

pub(super) fn image_entry(judged: &Judged) -> ImageEntry {
    let image = &judged.image;
    ImageEntry { hash: image.hash, name: image.name.clone(), version: image.version.clone() }
}
