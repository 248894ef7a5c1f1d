//! The simulated nodes and what happens between them, step by step.
//!
//! One step gives one actor its turn for one message, or moves the clock to what happens next. The state's lock is never
//! held while anything of an actor, a message or the outside runs.

use super::decisions::{Decider, Kind};
use super::flight::Cargo;
use super::place::Place;
use super::state::State;
use super::trace::Event;
use super::{HANDLING_NS, NoEnd, Settings};
use crate::system::caught::dropped;
use crate::system::core::{Core, Scheduler};
use crate::system::inline::Inline;
use crate::system::timers::{Clock, VirtualClock};
use crate::system::{Envelope, Outside, System};
use crate::{ActorExitRequest, Address, AnyMessage, Incarnation, NodeId, NodeRef};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

/// The node where the program's own addresses are. No actor lives there.
pub(super) const PROGRAM: usize = 0;

pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) system: System,
    pub(super) inner: Arc<dyn Outside>,
}

pub(super) struct World {
    pub(super) me: Weak<World>,
    pub(super) queue: Arc<Inline>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) nodes: Vec<Node>,
    pub(super) settings: Settings,
    pub(super) state: Mutex<State>,
    /// How many turns are going on, one within the other.
    pub(super) depth: AtomicUsize,
}

impl World {
    /// A world of the program's own node and these.
    pub(super) fn new(
        program: NodeRef,
        nodes: Vec<(Arc<str>, Arc<dyn Outside>)>,
        settings: Settings,
        decider: Decider,
    ) -> Arc<Self> {
        let queue = Arc::new(Inline::default());
        let clock = Arc::new(VirtualClock::new());
        let numbers = Arc::new(Mutex::new(decider.numbers()));
        Arc::new_cyclic(|me: &Weak<World>| {
            let outside_of_program = nodes.first().map(|(_, inner)| ("program".into(), inner.clone()));
            let nodes: Vec<_> = outside_of_program
                .into_iter()
                .chain(nodes)
                .enumerate()
                .map(|(index, (name, inner))| {
                    let place = Arc::new(Place { world: me.clone(), index, inner: inner.clone() });
                    let (queue, clock) = (Scheduler::Inline(queue.clone()), Clock::Virtual(clock.clone()));
                    let core = Core::with(node_ref(program, index), queue, place, clock, Some(numbers.clone()));
                    Node { name, system: System(core), inner }
                })
                .collect();
            let state = Mutex::new(State::new(&settings, decider, nodes.len()));
            Self { me: me.clone(), queue, clock, nodes, settings, state, depth: AtomicUsize::new(0) }
        })
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.clock.elapsed_ns()
    }

    pub(super) fn core(&self, node: usize) -> &Arc<Core> {
        &self.nodes[node].system.0
    }

    pub(super) fn record(&self, event: impl FnOnce(&State) -> Event) {
        let now = self.now_ns();
        self.state.lock().record(now, event);
    }

    /// The actors that have no parent here.
    pub(super) fn roots(&self) -> Vec<Address> {
        let state = self.state.lock();
        state.in_order(|r| r.node.is_some() && r.parent.is_none_or(|parent| !state.residents.contains_key(&parent)))
    }

    /// Asks an actor to exit, as a system that shuts down does: by itself.
    pub(super) fn ask_to_exit(&self, actor: Address) {
        let home = self.state.lock().residents.get(&actor).and_then(|resident| resident.node);
        if let Some(home) = home {
            let message = AnyMessage::new(ActorExitRequest { recursive: true });
            self.nodes[home].system.deliver(Envelope { to: actor, sender: actor, message });
        }
    }

    /// Destroys everything. What was under way is no dead letter: nothing is told any more.
    pub(super) fn stop(&self) {
        let under_way = {
            let mut state = self.state.lock();
            state.stopped = true;
            std::mem::take(&mut state.flight)
        };
        dropped(under_way);
        for node in &self.nodes {
            node.system.0.close();
        }
        self.queue.clear();
        for node in &self.nodes {
            node.system.0.clear();
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<Address> {
        self.state.lock().names.get(name).copied()
    }

    /// Whether somebody is at an address now, or will be once it is created.
    pub(super) fn is_there(&self, address: &Address) -> bool {
        self.state.lock().residents.contains_key(address)
    }

    /// Does what comes next, if that is not later than `until_ns`. Says whether there was something.
    pub(super) fn step(&self, until_ns: u64) -> bool {
        let _turn = self.queue.turn();
        if !self.may_go_on() {
            return false;
        }
        if self.arrive() {
            // Whoever runs the simulation may have waited for just that.
            return true;
        }
        self.lose_some();
        let ready = self.queue.len();
        if ready > 0 {
            // Others may be ready for ever.
            if self.now_ns() > until_ns {
                return false;
            }
            let place = self.state.lock().decider.choose(Kind::Order, ready);
            self.depth.fetch_add(1, SeqCst);
            let ran = self.queue.run_at(place);
            self.depth.fetch_sub(1, SeqCst);
            self.clock.advance(self.now_ns().saturating_add(HANDLING_NS));
            if let Some(cell) = ran {
                self.release(cell.address);
            }
            return true;
        }
        match self.next_ns() {
            Some(at) if at <= until_ns => {
                self.clock.advance(at);
                self.arrive();
                true
            }
            _ => false,
        }
    }

    /// Counts a step. At the limit the program is left, unless it is an actor that waits for an answer.
    fn may_go_on(&self) -> bool {
        let mut state = self.state.lock();
        if state.stopped || std::thread::panicking() {
            return false;
        }
        state.steps += 1;
        state.over |= state.steps > self.settings.steps_max;
        let (over, outermost) = (state.over, self.depth.load(SeqCst) == 0);
        drop(state);
        if over && outermost {
            std::panic::resume_unwind(Box::new(NoEnd));
        }
        !over
    }

    /// When something happens next that is no turn of an actor.
    fn next_ns(&self) -> Option<u64> {
        let wakeups = self.nodes.iter().filter_map(|node| node.system.0.timers.next()).map(|at| self.clock.ns_of(at));
        let arrival = self.state.lock().flight.next();
        wakeups.chain(arrival).min()
    }

    /// Everything that arrives by now, and the wakeups that are due. Says whether anything arrived.
    fn arrive(&self) -> bool {
        let now = self.now_ns();
        let mut some = false;
        loop {
            let Some(cargo) = self.state.lock().flight.arrive(now) else { break };
            some = true;
            match cargo {
                Cargo::Mail(envelope) => self.arrived(envelope),
                Cargo::News { to, news } => self.hear(to, news),
                Cargo::Exited { parent, child, reason } => {
                    let node = self.state.lock().residents.get(&parent).and_then(|parent| parent.node);
                    if let Some(node) = node {
                        self.nodes[node].system.child_exited(parent, child, &reason);
                    }
                }
                Cargo::Create { child, parent, places, requirements } => {
                    self.create_far(child, parent, places, requirements);
                }
            }
        }
        self.nodes.iter().for_each(|node| node.system.0.timers.run_due(&node.system.0));
        some
    }
}

/// The program's node is what it is told, the others are numbered.
fn node_ref(program: NodeRef, index: usize) -> NodeRef {
    if index == PROGRAM {
        return program;
    }
    let mut id = program.id.0;
    id[8..].copy_from_slice(&(index as u64).to_be_bytes());
    NodeRef { id: NodeId(id), incarnation: Incarnation(1) }
}
