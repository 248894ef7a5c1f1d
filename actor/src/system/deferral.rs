//! Messages that actors have put off, beside the actors: few have any, and an idle actor is to take no byte for it.

use super::cell::{Body, Cell};
use super::limits::DEFERRED_MESSAGES_MAX;
use super::mailbox::Mail;
use crate::{Address, Failure};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

/// What is to be done after the current message, or holds since an earlier one: bits of `Cell::after`.
pub(super) mod after {
    /// The actor exits.
    pub(in crate::system) const EXIT: u8 = 1;
    /// The message is put off.
    pub(in crate::system) const DEFER: u8 = 2;
    /// What was put off comes next.
    pub(in crate::system) const RESUME: u8 = 4;
    /// Something is put off.
    pub(in crate::system) const DEFERRED: u8 = 8;
}

#[derive(Default)]
pub(super) struct Deferred(Mutex<HashMap<Address, VecDeque<Mail>>>);

impl Deferred {
    /// Keeps a message, unless there are as many as may be.
    fn keep(&self, actor: Address, mail: Mail) -> bool {
        let mut all = self.0.lock();
        let kept = all.entry(actor).or_default();
        let has_room = kept.len() < DEFERRED_MESSAGES_MAX;
        if has_room {
            kept.push_back(mail);
        }
        has_room
    }

    fn take(&self, actor: &Address) -> VecDeque<Mail> {
        self.0.lock().remove(actor).unwrap_or_default()
    }

    /// Everything, for a system that ends.
    pub(super) fn drain(&self) -> Vec<(Address, VecDeque<Mail>)> {
        self.0.lock().drain().collect()
    }
}

impl Cell {
    /// Notes what is to be done after the current message.
    pub(super) fn note(&self, bit: u8) {
        self.after.fetch_or(bit, Relaxed);
    }

    pub(super) fn notes(&self, bit: u8) -> bool {
        self.after.load(Relaxed) & bit != 0
    }

    pub(super) fn unnote(&self, bits: u8) {
        self.after.fetch_and(!bits, Relaxed);
    }

    /// Keeps a message that the actor has put off. One too many goes back to its sender.
    #[cold]
    pub(super) fn put_off(&self, mail: &Mail) {
        self.unnote(after::DEFER);
        if self.core.deferred.keep(self.address, Mail { sender: mail.sender, message: mail.message.clone() }) {
            self.note(after::DEFERRED);
        } else {
            let details = format!("the actor has deferred {DEFERRED_MESSAGES_MAX} messages and keeps no more");
            self.poison(mail, &Failure::new(details));
        }
    }

    /// Puts what was put off before all that waits.
    #[cold]
    pub(super) fn bring_back(&self, body: &mut Body) {
        self.unnote(after::RESUME);
        for mail in self.take_deferred().into_iter().rev() {
            body.batch.push_front(mail);
        }
    }

    /// What was put off, taken out.
    pub(super) fn take_deferred(&self) -> VecDeque<Mail> {
        if !self.notes(after::DEFERRED) {
            return VecDeque::new();
        }
        self.unnote(after::DEFERRED);
        self.core.deferred.take(&self.address)
    }
}
