//! Where the messages of a run arrive, and the proof that all of them did.

use anyhow::{Context, Result, ensure};
use odeon::Message;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long the last message of a run may take to arrive.
pub(super) const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// A message of 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Message)]
pub struct Payload {
    /// Which one it is, or how many hops are left.
    pub number: u64,
    /// The rest of its bytes.
    pub rest: u64,
}

impl Payload {
    pub(super) fn new(number: u64) -> Self {
        Self { number, rest: !number }
    }
}

/// Counts what arrives and adds the numbers up.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    left: u64,
    sum: u64,
}

impl Tally {
    pub(super) fn new(messages: u64) -> Self {
        Self { left: messages, sum: 0 }
    }

    /// Takes a message, and gives the sum when it was the last one.
    pub(super) fn take(&mut self, message: Payload) -> Option<u64> {
        self.left = self.left.wrapping_sub(1);
        self.sum = self.sum.wrapping_add(message.number);
        (self.left == 0).then_some(self.sum)
    }

    /// Whether a sum is that of the messages 0 to `messages - 1`, each once.
    pub(super) fn check(messages: u64, sum: u64) -> Result<()> {
        let expected = messages * (messages - 1) / 2;
        ensure!(sum == expected, "the numbers of {messages} messages add up to {sum}, expected {expected}");
        Ok(())
    }
}

/// A tally in an actor that can hold the end of a channel.
pub(super) struct Goal {
    tally: Tally,
    done: SyncSender<u64>,
}

/// What a goal tells the program.
pub(super) struct Arrival {
    messages: u64,
    done: Receiver<u64>,
}

impl Goal {
    /// A goal for so many messages.
    pub(super) fn new(messages: u64) -> (Self, Arrival) {
        let (sender, done) = sync_channel(1);
        (Self { tally: Tally::new(messages), done: sender }, Arrival { messages, done })
    }

    pub(super) fn take(&mut self, message: Payload) {
        if let Some(sum) = self.tally.take(message) {
            // The program may have given up.
            let _ = self.done.send(sum);
        }
    }
}

impl Arrival {
    /// Waits for the last message.
    pub(super) fn wait(self) -> Result<()> {
        let sum = self.done.recv_timeout(ARRIVAL_MAX);
        let sum = sum.with_context(|| format!("not all of {} messages arrived", self.messages))?;
        Tally::check(self.messages, sum)
    }
}

/// The actors of a crowd report to this: held by none of them, it costs none of them memory. A process has one crowd.
static CROWD: OnceLock<[Muster; 2]> = OnceLock::new();

/// Tells the program when so many actors have done something.
struct Muster {
    left: AtomicU64,
    done: SyncSender<()>,
}

impl Muster {
    fn new(actors: u64) -> (Self, Receiver<()>) {
        let (done, all) = sync_channel(1);
        (Self { left: AtomicU64::new(actors), done }, all)
    }

    fn one_more(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The program may have given up.
            let _ = self.done.send(());
        }
    }
}

/// Expects so many actors: what tells that all of them run, and that all had a message.
pub(super) fn expect_crowd(actors: u64) -> Result<[Receiver<()>; 2]> {
    let ((running, all_run), (used, all_used)) = (Muster::new(actors), Muster::new(actors));
    ensure!(CROWD.set([running, used]).is_ok(), "a process has one crowd");
    Ok([all_run, all_used])
}

/// An actor of the crowd runs.
pub(super) fn one_more_runs() {
    CROWD.get().into_iter().for_each(|[running, _]| running.one_more());
}

/// An actor of the crowd had its message.
pub(super) fn one_more_is_used() {
    CROWD.get().into_iter().for_each(|[_, used]| used.one_more());
}

/// Waits until all have done it.
pub(super) fn all(done: &Receiver<()>, what: &str) -> Result<()> {
    done.recv_timeout(ARRIVAL_MAX).with_context(|| format!("not every actor {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_lost_or_comes_twice_shows() {
        let (mut goal, arrival) = Goal::new(3);
        [0, 1, 2].into_iter().for_each(|number| goal.take(Payload::new(number)));
        assert!(arrival.wait().is_ok());
        let (mut goal, arrival) = Goal::new(3);
        [0, 1, 1].into_iter().for_each(|number| goal.take(Payload::new(number)));
        assert!(arrival.wait().is_err());
        let (mut goal, arrival) = Goal::new(3);
        [0, 1].into_iter().for_each(|number| goal.take(Payload::new(number)));
        drop(goal);
        assert!(arrival.wait().is_err());
    }
}
