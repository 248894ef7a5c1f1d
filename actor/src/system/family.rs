//! Parents and children: who is told when an actor is gone, and when.
//!
//! An actor that exits is destroyed at once. Its cell stays until the children that it asked to exit are gone, then
//! its own parent is told. A child is told of once, because only whoever takes it off its parent's list tells.

use super::caught::{caught, dropped};
use super::cell::{Body, Cell};
use super::core::Core;
use super::mailbox::Mail;
use crate::{ActorExitRequest, Address, AnyMessage, ChildActorExited};
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// The children of one actor.
#[derive(Default)]
pub(super) struct Family {
    /// With the number of the child, so that they are asked to exit in the order of their creation.
    children: HashMap<Address, u64>,
    created: u64,
    /// Why the actor itself exits, once it does.
    leaving: Option<Box<str>>,
}

impl Family {
    pub(super) fn add(&mut self, child: Address) {
        if self.leaving.is_none() && !self.children.contains_key(&child) {
            self.created += 1;
            self.children.insert(child, self.created);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    fn in_order(&self) -> Vec<Address> {
        let mut children: Vec<_> = self.children.iter().map(|(child, number)| (*number, *child)).collect();
        children.sort_unstable_by_key(|(number, _)| *number);
        children.into_iter().map(|(_, child)| child).collect()
    }
}

/// Why and how an actor ends.
pub(super) struct End {
    pub(super) reason: String,
    pub(super) recursive: bool,
}

impl Cell {
    /// Ends the actor: its mail becomes dead letters, it is destroyed, and its children are asked to exit.
    pub(super) fn end(self: &Arc<Self>, body: &mut Body, end: End) {
        if let Some(name) = &self.global_name {
            self.core.release_name(name, self.address);
        }
        let (incoming, released) = self.mailbox.lock().close();
        self.let_go(released, Cell::go_on);
        let deferred = self.take_deferred();
        for mail in
            deferred.into_iter().chain(std::mem::take(&mut body.batch).into_mails()).chain(incoming.into_mails())
        {
            self.core.dead(self.address, mail);
        }
        dropped(body.actor.take());
        // A family that is already leaving with nobody in it is never told of another child, so one of us finishes.
        let children = {
            let mut family = self.family.lock();
            family.leaving = Some(end.reason.into());
            if !end.recursive {
                family.children = HashMap::new();
            }
            family.in_order()
        };
        if children.is_empty() {
            self.core.finish(self.clone());
        }
        for child in children {
            self.core.ask_to_exit(self.address, child);
        }
    }
}

impl Core {
    /// Asks an actor here or elsewhere to exit with all its children.
    pub(super) fn ask_to_exit(&self, by: Address, actor: Address) {
        let message = AnyMessage::new(ActorExitRequest { recursive: true });
        if self.is_own(&actor) {
            self.deliver(actor, Mail { sender: by, message });
        } else {
            // A request to exit is never held back: there is one for each child.
            let _ = self.outside.send(super::Envelope { to: actor, sender: by, message });
        }
    }

    /// Takes a child off its parent's list and tells the parent. When that was the last child that an exiting
    /// parent waited for, the parent is returned, to be finished in turn.
    fn child_gone(&self, parent: Address, child: Address, reason: &str) -> Option<Arc<Cell>> {
        let cell = self.find(&parent)?;
        let mut family = cell.family.lock();
        family.children.remove(&child)?;
        if family.leaving.is_some() {
            let last = family.children.is_empty();
            drop(family);
            return last.then_some(cell);
        }
        drop(family);
        self.tell_exited(parent, child, reason);
        None
    }

    /// A child is gone or never came to be. Only the first call for a child that the parent has does anything.
    pub(super) fn child_exited(&self, parent: Address, child: Address, reason: &str) {
        if let Some(parent) = self.child_gone(parent, child, reason) {
            self.finish(parent);
        }
    }

    pub(super) fn tell_exited(&self, parent: Address, child: Address, reason: &str) {
        let message = AnyMessage::new(ChildActorExited { child, reason: reason.to_owned() });
        self.deliver(parent, Mail { sender: child, message });
    }

    /// The last step of an exit: frees the slot and tells the parent, and so on up the tree. It is a loop because
    /// a tree may be deeper than a stack.
    pub(super) fn finish(&self, cell: Arc<Cell>) {
        let mut next = Some(cell);
        while let Some(cell) = next {
            let reason = cell.family.lock().leaving.clone().unwrap_or_default();
            self.forget(&cell);
            if let Some(governor) = self.governor.get() {
                governor.forget(cell.address);
            }
            self.timers.abandon(self, cell.wakeups.load(Relaxed) as usize);
            next = cell.parent.and_then(|parent| self.child_gone(parent, cell.address, &reason));
            let _ = caught(|| self.outside.exited(cell.exit_of(&reason)));
            if self.count.fetch_sub(1, SeqCst) == 1 {
                self.quiet.notify_all();
            }
        }
    }
}
