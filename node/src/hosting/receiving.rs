//! What the driver and the links tell: nodes that come and go, and the frames of others.

use super::frame::Frame;
use super::reporting::desk;
use super::routes::{Promise, Reach};
use super::{AskOutcome, Hosting};
use crate::link::{self, Frames};
use odeon::system::{Envelope, Pressure, Run};
use odeon::{ActorStatusRequest, Address, Message, NodeId, NodeRef};
use std::borrow::Cow;
use std::sync::atomic::Ordering;

impl Hosting {
    /// A session with a node exists: what waited for it goes out.
    pub(crate) fn node_linked(&self, node: NodeRef) {
        let mut nodes = self.nodes.write();
        if matches!(nodes.find(&node), Some(Reach::Gone)) {
            return;
        }
        let before = nodes.set(node, Reach::Linked);
        if let Some(Reach::Asked { frames, ticket }) = before {
            for (lane_key, frame) in frames {
                // Pressure shows at the next send; these were accepted already.
                if let link::Pressure::Refused { frame, .. } = self.links().send(node, lane_key, frame) {
                    self.undelivered([frame]);
                }
            }
            drop(nodes);
            self.system().resume(ticket);
        }
    }

    /// The leader said where a node can be dialled, and which start of it lives now.
    pub(crate) fn node_located(&self, id: NodeId, at: Option<(NodeRef, String)>) {
        if let Some((node, address)) = at {
            if let Err(error) = self.links().dial(node, &address) {
                return self.node_gone(node, &error.to_string());
            }
            self.node_linked(node);
            let stale: Vec<_> = self.nodes.read().asked(id).into_iter().filter(|n| *n != node).collect();
            stale.into_iter().for_each(|n| self.node_gone(n, "superseded by a later start"));
        } else {
            self.locate_failed(id);
        }
    }

    /// A node wants a link to this one and cannot dial it. The link that comes is told as any other.
    pub(crate) fn reach(&self, node: NodeRef, address: &str) {
        if matches!(self.nodes.read().find(&node), Some(Reach::Gone)) {
            return;
        }
        if let Err(error) = self.links().dial(node, address) {
            tracing::debug!(%node, address, %error, "a node that wants a link is not dialled");
        }
    }

    pub(super) fn locate_failed(&self, id: NodeId) {
        let asked = self.nodes.read().asked(id);
        asked.into_iter().for_each(|node| self.node_gone(node, "no such node lives"));
    }

    /// A node is gone for good: parents are told, what waits for it is buried.
    pub(crate) fn node_gone(&self, node: NodeRef, reason: &str) {
        let before = self.nodes.write().set(node, Reach::Gone);
        if matches!(before, Some(Reach::Gone)) {
            return;
        }
        if let Some(Reach::Asked { frames, ticket }) = before {
            self.undelivered(frames.into_iter().map(|(_, frame)| frame));
            self.system().resume(ticket);
        }
        self.hold_none_of(&node);
        let orphans = self.promises.lock().node_gone(node);
        for (child, parent) in orphans {
            self.system().child_exited(parent, child, &format!("its node is gone: {reason}"));
        }
        let waiting = self.located.lock().node_gone(node);
        waiting.into_iter().for_each(|w| self.bury(w));
        // Gives back what was never acknowledged, through `undelivered`.
        self.links().forget(node);
    }

