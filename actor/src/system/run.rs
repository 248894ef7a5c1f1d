//! Messages that came from another node together.

use super::core::{Core, Posted, put};
use super::mailbox::Mail;
use super::slots::Entry;
use crate::{Address, AnyMessage};

/// Messages of one type from one actor to another, in their order. Their bytes are in one block: the thread that
/// receives them allocates nothing for each, and whoever handles them frees nothing of another thread's.
#[derive(Debug)]
pub struct Run {
    to: Address,
    sender: Address,
    name: Box<str>,
    /// Their values, one behind the other.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// How many of them were taken, and where the next begins.
    taken: usize,
    from: usize,
}

impl Run {
    /// Without a message yet, of the type of this name.
    pub fn new(to: Address, sender: Address, name: &str) -> Self {
        Self { to, sender, name: name.into(), bytes: Vec::new(), ends: Vec::new(), taken: 0, from: 0 }
    }

    /// Adds a message by its encoding (see [`crate::Encoded`]).
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// Whom they are for.
    pub fn to(&self) -> Address {
        self.to
    }

    /// Who has sent them.
    pub fn sender(&self) -> Address {
        self.sender
    }

    /// The name of their type.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Its messages, one after the other.
impl Iterator for Run {
    type Item = AnyMessage;

    fn next(&mut self) -> Option<AnyMessage> {
        let end = *self.ends.get(self.taken)?;
        let value = &self.bytes[std::mem::replace(&mut self.from, end)..end];
        self.taken += 1;
        Some(AnyMessage::from_parts(&self.name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ends.len() - self.taken;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Run {}

impl Core {
    /// Delivers to an actor here, or to the dead letters. Never waits. Says whether the actor has more than it should.
    pub(super) fn deliver_run(&self, run: Run) -> bool {
        let (to, sender) = (run.to, run.sender);
        match self.post_run(&to, Box::new(run)) {
            Posted::Kept => false,
            Posted::Over => true,
            // There is none, or it is looked for elsewhere: as if each had come alone.
            Posted::Dead(run) => {
                run.map(|message| self.deliver(to, Mail { sender, message })).filter(|over| *over).count() > 0
            }
        }
    }

    fn post_run(&self, to: &Address, run: Box<Run>) -> Posted<Box<Run>> {
        if !self.is_own(to) {
            return Posted::Dead(run);
        }
        let put = match self.slots.entry(to).as_deref() {
            Some(Entry::Actor(cell)) => put(cell, |mailbox| mailbox.push_run(run)),
            _ => return Posted::Dead(run),
        };
        self.posted(put)
    }
}

#[cfg(test)]
mod tests;
