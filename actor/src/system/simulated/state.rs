//! What a simulation knows: who lives where, what is under way, what was decided and what happened.

use super::decisions::{Decider, Kind};
use super::flight::Flight;
use super::links::Links;
use super::trace::{Event, Step, Trace};
use super::watching::Watchers;
use super::{Settings, TRACE_STEPS_MAX};
use crate::Address;
use crate::definition::Definition;
use crate::system::Envelope;
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Into so many parts the time between the shortest and the longest delay is cut.
const DELAYS: usize = 1_024;

/// An actor that is not gone.
pub(super) struct Resident {
    /// Its node; none while it is still to be created there.
    pub(super) node: Option<usize>,
    /// The node where it lives or is to be created.
    pub(super) bound: usize,
    /// What came for it before it was created.
    pub(super) parked: Vec<Envelope>,
    pub(super) parent: Option<Address>,
    pub(super) global_name: Option<String>,
    /// In the order of creation.
    pub(super) number: u64,
}

/// What people call actors.
#[derive(Default)]
struct Labels {
    of: HashMap<Address, Arc<str>>,
    counts: HashMap<Arc<str>, u32>,
}

/// Those who are put aside until an actor has less to do: their ticket.
#[derive(Default)]
pub(super) struct Tickets {
    pub(super) of: HashMap<Address, u64>,
    last: u64,
}

pub(super) struct State {
    pub(super) decider: Decider,
    pub(super) flight: Flight,
    pub(super) residents: HashMap<Address, Resident>,
    created: u64,
    /// Promised to be created outside of the simulation.
    pub(super) elsewhere: HashSet<Address>,
    pub(super) names: HashMap<String, Address>,
    pub(super) lost: Vec<bool>,
    /// The steps at which a node will be lost.
    pub(super) losses: Vec<u64>,
    pub(super) links: Links,
    pub(super) watchers: Watchers,
    /// Where the actor may live that is about to be created.
    pub(super) chosen: Option<VecDeque<(usize, Definition)>>,
    pub(super) tickets: Tickets,
    pub(super) steps: u64,
    pub(super) stopped: bool,
    /// The limit of steps was reached.
    pub(super) over: bool,
    pub(super) trace: Trace,
    labels: Labels,
    records: bool,
}

impl State {
    pub(super) fn new(settings: &Settings, mut decider: Decider, nodes: usize) -> Self {
        let losses = (0..settings.losses).map(|_| decider.moment()).filter(|at| *at > 0).collect();
        let links = Links::new(nodes - 1);
        decider.plan_cuts(settings.cuts, links.count);
        Self {
            decider,
            flight: Flight::default(),
            residents: HashMap::new(),
            created: 0,
            elsewhere: HashSet::new(),
            names: HashMap::new(),
            lost: vec![false; nodes],
            losses,
            links,
            watchers: Watchers::default(),
            chosen: None,
            tickets: Tickets::default(),
            steps: 0,
            stopped: false,
            over: false,
            trace: Trace::default(),
            labels: Labels::default(),
            records: settings.records,
        }
    }

    /// Notes what happens, if anyone is to read it.
    pub(super) fn record(&mut self, at_ns: u64, event: impl FnOnce(&Self) -> Event) {
        if !self.records {
            return;
        }
        let step = Step { at: Duration::from_nanos(at_ns), event: event(self) };
        if self.trace.steps.len() == TRACE_STEPS_MAX {
            self.trace.dropped += TRACE_STEPS_MAX / 2;
            self.trace.steps.drain(..TRACE_STEPS_MAX / 2);
        }
        self.trace.steps.push(step);
    }

    /// What people call whoever has an address.
    pub(super) fn label(&self, address: &Address) -> Arc<str> {
        self.labels
            .of
            .get(address)
            .cloned()
            .unwrap_or_else(|| if address.is_promised() { "nobody" } else { "program" }.into())
    }

    /// Takes an actor in that is to be created on a node.
    pub(super) fn admit(
        &mut self,
        actor: Address,
        name: &Arc<str>,
        parent: Option<Address>,
        global: Option<&str>,
        bound: usize,
    ) {
        self.created += 1;
        if self.records {
            let count = self.labels.counts.entry(name.clone()).or_default();
            *count += 1;
            self.labels.of.insert(actor, format!("{name}#{count}").into());
        }
        let global_name = global.map(str::to_owned);
        if let Some(name) = &global_name {
            self.names.insert(name.clone(), actor);
        }
        let resident = Resident { node: None, bound, parked: Vec::new(), parent, global_name, number: self.created };
        self.residents.insert(actor, resident);
    }

    /// Takes an actor out that is gone.
    pub(super) fn dismiss(&mut self, actor: &Address) -> Option<Resident> {
        let resident = self.residents.remove(actor)?;
        self.watchers.forget(actor);
        if let Some(name) = &resident.global_name
            && self.names.get(name) == Some(actor)
        {
            self.names.remove(name);
        }
        Some(resident)
    }

    /// The actors of which `which` says so, in the order of their creation.
    pub(super) fn in_order(&self, which: impl Fn(&Resident) -> bool) -> Vec<Address> {
        let mut found: Vec<_> =
            self.residents.iter().filter(|(_, r)| which(r)).map(|(actor, r)| (r.number, *actor)).collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, actor)| actor).collect()
    }

    /// How long the next message is under way, in nanoseconds, where nothing holds it up.
    pub(super) fn delay_ns(&mut self, settings: &Settings) -> u64 {
        let (least, most) = (settings.delay_least.as_nanos(), settings.delay_most.as_nanos());
        let between = most.saturating_sub(least);
        let part = if between > 0 { self.decider.choose(Kind::Delay, DELAYS + 1) } else { 0 };
        let delay = least + between * part as u128 / DELAYS as u128;
        u64::try_from(delay).unwrap_or(u64::MAX)
    }

    /// The ticket of whoever sends too much to an actor.
    pub(super) fn ticket(&mut self, to: Address) -> u64 {
        let Tickets { of, last } = &mut self.tickets;
        *of.entry(to).or_insert_with(|| {
            *last += 1;
            // The outside has tickets of its own.
            *last | 1 << 63
        })
    }
}
