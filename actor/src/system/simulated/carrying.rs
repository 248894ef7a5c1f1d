//! What is said in a simulation: the way of a message, of the news that an actor is gone, and who has to wait.

use super::decisions::Kind;
use super::flight::Cargo;
use super::state::{Resident, State};
use super::trace::Event;
use super::world::{PROGRAM, World};
use crate::host::Level;
use crate::system::limits::{MAILBOX_MESSAGES_HIGH, MAILBOX_MESSAGES_LOW};
use crate::system::mailbox::ActorState;
use crate::system::{Envelope, Exit, Pressure};
use crate::{ActorStatusRequest, Address, AnyMessage, Message};
use std::time::Duration;

impl World {
    /// Whether the simulation decides what is at an address.
    fn is_ours(&self, state: &State, address: &Address) -> bool {
        let minted = || self.nodes.iter().any(|node| node.system.0.node == address.node());
        state.residents.contains_key(address) || !state.elsewhere.contains(address) && minted()
    }

    /// The same, for whoever has not looked.
    pub(super) fn decides(&self, address: &Address) -> bool {
        self.is_ours(&self.state.lock(), address)
    }

    /// Sends a message on its way.
    pub(super) fn carry(&self, by: usize, envelope: Envelope) -> Pressure {
        let (from, to) = (envelope.sender, envelope.to);
        let now = self.now_ns();
        let mut state = self.state.lock();
        if !self.is_ours(&state, &to) {
            drop(state);
            return self.nodes[by].inner.send(envelope);
        }
        // What is for the program, or for nobody any more, crosses no link.
        let node = state.residents.get(&to).map_or(PROGRAM, |resident| resident.bound);
        let delay = self.way_ns(&mut state, by, node);
        if delay > 0 {
            state.record(now, |state| Event::Sent {
                from: state.label(&from),
                to: state.label(&to),
                message: envelope.message.name().to_owned(),
                delay: Duration::from_nanos(delay),
            });
        }
        state.flight.send(Cargo::Mail(envelope), now.saturating_add(delay));
        match self.backlog(&state, to) {
            (backlog, false) if backlog > MAILBOX_MESSAGES_HIGH => Pressure::PutAside(state.ticket(to)),
            _ => Pressure::None,
        }
    }

    pub(super) fn arrived(&self, envelope: Envelope) {
        let (from, to) = (envelope.sender, envelope.to);
        let now = self.now_ns();
        let mut state = self.state.lock();
        let asks_for_status = envelope.message.name() == ActorStatusRequest::NAME;
        let node = match state.residents.get_mut(&to) {
            Some(Resident { node: Some(node), .. }) => *node,
            Some(resident) => return resident.parked.push(envelope),
            None if to.node() == self.core(PROGRAM).node && !to.is_promised() => {
                let message = envelope.message.name().to_owned();
                state.record(now, |state| Event::Hears { from: state.label(&from), message });
                PROGRAM
            }
            None if asks_for_status => PROGRAM,
            None => {
                drop(state);
                return self.dead(PROGRAM, envelope);
            }
        };
        drop(state);
        if asks_for_status {
            let message = AnyMessage::new(self.nodes[node].system.report(to));
            let _ = self.carry(node, Envelope { to: from, sender: to, message });
            return;
        }
        self.nodes[node].system.deliver(envelope);
    }

    /// How much an actor has to do still, and whether it is put aside itself: then nobody waits for it (see `pressure`).
    fn backlog(&self, state: &State, actor: Address) -> (usize, bool) {
        let under_way = state.flight.count_to(actor);
        let Some(resident) = state.residents.get(&actor) else { return (0, true) };
        let cell = resident.node.and_then(|node| self.core(node).find(&actor));
        match cell {
            Some(cell) => {
                let mailbox = cell.mailbox.lock();
                (under_way + mailbox.len(), mailbox.state == ActorState::PutAside)
            }
            None => (under_way + resident.parked.len(), false),
        }
    }

    /// Lets those go on who sent too much to an actor, once it has little to do or is gone.
    pub(super) fn release(&self, actor: Address) {
        let ticket = {
            let mut state = self.state.lock();
            if !state.tickets.of.contains_key(&actor) || self.backlog(&state, actor).0 > MAILBOX_MESSAGES_LOW {
                return;
            }
            state.tickets.of.remove(&actor)
        };
        if let Some(ticket) = ticket {
            self.nodes.iter().for_each(|node| node.system.resume(ticket));
        }
    }

    pub(super) fn dead(&self, node: usize, envelope: Envelope) {
        self.record(|state| Event::Dead {
            to: state.label(&envelope.to),
            from: state.label(&envelope.sender),
            message: envelope.message.name().to_owned(),
        });
        self.nodes[node].inner.dead_letter(envelope);
    }

    /// An actor is gone. Its parent hears of it after everything else that the actor sent.
    pub(super) fn exited(&self, exit: Exit) -> Exit {
        let now = self.now_ns();
        let mut state = self.state.lock();
        state.record(now, |state| Event::Exited { actor: state.label(&exit.actor), reason: exit.reason.clone() });
        let resident = state.dismiss(&exit.actor);
        let (parent, node) = resident.map_or((None, PROGRAM), |resident| (resident.parent, resident.bound));
        self.tell_parent(&mut state, parent, exit.actor, &exit.reason, node);
        drop(state);
        self.release(exit.actor);
        Exit { parent, ..exit }
    }

    /// Tells a parent from a node that a child is gone; from that of the program where everybody learns it.
    pub(super) fn tell_parent(
        &self,
        state: &mut State,
        parent: Option<Address>,
        child: Address,
        reason: &str,
        from: usize,
    ) {
        let known = parent.and_then(|parent| Some((parent, state.residents.get(&parent)?.bound)));
        if let Some((parent, node)) = known {
            let delay = self.way_ns(state, from, node);
            let cargo = Cargo::Exited { parent, child, reason: reason.to_owned() };
            state.flight.send(cargo, self.now_ns().saturating_add(delay));
        }
    }

    /// An actor is given a message. Says whether its handler is to fail, and if so whether after it has done everything.
    pub(super) fn handles(&self, actor: Address, from: Address, message: &AnyMessage) -> Option<bool> {
        let now = self.now_ns();
        let mut state = self.state.lock();
        state.record(now, |state| Event::Handles {
            actor: state.label(&actor),
            from: state.label(&from),
            message: message.name().to_owned(),
        });
        let crash = state.decider.happens(Kind::Crash, self.settings.crash_probability, 2);
        let after = crash.map(|crash| crash == 1);
        if let Some(after) = after {
            state.record(now, |state| Event::Crashes { actor: state.label(&actor), after });
        }
        after
    }

    /// Notes a log line. Says whether it is to be written as well.
    pub(super) fn logs(&self, by: Address, level: Level, line: &str) -> bool {
        if level >= Level::Info {
            self.record(|state| Event::Logs { actor: state.label(&by), line: line.to_owned() });
        }
        self.settings.logs
    }
}
