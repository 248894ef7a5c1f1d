//! Lease arithmetic: when a silent node has to be asked, and when it has to be taken for dead. Knows nodes and times,
//! nothing else.
//!
//! A renewal is one store. The queue holds one entry per node, which is looked at when its time has come and moved
//! on when the node spoke since: a fleet costs one queue step per node and silence, not one per renewal.

use crate::limits;
use crate::types::Millis;
use hashbrown::HashMap;
use odeon::NodeId;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(crate) struct Leases {
    lease_ms: Millis,
    /// A silence after which a node is asked.
    ask_after_ms: Millis,
    grace_ms: Millis,
    /// When the process proves to itself that it runs: a lease that ends shortly before a stall does would look like
    /// silence otherwise.
    tick_at: Millis,
    queue: BTreeSet<(Millis, NodeId)>,
    /// Nodes that seem silent, since when, and of which more may have arrived than was handled.
    doubted: BTreeSet<(Millis, NodeId)>,
    echo: Echo,
    held: HashMap<NodeId, Lease>,
}

/// How far this leader is with what has arrived at it.
#[derive(Debug, Default)]
struct Echo {
    /// Whether they come back.
    works: bool,
    /// The last one that was wanted and has not come back.
    wanted: Option<Millis>,
    /// One that is to be asked for.
    due: Option<Millis>,
}

#[derive(Debug)]
struct Lease {
    ends: Millis,
    queued: Millis,
    /// Stalls since the last word.
    forgiven: u32,
    /// Whether the node was asked since its last word.
    asked: bool,
}

/// What a look at the time has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Silent {
    /// Nodes that have to be asked whether they live.
    pub(crate) late: Vec<NodeId>,
    /// Nodes whose lease has run out; they are forgotten.
    pub(crate) expired: Vec<NodeId>,
}

impl Leases {
    pub(crate) fn new(lease_ms: Millis, renew_every_ms: Millis) -> Self {
        let grace_ms = lease_ms.min(renew_every_ms.saturating_mul(2));
        let ask_after_ms = lease_ms.min(renew_every_ms.saturating_add(renew_every_ms / 40));
        let (queue, doubted, held) = (BTreeSet::new(), BTreeSet::new(), HashMap::new());
        Self { lease_ms, ask_after_ms, grace_ms, tick_at: 0, queue, doubted, echo: Echo::default(), held }
    }

    /// The node said something.
    pub(crate) fn renew(&mut self, id: NodeId, now: Millis) {
        let ends = now.saturating_add(self.lease_ms);
        match self.held.get_mut(&id) {
            Some(lease) => {
                lease.ends = ends;
                lease.forgiven = 0;
                let doubted = self.doubted.remove(&(lease.queued, id));
                if std::mem::take(&mut lease.asked) || doubted {
                    let asked_again = look_at(now.saturating_add(self.ask_after_ms));
                    self.queue.remove(&(lease.queued, id));
                    lease.queued = asked_again;
                    self.queue.insert((asked_again, id));
                }
            }
            None => {
                if self.held.is_empty() {
                    self.tick_at = now.saturating_add(limits::TICK_EVERY_MS);
                }
                let queued = look_at(now.saturating_add(self.ask_after_ms));
                self.held.insert(id, Lease { ends, queued, forgiven: 0, asked: false });
                self.queue.insert((queued, id));
            }
        }
    }

