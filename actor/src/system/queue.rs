//! Messages that wait for one actor, in their order.

use super::mailbox::Mail;
use super::run::Run;
use std::collections::VecDeque;

enum Entry {
    One(Mail),
    /// Never empty.
    Several(Box<Run>),
}

/// What waits. A run becomes messages when its turn has come, on the thread that handles them.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// Messages of runs, but for the one that each entry stands for.
    more: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.more
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    #[inline]
    pub(super) fn push_back(&mut self, mail: Mail) {
        self.entries.push_back(Entry::One(mail));
    }

    pub(super) fn push_front(&mut self, mail: Mail) {
        self.entries.push_front(Entry::One(mail));
    }

    pub(super) fn push_run(&mut self, run: Box<Run>) {
        if let Some(more) = run.len().checked_sub(1) {
            self.more += more;
            self.entries.push_back(Entry::Several(run));
        }
    }

    #[inline]
    pub(super) fn front(&mut self) -> Option<&Mail> {
        if let Some(Entry::Several(_)) = self.entries.front() {
            self.unfold();
        }
        match self.entries.front() {
            Some(Entry::One(mail)) => Some(mail),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<Mail> {
        if let Some(Entry::Several(_)) = self.entries.front() {
            self.unfold();
        }
        match self.entries.pop_front() {
            Some(Entry::One(mail)) => Some(mail),
            _ => None,
        }
    }

    /// Makes a message of the first of the run that is in front.
    fn unfold(&mut self) {
        let Some(Entry::Several(mut run)) = self.entries.pop_front() else { return };
        let sender = run.sender();
        let Some(message) = run.next() else { return };
        if run.len() > 0 {
            self.more -= 1;
            self.entries.push_front(Entry::Several(run));
        }
        self.entries.push_front(Entry::One(Mail { sender, message }));
    }

    /// All of it, one by one.
    pub(super) fn into_mails(mut self) -> impl Iterator<Item = Mail> {
        std::iter::from_fn(move || self.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, AnyMessage};

    #[test]
    fn what_came_together_is_as_many_messages_in_its_order_among_the_others() {
        let (one, other) = (Address::from_bytes([1; 32]), Address::from_bytes([2; 32]));
        let single = |n: i64| Mail { sender: one, message: AnyMessage::new(n) };
        let run = |numbers: std::ops::Range<i64>| {
            let mut run = Run::new(one, other, "integer");
            numbers.for_each(|n| run.push(&AnyMessage::new(n).encode().unwrap().bytes));
            Box::new(run)
        };
        let mut queue = Queue::default();
        queue.push_run(run(0..0));
        assert!(queue.is_empty() && queue.front().is_none());
        queue.push_back(single(1));
        queue.push_run(run(2..5));
        queue.push_run(run(5..6));
        queue.push_back(single(6));
        queue.push_front(single(0));
        for expected in 0..4 {
            assert_eq!(queue.len(), 7 - expected as usize);
            assert_eq!(queue.front().and_then(|mail| mail.message.get()), Some(&expected));
            assert_eq!(queue.len(), 7 - expected as usize);
            let mail = queue.pop_front().unwrap();
            assert_eq!((mail.message.take().unwrap(), mail.sender), (expected, if expected < 2 { one } else { other }));
        }
        queue.push_front(single(3));
        assert_eq!(queue.len(), 4);
        let rest: Vec<i64> = queue.into_mails().map(|mail| mail.message.take().unwrap()).collect();
        assert_eq!(rest, [3, 4, 5, 6]);
    }
}
