//! The nodes and the driver of their member machines: what each is told, and what it wants done.

use super::World;
use crate::sim::broken::Broken;
use crate::sim::clock::Clock;
use crate::sim::link::Way;
use crate::sim::process::{Actor, Process};
use crate::sim::queue::Event;
use crate::sim::truth;
use crate::sim::watch::Seen;
use odeon::{Address, NodeRef};
use odeon_convention::types::{CreateOutcome, CreateSpec, RequestId};
use odeon_convention::watching::News;
use odeon_convention::wire::ToLeader;
use odeon_convention::{codes, member};

/// Renewals are datagrams.
const RENEWALS_LOST_PERCENT: u64 = 5;

impl World {
    pub(super) fn start_node(&mut self, node: usize) {
        if self.nodes[node].running.is_some() {
            return;
        }
        let capabilities = self.first_capabilities(node);
        let seed = self.random.next();
        let clock = Clock::new(&mut self.random);
        let me = self.nodes[node].start(capabilities, seed, clock);
        self.report.member_restarts += u64::from(me.incarnation.0 > 1);
        self.saw(&Seen::NodeStarted { node: me });
        let delay = self.random.within(1, 300);
        self.after(delay, Event::Dial { node });
    }

    /// The process ends at once; whoever has a link to it notices later.
    pub(in crate::sim) fn end_node(&mut self, node: usize, back_in_ms: u64) {
        let Some(process) = self.nodes[node].running.take() else { return };
        self.saw(&Seen::NodeEnded { node: process.me });
        self.links[node].disturbed_ms = self.now;
        if let Some(epoch) = self.links[node].at_member.take() {
            let notice = if self.random.chance(50) { 5 } else { self.random.within(5, 5_000) };
            self.after(notice, Event::LeaderEndDown { node, epoch });
        }
        self.after(back_in_ms, Event::Start { node });
    }

    pub(in crate::sim) fn tell_member(&mut self, node: usize, me: NodeRef, input: member::Input) {
        let now = self.now;
        let Some(process) = self.running(node, me) else { return };
        process.member.handle(process.clock.shows(now), input);
        while let Some(effect) = self.running(node, me).and_then(|p| p.member.next_effect()) {
            self.do_for_member(node, me, effect);
        }
        let Some(process) = self.running(node, me) else { return };
        if let Some(at) = process.member.next_deadline().map(|at| process.clock.reaches(at))
            && process.wakes_at.is_none_or(|wakes| at < wakes || wakes < now)
        {
            process.wakes_at = Some(at.max(now));
            self.at(at, Event::MemberTimer { node, me });
        }
    }

    pub(in crate::sim) fn running(&mut self, node: usize, me: NodeRef) -> Option<&mut Process> {
        self.nodes[node].running.as_mut().filter(|p| p.me == me)
    }

    pub(super) fn member_timer(&mut self, node: usize, me: NodeRef) {
        let now = self.now;
        if self.running(node, me).is_some_and(|p| p.wakes_at == Some(now)) {
            if let Some(process) = self.running(node, me) {
                process.wakes_at = None;
            }
            self.tell_member(node, me, member::Input::Timer);
        }
    }

    fn do_for_member(&mut self, node: usize, me: NodeRef, effect: member::Effect) {
        match effect {
            member::Effect::Send { to, message } => self.send_to_leader(node, me, to, message),
            // A link leads to whichever leader has the turn.
            member::Effect::LeadersKnown(_) => {}
            member::Effect::Check { ticket, spec } => {
                let Some(process) = self.running(node, me) else { return };
                let outcome = truth::check(&spec.actor, &process.capabilities, false);
                let outcome = self.options.broken.spoil(outcome);
                let delay = self.random.within(0, 30);
                self.later_at_member(delay, node, me, member::Input::Checked { ticket, outcome });
            }
            member::Effect::Fetch { image, .. } => {
                let failure = self.random.mishap(4).then(|| "the source went away".to_owned());
                let (hash, delay) = (image.hash, self.random.within(5, 400));
                self.later_at_member(delay, node, me, member::Input::Fetched { hash, failure });
            }
            member::Effect::Launch { request, spec } => self.launch(node, me, request, &spec),
            member::Effect::Created { ticket, spec, outcome } => self.created(node, me, ticket, spec, *outcome),
            member::Effect::CapabilitiesChanged(map) => {
                if let Some(process) = self.running(node, me) {
                    process.capabilities = map;
                }
            }
            member::Effect::Draining { draining } => {
                if let Some(process) = self.running(node, me) {
                    process.draining = draining;
                }
            }
            member::Effect::MemberGone { node: gone, .. } => {
                self.saw(&Seen::ToldGone { to: me, node: gone });
                if self.options.broken == Broken::GoneTwice {
                    self.saw(&Seen::ToldGone { to: me, node: gone });
                }
            }
            member::Effect::ImageUnloaded { hash } => {
                if let Some(process) = self.running(node, me) {
                    process.store.remove(&hash);
                }
            }
            member::Effect::ImageRevoked { hash, end } => self.revoke(node, me, hash, end),
            member::Effect::Rejected { code, reason } => self.rejected(node, code, &reason),
            member::Effect::Left => {
                let back = self.random.within(500, 3_000);
                self.end_node(node, back);
            }
            member::Effect::News { to, news } => self.tell_news(&to, news),
            member::Effect::WatchRefused { by, reason } => {
                self.broke.get_or_insert((self.now, "nobody is refused to watch", format!("{by}: {reason}")));
            }
            // How images spread has a simulation of its own.
            member::Effect::Sources { .. }
            | member::Effect::AuthorityAnswered { .. }
            | member::Effect::Explained { .. }
            | member::Effect::Located { .. }
            | member::Effect::Reach { .. }
            | member::Effect::Joined { .. } => {}
        }
    }

