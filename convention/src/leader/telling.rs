//! What everyone is told of, in rounds: a round of words begins when those of the one before have left. What comes up
//! meanwhile is told together, so that a leader of thousands, of whom many leave or die, is never further behind than a
//! round.

use super::Effect;
use super::departure::Ending;
use super::machine::Leader;
use crate::limits;
use crate::wire::{Revoked, RevokedImage, ToMember};
use odeon::NodeRef;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Whether the words of a round are on their way.
    under_way: bool,
    /// Starts of nodes that have ended, of which nobody was told yet.
    gone: BTreeMap<Ending, Vec<NodeRef>>,
    /// How many, ever, those know of who were told of the round before.
    gone_upto: u64,
    /// Images that were revoked, of which nobody was told yet, each with its number.
    revoked: Vec<(u64, RevokedImage)>,
}

impl Telling {
    pub(super) fn note_gone(&mut self, node: NodeRef, ending: Ending) {
        self.gone.entry(ending).or_default().push(node);
    }

    pub(super) fn note_revoked(&mut self, number: u64, image: RevokedImage) {
        self.revoked.push((number, image));
    }
}

impl Leader {
    /// Begins the next round, unless one is under way or there is nothing to tell. What is told is durable, or waits for
    /// that as every word does.
    pub(super) fn tell_all(&mut self) {
        if self.telling.under_way {
            return;
        }
        let revoked = self.tell_revoked();
        let gone = self.tell_gone();
        let watched = self.tell_watchers();
        if revoked || gone || watched {
            self.telling.under_way = true;
            self.outbox.after_facts(Effect::Flush);
        }
    }

    /// The words of a round have left.
    pub(super) fn flushed(&mut self) {
        self.telling.under_way = false;
        self.tell_all();
    }

    fn tell_revoked(&mut self) -> bool {
        let revoked = std::mem::take(&mut self.telling.revoked);
        if let (Some((first, _)), Some((last, _))) = (revoked.first(), revoked.last()) {
            let all_us = limits::CONFIRM_EACH_US.saturating_mul(self.peers.live.len() as u64);
            let confirm_within_ms = (all_us / 1_000).min(limits::CONFIRM_WITHIN_MS_MAX);
            for revoked in since(first - 1, *last, &revoked) {
                self.broadcast(&ToMember::ImagesRevoked { revoked, confirm_within_ms });
            }
        }
        !revoked.is_empty()
    }

    fn tell_gone(&mut self) -> bool {
        let gone = std::mem::take(&mut self.telling.gone);
        let together = gone.iter().flat_map(|(ending, nodes)| {
            nodes.chunks(limits::GONE_TOLD_TOGETHER_MAX).map(|nodes| (ending.reason().to_owned(), nodes.to_vec()))
        });
        let mut words = together.peekable();
        let any = words.peek().is_some();
        while let Some((reason, nodes)) = words.next() {
            // Whoever hears only the first words of a round does not know of all that are gone.
            if words.peek().is_none() {
                self.telling.gone_upto = self.facts.gone_upto();
            }
            self.broadcast(&ToMember::MembersGone { nodes, reason, upto: self.telling.gone_upto });
        }
        any
    }

    /// Tells a member what it has missed that knows of so many.
    pub(super) fn tell_gone_since(&mut self, to: NodeRef, known: u64) {
        let gone = self.facts.gone_after(known);
        let mut upto = self.facts.gone_upto() - gone.len() as u64;
        let mut pages = gone.chunks(limits::GONE_TOLD_TOGETHER_MAX).peekable();
        while let Some(nodes) = pages.next() {
            upto += nodes.len() as u64;
            let last = pages.peek().is_none();
            self.send(to, ToMember::GoneBefore { nodes: nodes.to_vec(), upto, last });
        }
    }
}

/// What was revoked after one number and up to another, in words of a bounded size, of which there is one at least.
pub(super) fn since(mut known: u64, upto: u64, revoked: &[(u64, RevokedImage)]) -> Vec<Revoked> {
    let words = revoked.len().div_ceil(limits::REVOKED_TOLD_TOGETHER_MAX).max(1);
    let mut pages = revoked.chunks(limits::REVOKED_TOLD_TOGETHER_MAX);
    let mut word = |n| {
        let page = pages.next().unwrap_or_default();
        let images = page.iter().map(|(_, image)| *image).collect();
        // Of one that was revoked again the earlier number is not there, so the last word says up to which all is told.
        let last = page.last().filter(|_| n < words).map_or(upto, |(number, _)| *number);
        Revoked { since: std::mem::replace(&mut known, last), upto: last, images }
    };
    (1..=words).map(&mut word).collect()
}
