//! What a system says about the actors in it.

use super::cell::Cell;
use super::core::Core;
use super::mailbox::{ActorState, Mail};
use super::outside::Envelope;
use crate::{
    ActorStatusReport, ActorStatusRequest, Address, AnyMessage, Message, NodeStatus, NodeStatusReport,
    NodeStatusRequest, ReportedRates, ReportedStatus,
};
use serde::Serialize;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering::Relaxed;

/// The number of the error that a node is not known: OD-134.
const NODE_UNKNOWN: u16 = 134;

/// All actors of a system together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Actors that are not gone.
    pub actors: u64,
    /// Messages that actors were given, also those that are gone.
    pub received: u64,
    /// Messages that wait for actors.
    pub queued: u64,
}

/// One actor as of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorStatus {
    /// Its address.
    pub address: Address,
    /// The name of its type.
    pub actor: String,
    /// The source hash of its image.
    pub image: Option<String>,
    /// Its parent.
    pub parent: Option<Address>,
    /// Its global name.
    pub global_name: Option<String>,
    /// What it does.
    pub state: ActorState,
    /// Messages that it was given since it was created.
    pub received: u64,
    /// Messages that wait for it; while it runs this may lag by one turn.
    pub queued: usize,
    /// Its children, here and elsewhere.
    pub children: usize,
}

impl Core {
    /// Has an actor told how another one is. Of one that is here without its doing anything: it may be stuck.
    pub(super) fn request_status(&self, by: Address, of: Address) {
        if self.is_own(&of) || self.find(&of).is_some() {
            let message = AnyMessage::new(self.report(of));
            let _ = self.post(&by, &of, message);
        } else {
            let message = AnyMessage::new(ActorStatusRequest);
            let _ = self.outside.send(Envelope { to: of, sender: by, message });
        }
    }

    /// Looks at each actor: not for a thread that must not wait.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { received: self.received_before.load(Relaxed), ..Totals::default() };
        for cell in self.cells() {
            totals.actors += 1;
            totals.received += cell.received.load(Relaxed);
            totals.queued += cell.mailbox.lock().len() as u64;
        }
        totals
    }

    /// Tells an actor how its node is, where this system is all that there is of one. Says whether it was asked for that.
    pub(super) fn says_how_it_is(&self, by: Address, message: &AnyMessage) -> bool {
        let Some((name, dead_letters)) = self.outside.alone() else { return false };
        let request = message.get::<NodeStatusRequest>().filter(|_| message.name() == NodeStatusRequest::NAME);
        let Some(NodeStatusRequest { of }) = request else { return false };
        let of = of.unwrap_or(self.node);
        let is_me = of == self.node;
        let status = is_me.then(|| self.status_of_node(name, dead_letters));
        let refusal = (!is_me).then(|| (NODE_UNKNOWN, "this system is in no convention".to_owned()));
        let message = AnyMessage::new(NodeStatusReport { of, status, refusal });
        self.deliver(by, Mail { sender: Address::NODE, message });
        true
    }

    /// How a system on its own is.
    fn status_of_node(&self, name: String, dead_letters: u64) -> NodeStatus {
        let Totals { actors, received, queued } = self.totals();
        NodeStatus {
            name,
            node: self.node,
            capabilities: (*self.outside.capabilities()).clone(),
            leader: None,
            draining: self.is_closing(),
            uptime_s: self.timers.elapsed_ns() / 1_000_000_000,
            links: 0,
            actors,
            received,
            queued,
            dead_letters,
            rate_limits: self.reported_rates(),
            images: Vec::new(),
            images_count: 0,
        }
    }

    /// The bounds of what actors send, for messages.
    pub(super) fn reported_rates(&self) -> ReportedRates {
        let Some(governor) = self.governor.get() else { return ReportedRates::default() };
        let limits = governor.limits();
        let rate = |limit: Option<NonZeroU32>| limit.map(NonZeroU32::get);
        ReportedRates { actor: rate(limits.actor), node: rate(limits.system), rests: governor.rests() }
    }

    /// How an actor is, for messages.
    pub(super) fn report(&self, of: Address) -> ActorStatusReport {
        ActorStatusReport { of, status: self.find(&of).map(|cell| cell.status().into()) }
    }
}

impl From<ActorStatus> for ReportedStatus {
    fn from(status: ActorStatus) -> Self {
        Self {
            actor: status.actor,
            image: status.image,
            global_name: status.global_name,
            state: status.state.to_string(),
            received: status.received,
            queued: status.queued as u64,
            children: status.children as u64,
        }
    }
}

impl Cell {
    pub(super) fn status(&self) -> ActorStatus {
        let (state, queued) = {
            let mailbox = self.mailbox.lock();
            (mailbox.state, mailbox.len())
        };
        ActorStatus {
            address: self.address,
            actor: self.name.to_string(),
            image: self.image.as_deref().map(str::to_owned),
            parent: self.parent,
            global_name: self.global_name.as_deref().map(str::to_owned),
            state,
            received: self.received.load(Relaxed),
            queued,
            children: self.family.lock().len(),
        }
    }
}
