//! Messages on their way out: to an actor here, to one that was promised, or to another node.

use super::frame::Frame;
use super::routes::{self, Promise, Reach, Waiting};
use super::{Hosting, OWN_TICKET};
use crate::driver::Event;
use crate::link;
use odeon::system::{Envelope, Pressure};
use odeon::{ActorStatusRequest, Address, AnyMessage, Encoded, Message, NodeRef, PoisonMessage};
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

impl Hosting {
    /// Sends a message on its way, wherever its target lives.
    pub(crate) fn route(&self, envelope: Envelope) -> Pressure {
        let to = envelope.to;
        if !to.is_promised() {
            if to.node() == self.me {
                return self.hand_over(envelope);
            }
            return self.send_to(to.node(), to, envelope);
        }
        if to.node() == self.me { self.to_promise(envelope) } else { self.to_located(envelope) }
    }

    /// Gives an actor here its message. How an actor is, the system says for it.
    pub(super) fn hand_over(&self, envelope: Envelope) -> Pressure {
        let to = envelope.to;
        if !envelope.message.is_named(ActorStatusRequest::NAME) {
            return if self.system().deliver(envelope) { Pressure::Over(to) } else { Pressure::None };
        }
        let message = AnyMessage::new(self.system().report(envelope.to));
        self.route(Envelope { to: envelope.sender, sender: to, message });
        Pressure::None
    }

    pub(super) fn to_promise(&self, envelope: Envelope) -> Pressure {
        let mut promises = self.promises.lock();
        match promises.find(&envelope.to) {
            Some(Promise::Pending { waiting, .. }) => {
                let ticket = waiting.ticket;
                if waiting.push(envelope) { Pressure::PutAside(ticket) } else { Pressure::None }
            }
            Some(Promise::At(host, address)) => {
                let (host, address) = (*host, *address);
                drop(promises);
                self.send_to(host, address, envelope)
            }
            None => {
                drop(promises);
                // Hosted here under an address that this node promised, or nowhere: the system knows.
                self.hand_over(envelope)
            }
        }
    }

    pub(super) fn to_located(&self, envelope: Envelope) -> Pressure {
        let mut located = self.located.lock();
        let promised = envelope.to;
        if let Some((host, address)) = located.place(&promised) {
            drop(located);
            return self.send_to(host, address, envelope);
        }
        if let Some(waiting) = located.asking.get_mut(&promised) {
            let ticket = waiting.ticket;
            return if waiting.push(envelope) { Pressure::PutAside(ticket) } else { Pressure::None };
        }
        let mut waiting = Waiting::new(self.ticket());
        waiting.push(envelope);
        located.asking.insert(promised, waiting);
        drop(located);
        if !self.frame_to(promised.node(), self.lane_key(&promised, &promised), Frame::where_is(promised)).0 {
            self.located_nowhere(&promised);
        }
        Pressure::None
    }

    /// The node where an actor lives, as far as this one knows.
    pub(super) fn host_of(&self, actor: &Address) -> NodeRef {
        let place = actor.is_promised().then(|| self.located.lock().place(actor)).flatten();
        place.map_or(actor.node(), |(host, _)| host)
    }

    pub(super) fn located_nowhere(&self, promised: &Address) {
        let waiting = self.located.lock().asking.remove(promised);
        if let Some(waiting) = waiting {
            self.bury(waiting);
        }
    }

    /// Sends to an actor whose host is known. `address` may differ from the one that the sender used.
    pub(crate) fn send_to(&self, host: NodeRef, address: Address, mut envelope: Envelope) -> Pressure {
        envelope.to = address;
        if host == self.me {
            return self.hand_over(envelope);
        }
        let frame = match Frame::message(&envelope) {
            Ok(frame) => frame,
            Err(error) => {
                self.poison(&envelope, error.to_string());
                return Pressure::None;
            }
        };
        let (sent, pressure) = self.frame_to(host, self.lane_key(&envelope.sender, &address), frame);
        if !sent {
            self.dead_letter(envelope);
            return pressure;
        }
        self.held(host, address).unwrap_or(pressure)
    }

    /// Tells a sender that its message cannot be encoded.
    pub(super) fn poison(&self, envelope: &Envelope, details: String) {
        let message = Encoded { name: envelope.message.name().to_owned(), bytes: Vec::new() };
        let poison = PoisonMessage { actor: envelope.to, message, details };
        self.system().deliver(Envelope { to: envelope.sender, sender: envelope.to, message: AnyMessage::new(poison) });
    }

    /// Hands a frame to the link of a node, or lets it wait until the node is located. False: the node is gone.
    pub(super) fn frame_to(&self, node: NodeRef, lane_key: u64, frame: Vec<u8>) -> (bool, Pressure) {
        match self.nodes.read().find(&node) {
            Some(Reach::Linked) => return self.link_frame(node, lane_key, frame),
            Some(Reach::Gone) => return (false, Pressure::None),
            _ => {}
        }
        let mut nodes = self.nodes.write();
        match nodes.find_mut(&node) {
            Some(Reach::Linked) => self.link_frame(node, lane_key, frame),
            Some(Reach::Gone) => (false, Pressure::None),
            Some(Reach::Asked { frames, ticket }) => {
                frames.push((lane_key, frame));
                let full = frames.len() > routes::WAITING_MAX;
                (true, if full { Pressure::PutAside(*ticket) } else { Pressure::None })
            }
            None => {
                nodes.set(node, Reach::Asked { frames: vec![(lane_key, frame)], ticket: self.ticket() });
                drop(nodes);
                self.tell_driver(Event::Locate(node.id));
                (true, Pressure::None)
            }
        }
    }

    /// Hands a frame to the link of a node. False: the link does not take it, and says why in the log.
    pub(super) fn link_frame(&self, node: NodeRef, lane_key: u64, frame: Vec<u8>) -> (bool, Pressure) {
        match self.links().send(node, lane_key, frame) {
            link::Pressure::None => (true, Pressure::None),
            link::Pressure::PutAside(ticket) => (true, Pressure::PutAside(ticket)),
            link::Pressure::Refused { reason, .. } => {
                tracing::debug!(%node, reason, "a link does not take a frame");
                (false, Pressure::None)
            }
        }
    }

    pub(super) fn tell_driver(&self, event: Event) {
        // The driver's queue is long; a node whose driver is that far behind refuses rather than grows.
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            match event {
                Event::CreateForActor { spec, .. } => {
                    if let Some(child) = spec.promised {
                        self.settle_nowhere(child, "too many creations are under way on this node");
                    }
                }
                Event::Locate(id) => self.locate_failed(id),
                _ => {}
            }
        }
    }

    pub(super) fn ticket(&self) -> u64 {
        OWN_TICKET | self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn lane_key(&self, a: &Address, b: &Address) -> u64 {
        self.hasher.hash_one((a, b))
    }
}