    /// Frames that a link could not deliver.
    pub(crate) fn undelivered(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            match Frame::parse(frame.into()) {
                Ok(Frame::Message(envelope)) => self.dead_letter(envelope),
                Ok(Frame::WhereIs { promised }) => self.located_nowhere(&promised),
                _ => {}
            }
        }
    }

    /// A link has room again.
    pub(crate) fn drained(&self, ticket: u64) {
        self.system().resume(ticket);
    }

    /// Frames of another node, in their order.
    pub(crate) fn receive(&self, from: NodeRef, mut frames: Frames) {
        let mut frames = frames.take().peekable();
        // What is given away is too long to be copied into a run.
        let is_of = |head: &[u8], frame: &Cow<'_, [u8]>| matches!(frame, Cow::Borrowed(f) if f.starts_with(head));
        while let Some(frame) = frames.next() {
            let taken = match Frame::head(&frame) {
                Some(head) if is_of(head, &frame) && frames.peek().is_some_and(|next| is_of(head, next)) => {
                    Frame::run(head).map(|mut run| {
                        run.push(&frame[head.len()..]);
                        while let Some(next) = frames.next_if(|next| is_of(head, next)) {
                            run.push(&next[head.len()..]);
                        }
                        self.take_run(from, run);
                    })
                }
                _ => Frame::parse(frame).map(|frame| self.take(from, frame)),
            };
            if let Err(error) = taken
                && self.bad_frames.fetch_add(1, Ordering::Relaxed) == 0
            {
                tracing::warn!(node = %from, %error, "dropped a frame; later ones are only counted");
            }
        }
    }

    /// Takes what would be taken one by one, had it come so.
    fn take_run(&self, from: NodeRef, run: Run) {
        let (to, sender) = (run.to(), run.sender());
        if to.is_promised() || to == desk(self.me) || run.name() == ActorStatusRequest::NAME {
            for message in run {
                self.take(from, Frame::Message(Envelope { to, sender, message }));
            }
            return;
        }
        self.learn(from, sender);
        if self.system().deliver_run(run) {
            self.hold_back(to, from);
        }
    }

    /// A sender that others promised lives where its messages come from.
    fn learn(&self, from: NodeRef, sender: Address) {
        if sender.is_promised() && sender.node() != self.me && sender.node() != from {
            self.located.lock().learn(sender, from, sender);
        }
    }

    pub(super) fn take(&self, from: NodeRef, frame: Frame) {
        match frame {
            Frame::Message(envelope) if self.is_asked(from, &envelope) => {}
            Frame::Message(envelope) => {
                self.learn(from, envelope.sender);
                self.arrived(from, envelope);
            }
            Frame::ChildExited { parent, child, reason } => {
                let mut promises = self.promises.lock();
                promises.release(from, &child);
                let promise = promises.remove(&child);
                drop(promises);
                if let Some(Promise::Pending { waiting, .. }) = promise {
                    self.bury(waiting);
                }
                self.system().child_exited(parent, child, &reason);
            }
            Frame::Undeliverable { sender } => {
                if let Some(end) = self.asks.lock().remove(&sender) {
                    let _ = end.send(AskOutcome::Undeliverable);
                }
            }
            Frame::WhereIs { promised } => self.where_is(from, promised),
            Frame::Settled { promised, at } => self.settled_elsewhere(from, promised, at),
            Frame::Hold { actor } => self.hold(from, actor),
            Frame::GoOn { actor } => self.hold_no_more(from, actor),
            Frame::Follow { actor, origin, hops } => self.followed(actor, origin, hops),
        }
    }

    /// A message from another node: for an actor here, or for one that this node promised and another hosts.
    fn arrived(&self, from: NodeRef, envelope: Envelope) {
        let is_promise = envelope.to.is_promised() && envelope.to.node() == self.me;
        let pressure = if is_promise { self.to_promise(envelope) } else { self.hand_over(envelope) };
        if let Pressure::Over(actor) = pressure {
            self.hold_back(actor, from);
        }
    }

    pub(super) fn where_is(&self, asker: NodeRef, promised: Address) {
        let answer = match self.promises.lock().find(&promised) {
            Some(Promise::Pending { askers, .. }) => {
                if !askers.contains(&asker) {
                    askers.push(asker);
                }
                return;
            }
            Some(Promise::At(host, address)) => Some((*host, *address)),
            None => self.system().status(promised).map(|_| (self.me, promised)),
        };
        self.frame_to(asker, self.lane_key(&promised, &promised), Frame::settled(promised, answer));
    }

    pub(super) fn settled_elsewhere(&self, from: NodeRef, promised: Address, at: Option<(NodeRef, Address)>) {
        if promised.node() != from {
            // Only the node that promised an address can say where its actor is.
            self.bad_frames.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some((host, address)) = at else { return self.located_nowhere(&promised) };
        let mut located = self.located.lock();
        located.learn(promised, host, address);
        if let Some(waiting) = located.asking.remove(&promised) {
            // Under the lock, so that nothing overtakes what waited.
            for envelope in waiting.queue {
                let _ = self.send_to(host, address, envelope);
            }
            drop(located);
            self.system().resume(waiting.ticket);
        }
    }
}
