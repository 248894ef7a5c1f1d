//! The links of this world: they are dialled, carry words, and each end notices in its own time that one is down.

use super::World;
use crate::sim::link::{USUAL_DELAY_MS, Way};
use crate::sim::queue::Event;
use odeon::NodeRef;
use odeon_convention::types::Role;
use odeon_convention::wire::{self, ToMember};
use odeon_convention::{leader, member};

impl World {
    pub(super) fn dial(&mut self, node: usize) {
        let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me) else { return };
        if self.links[node].at_member.is_some() {
            return;
        }
        if self.leader.is_none() || !self.links[node].passable() {
            let again = self.random.within(200, 900);
            return self.after(again, Event::Dial { node });
        }
        if let Some((_, earlier)) = self.links[node].at_leader.take() {
            self.tell_leader(leader::Input::Disconnected { node: earlier });
        }
        let epoch = self.links[node].connect(me, self.now);
        self.links[node].at_member = Some(epoch);
        self.tell_leader(leader::Input::Connected { node: me, role: Role::Member });
        let leader = self.leader_ref();
        self.tell_member(node, me, member::Input::Connected { leader });
    }

    pub(super) fn deliver(&mut self, node: usize, epoch: u64, from: NodeRef, message: ToMember) {
        if self.links[node].at_member == Some(epoch)
            && let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me)
        {
            if !self.confirms_unheard(node, me, from, &message) {
                self.tell_member(node, me, member::Input::Received { from, message });
            }
        } else {
            self.report.lost += 1;
        }
    }

    /// When what is sent now arrives, or that it is lost; counted when it is late or lost.
    pub(super) fn carry(&mut self, node: usize, way: Way) -> Option<u64> {
        let arrives = self.links[node].carry(way, self.now, &mut self.random);
        match arrives {
            Some(at) => self.report.delayed += u64::from(at - self.now > USUAL_DELAY_MS),
            None => self.report.lost += 1,
        }
        arrives
    }

    /// Now and then a message is taken through its wire form.
    pub(super) fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq>(&mut self, message: &T) {
        if self.report.events.is_multiple_of(64) {
            let back = wire::encode(message).and_then(|bytes| wire::decode::<T>(&bytes));
            if back.as_ref() != Ok(message) {
                self.broke.get_or_insert((self.now, "messages survive the wire", "one does not".to_owned()));
            }
        }
    }

    /// Something was lost: both ends notice, each in its own time.
    pub(super) fn silent(&mut self, node: usize, epoch: u64) {
        let (one, other) = (self.random.within(100, 1_500), self.random.within(100, 1_500));
        self.after(one, Event::LeaderEndDown { node, epoch });
        self.after(other, Event::MemberEndDown { node, epoch });
    }

    pub(super) fn idle_out(&mut self, node: usize, epoch: u64) {
        if !self.links[node].passable() {
            self.silent(node, epoch);
        }
    }

    /// The connection is closed at the leader's end; the other end hears of it soon.
    pub(super) fn tear(&mut self, node: usize) {
        self.links[node].disturbed_ms = self.now;
        if let Some((epoch, _)) = self.links[node].at_leader.take() {
            let delay = self.random.within(1, 50);
            self.after(delay, Event::MemberEndDown { node, epoch });
        }
    }

    pub(super) fn leader_end_down(&mut self, node: usize, epoch: u64) {
        if let Some((at, linked)) = self.links[node].at_leader
            && at == epoch
        {
            self.links[node].at_leader = None;
            self.links[node].disturbed_ms = self.now;
            self.tell_leader(leader::Input::Disconnected { node: linked });
        }
    }

    pub(in crate::sim) fn member_end_down(&mut self, node: usize, epoch: u64) {
        if self.links[node].at_member != Some(epoch) {
            return;
        }
        self.links[node].at_member = None;
        self.links[node].disturbed_ms = self.now;
        let delay = self.random.within(1, 1_000);
        self.after(delay, Event::LeaderEndDown { node, epoch });
        if let Some(me) = self.nodes[node].running.as_ref().map(|p| p.me) {
            let leader = self.nodes[node].running.as_ref().and_then(|p| p.member.leader());
            if let Some(leader) = leader {
                self.tell_member(node, me, member::Input::Disconnected { leader });
            }
            let again = self.random.within(20, 400);
            self.after(again, Event::Dial { node });
        }
    }
}