    fn tell_news(&mut self, to: &[Address], news: Vec<News>) {
        for news in news {
            for to in to.iter().copied() {
                if self.options.broken == Broken::LoseNews && self.random.chance(2) {
                    continue;
                }
                self.report.news += 1;
                let told = Seen::ToldNews { to, news: news.clone() };
                self.saw(&told);
                if self.options.broken == Broken::TellNewsTwice {
                    self.saw(&told);
                }
            }
        }
    }

    /// A start that the leader does not know any more ends, and the node starts again.
    fn rejected(&mut self, node: usize, code: u16, reason: &str) {
        match code {
            codes::SUPERSEDED | codes::DECLARED_GONE => {
                let back = self.random.within(50, 300);
                self.end_node(node, back);
            }
            other => {
                let what = format!("node {node} was rejected with {}: {reason}", codes::name(other));
                self.broke.get_or_insert((self.now, "no node is rejected without cause", what));
            }
        }
    }

    fn later_at_member(&mut self, delay: u64, node: usize, me: NodeRef, input: member::Input) {
        self.after(delay, Event::Member { node, me, input: Box::new(input) });
    }

    pub(super) fn send_to_leader(&mut self, node: usize, from: NodeRef, to: NodeRef, mut message: ToLeader) {
        match (&mut message, self.options.broken) {
            (ToLeader::Register(facts), Broken::ForgetHosted) => facts.hosted.clear(),
            (ToLeader::Renew { .. } | ToLeader::Pong { .. }, Broken::LoseRenewals) if node < 10 => return,
            (ToLeader::AuthorityExited { .. }, Broken::LoseAuthorityExits) => return,
            // A datagram: it may be lost where the link is sound.
            (ToLeader::Renew { .. }, _) if self.random.mishap(RENEWALS_LOST_PERCENT) => return,
            _ => {}
        }
        if let ToLeader::RevocationsDone { upto, .. } = &message {
            self.saw(&Seen::ConfirmsRevocations { node: from, upto: *upto });
        }
        let Some(epoch) = self.links[node].at_member else { return };
        self.round_trip(&message);
        self.meter.said(&message);
        match self.carry(node, Way::ToLeader) {
            Some(at) => self.at(at, Event::ToLeader { node, epoch, from, to, message: Box::new(message) }),
            None => self.silent(node, epoch),
        }
    }

    fn launch(&mut self, node: usize, me: NodeRef, request: RequestId, spec: &CreateSpec) {
        let delay = if self.random.mishap(2) { self.random.within(100, 1_500) } else { self.random.within(1, 40) };
        let fails = self.random.mishap(2);
        let number = self.nodes[node].number;
        let Some(process) = self.running(node, me) else { return };
        let accepts = !process.draining && truth::accepts(spec, number, &process.capabilities);
        let result = if fails { Err("out of memory".to_owned()) } else { Ok(process.mint()) };
        if let Ok(address) = result {
            process.actors.insert(address, Actor { request, name: spec.global_name.clone(), image: spec.image });
        }
        self.saw(&Seen::Launching { host: me, request, accepts });
        if let Ok(address) = result {
            let (name, group, image) = (spec.global_name.clone(), spec.distinct.clone(), spec.image);
            self.saw(&Seen::ActorBorn { host: me, address, request, name, group, image });
        }
        self.later_at_member(delay, node, me, member::Input::Launched { request, result });
    }

    fn created(&mut self, node: usize, me: NodeRef, ticket: u64, spec: Box<CreateSpec>, outcome: CreateOutcome) {
        match &outcome {
            CreateOutcome::Created { .. } => self.report.created += 1,
            CreateOutcome::NoCompatibleNode(_) => self.report.incompatible += 1,
            CreateOutcome::Refused { .. } => self.report.refused += 1,
        }
        if let Some(process) = self.running(node, me)
            && process.asked.remove(&ticket).is_none()
        {
            self.broke.get_or_insert((self.now, "answered once", format!("{me} got ticket {ticket} again")));
        }
        self.saw(&Seen::Answered { asker: me, spec, outcome });
    }
}
