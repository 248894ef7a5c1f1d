//! What goes wrong, and when.

use super::link::Way;
use super::queue::Event;
use super::world::World;

/// How many nodes one fault hits, times those that are told of each that dies. All these words may be under way at once,
/// and a few gigabytes of memory hold no more.
const TOLD_AT_ONCE_MAX: usize = 5_000_000;

/// When all that goes on after the last fault is over.
const AUDIT_AFTER_MS: u64 = 11_000;

impl World {
    /// One fault, and when the next one comes. The last one ends them all.
    pub(super) fn fault(&mut self) {
        if !self.faulty() {
            return self.make_good();
        }
        match self.random.below(100) {
            0..=29 => self.cut_link(),
            30..=44 => self.block_one_way(),
            45..=54 => self.partition(),
            55..=79 => self.crash_member(),
            80..=83 => self.leader_soon(Event::LeaderCrashes),
            84..=86 => self.leader_soon(Event::LeaderMoves),
            87..=92 => self.after(1, Event::LeaderStalls),
            _ => self.crash_many(),
        }
        let next = self.random.within(20, 500);
        self.after(next, Event::Fault);
    }

    /// How many nodes one fault hits: one in so many, as far as that can be told.
    fn together(&self, one_in: usize) -> usize {
        (self.nodes.len() / one_in).min(TOLD_AT_ONCE_MAX / self.nodes.len())
    }

    fn any(&mut self) -> usize {
        self.random.below(self.nodes.len())
    }

    /// The connection ends; the next one works.
    fn cut_link(&mut self) {
        let node = self.any();
        self.report.links_cut += 1;
        if let Some(epoch) = self.links[node].at_member {
            self.links[node].disturbed_ms = self.now;
            self.member_end_down(node, epoch);
        }
    }

    fn block_one_way(&mut self) {
        let node = self.any();
        let way = if self.random.chance(50) { Way::ToLeader } else { Way::ToMember };
        self.block(node, &[way]);
    }

    fn partition(&mut self) {
        let first = self.any();
        let many = self.random.below(self.together(4) + 1);
        self.report.partitions += u64::from(many > 1);
        for node in (first..first + many).map(|n| n % self.nodes.len()).collect::<Vec<_>>() {
            self.block(node, &[Way::ToLeader, Way::ToMember]);
        }
    }

    fn block(&mut self, node: usize, ways: &[Way]) {
        self.report.links_cut += 1;
        for way in ways {
            self.links[node].block(*way, self.now);
        }
        if let Some(epoch) = self.links[node].at_member {
            let idle = self.random.within(300, 1_500);
            self.after(idle, Event::IdleOut { node, epoch });
        }
        let heal = self.random.within(100, 8_000);
        self.after(heal, Event::Heal { node });
    }

    fn crash_member(&mut self) {
        let node = self.any();
        self.report.member_crashes += 1;
        let back = self.random.within(10, 6_000);
        self.end_node(node, back);
    }

    fn crash_many(&mut self) {
        for _ in 0..self.together(10) {
            self.crash_member();
        }
    }

    fn leader_soon(&mut self, event: Event) {
        let delay = self.random.within(0, 50);
        self.after(delay, event);
    }

    fn make_good(&mut self) {
        for link in &mut self.links {
            link.heal(self.now);
        }
        self.after(AUDIT_AFTER_MS, Event::Audit);
    }
}