    /// The node is gone for a reason other than its lease.
    pub(crate) fn forget(&mut self, id: NodeId) {
        if let Some(lease) = self.held.remove(&id) {
            self.queue.remove(&(lease.queued, id));
            self.doubted.remove(&(lease.queued, id));
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Millis> {
        (!self.held.is_empty()).then(|| self.queue.first().map_or(self.tick_at, |(at, _)| self.tick_at.min(*at)))
    }

    /// An echo that is to be asked for, once.
    pub(crate) fn take_echo(&mut self) -> Option<Millis> {
        self.echo.due.take()
    }

    /// Asks for an echo, whether or not anybody is doubted.
    pub(crate) fn ask_echo(&mut self, now: Millis) {
        self.echo.wanted = Some(now);
        self.echo.due = Some(now);
    }

    /// Who has been silent for too long, or for long enough to be asked.
    ///
    /// Once echoes come back, nobody is before everything is handled that has arrived meanwhile: [`Leases::heard`] says.
    pub(crate) fn silent(&mut self, now: Millis) -> Silent {
        let late = self.next().map_or(0, |first| now.saturating_sub(first));
        if late > if self.echo.works { limits::SLEEP_MIN_MS } else { limits::STALL_MIN_MS } {
            self.forgive(late, now);
        }
        self.tick_at = now.saturating_add(limits::TICK_EVERY_MS);
        let mut silent = Silent::default();
        while let Some(&(at, id)) = self.queue.first()
            && at <= now
        {
            self.queue.pop_first();
            if self.echo.works && self.is_silent(id, now) {
                self.doubted.insert((at, id));
            } else {
                self.judge(id, now, now, &mut silent);
            }
        }
        // Where no echo comes back any more, a node does not live for ever.
        if self.doubted.first().is_some_and(|(since, _)| since.saturating_add(limits::ECHO_WAIT_MAX_MS) <= now) {
            self.echo.works = false;
            for (_, id) in std::mem::take(&mut self.doubted) {
                self.judge(id, now, now, &mut silent);
            }
        }
        self.doubt(now);
        silent
    }

    /// All that had arrived by `until` is handled.
    pub(crate) fn heard(&mut self, until: Millis, now: Millis) -> Silent {
        self.echo.works = true;
        self.echo.wanted = self.echo.wanted.filter(|wanted| *wanted > until);
        let mut silent = Silent::default();
        while let Some(&(since, id)) = self.doubted.first()
            && since <= until
        {
            self.doubted.pop_first();
            self.judge(id, until, now, &mut silent);
        }
        self.doubt(now);
        silent
    }

    /// Wants an echo while somebody is doubted, or none has come back; one that takes too long may be lost.
    fn doubt(&mut self, now: Millis) {
        let lost = |wanted: Millis| wanted.saturating_add(limits::TICK_EVERY_MS) <= now;
        if (!self.doubted.is_empty() || !self.echo.works) && self.echo.wanted.is_none_or(lost) {
            self.ask_echo(now);
        }
    }

    /// Whether a node has to be asked, or is gone, if nothing of it has arrived by `now`.
    fn is_silent(&self, id: NodeId, now: Millis) -> bool {
        let unasked_ms = self.lease_ms - self.ask_after_ms;
        let due = |lease: &Lease| lease.ends.saturating_sub(if lease.asked { 0 } else { unasked_ms });
        self.held.get(&id).is_some_and(|lease| due(lease) <= now)
    }

    /// What the silence of a node until `until` means. Nobody is dead who had no time to answer.
    fn judge(&mut self, id: NodeId, until: Millis, now: Millis, silent: &mut Silent) {
        let unasked_ms = self.lease_ms - self.ask_after_ms;
        let Some(lease) = self.held.get_mut(&id) else { return };
        if lease.asked && lease.ends <= until {
            self.held.remove(&id);
            silent.expired.push(id);
            return;
        }
        let ask_at = lease.ends.saturating_sub(unasked_ms);
        if !lease.asked && ask_at <= until {
            lease.asked = true;
            lease.ends = lease.ends.max(now.saturating_add(unasked_ms));
            silent.late.push(id);
        }
        lease.queued = look_at(if lease.asked { lease.ends } else { ask_at });
        self.queue.insert((lease.queued, id));
    }

    /// This process slept: what the nodes said meanwhile is still in a queue before us, or lost.
    fn forgive(&mut self, late: Millis, now: Millis) {
        for lease in self.held.values_mut().filter(|l| l.forgiven < limits::STALLS_FORGIVEN_MAX) {
            lease.ends = lease.ends.saturating_add(late).max(now.saturating_add(self.grace_ms));
            lease.forgiven += 1;
        }
    }
}

/// When a node is looked at for which something is due at this moment: together with others.
fn look_at(due: Millis) -> Millis {
    due.checked_next_multiple_of(limits::LOOK_EVERY_MS).unwrap_or(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId([1; 16]);
    const B: NodeId = NodeId([2; 16]);

    fn leases() -> Leases {
        let mut leases = Leases::new(4_000, 1_000);
        leases.renew(A, 0);
        leases.renew(B, 0);
        leases
    }

    /// Looks in time whenever it asks to, until `until`.
    fn expired_until(leases: &mut Leases, until: Millis) -> Vec<(Millis, NodeId)> {
        let mut expired = Vec::new();
        while let Some(at) = leases.next().filter(|at| *at <= until) {
            expired.extend(leases.silent(at).expired.into_iter().map(|id| (at, id)));
        }
        expired
    }

    #[test]
    fn a_silent_node_is_asked_once_and_again_only_after_it_spoke() {
        let mut leases = leases();
        let mut asked = Vec::new();
        while let Some(at) = leases.next().filter(|at| *at < 6_000) {
            asked.extend(leases.silent(at).late.into_iter().map(|id| (at, id)));
            if at == 1_025 {
                leases.renew(B, 2_000);
            }
        }
        assert_eq!(asked, [(1_025, A), (1_025, B), (3_025, B)]);
    }

    #[test]
    fn a_silent_node_expires_and_a_speaking_one_does_not() {
        let mut leases = leases();
        assert_eq!(expired_until(&mut leases, 3_000), []);
        leases.renew(B, 3_000);
        assert_eq!(expired_until(&mut leases, 9_000), [(4_000, A), (7_000, B)]);
        assert_eq!(leases.next(), None);
    }

    #[test]
    fn a_stalled_leader_waits_before_it_declares_anyone_dead() {
        let mut leases = leases();
        assert_eq!(leases.silent(20_000).expired, []);
        leases.renew(B, 20_001);
        assert_eq!(expired_until(&mut leases, 30_000), [(23_500, A), (24_025, B)]);
    }

    #[test]
    fn a_stall_that_ends_just_after_a_lease_is_noticed_too() {
        let mut leases = leases();
        assert_eq!(expired_until(&mut leases, 500), []);
        assert_eq!(leases.silent(4_010).expired, []);
    }

    #[test]
    fn a_leader_that_is_always_late_still_notices_its_dead() {
        let mut leases = leases();
        let mut expired = Vec::new();
        while let Some(next) = leases.next() {
            assert!(next < 20_000, "nobody died");
            expired.extend(leases.silent(next + 1_000).expired);
        }
        assert_eq!(expired, [A, B]);
    }

    #[test]
    fn a_forgotten_node_never_expires() {
        let mut leases = leases();
        leases.forget(A);
        assert_eq!(expired_until(&mut leases, 9_000), [(4_000, B)]);
    }

    /// Leases of a leader whose echoes come back at once.
    fn echoing() -> Leases {
        let mut leases = leases();
        leases.ask_echo(0);
        assert_eq!(leases.take_echo(), Some(0));
        assert_eq!(leases.heard(0, 0), Silent::default());
        leases
    }

    /// Looks whenever it asks to, until `until`, and gives each echo back at once.
    fn asked_until(leases: &mut Leases, until: Millis) -> Vec<NodeId> {
        let mut asked = Vec::new();
        while let Some(at) = leases.next().filter(|at| *at <= until) {
            assert_eq!(leases.silent(at), Silent::default());
            let silent = leases.take_echo().map(|echo| leases.heard(echo, at));
            asked.extend(silent.into_iter().flat_map(|silent| silent.late));
        }
        asked
    }

    #[test]
    fn what_has_arrived_is_handled_before_anybody_is_dead() {
        let mut leases = echoing();
        assert_eq!(asked_until(&mut leases, 3_900), [A, B]);
        assert_eq!((leases.silent(4_000), leases.take_echo()), (Silent::default(), Some(4_000)));
        leases.renew(B, 4_300);
        assert_eq!(leases.heard(4_000, 4_300), Silent { late: vec![], expired: vec![A] });
        assert_eq!((leases.take_echo(), leases.next()), (None, Some(4_500)));
    }

    #[test]
    fn an_echo_that_went_before_a_lease_ended_says_nothing_of_it() {
        let mut leases = echoing();
        asked_until(&mut leases, 3_900);
        assert_eq!((leases.silent(4_000), leases.take_echo()), (Silent::default(), Some(4_000)));
        assert_eq!(leases.heard(3_999, 4_010), Silent::default());
        assert_eq!(leases.heard(4_000, 4_020).expired, [A, B]);
    }

    #[test]
    fn a_lost_echo_is_asked_for_again_and_in_the_end_done_without() {
        let (mut leases, mut echoes, mut expired) = (echoing(), 0, Vec::new());
        while let Some(at) = leases.next() {
            expired.extend(leases.silent(at).expired.into_iter().map(|id| (at, id)));
            echoes += usize::from(leases.take_echo().is_some());
        }
        let dead = expired.first().map(|(at, _)| *at).expect("nobody died");
        assert!(echoes > 20 && expired.len() == 2, "{echoes} {expired:?}");
        assert!((13_500..20_000).contains(&dead), "{dead}");
    }
}
