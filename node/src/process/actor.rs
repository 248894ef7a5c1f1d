//! An actor as the node has it whose code runs in the process of its image.

use super::image::Process;
use super::limits::CALL_MAX;
use super::work::{Build, Letter, Work};
use odeon::{Actor, AnyMessage, Context, Ending, Failure, Suspended};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// One actor of a process, known there by a number.
pub(super) struct Hosted {
    process: Arc<Process>,
    actor: u64,
    name: Arc<str>,
}

impl Hosted {
    pub(super) fn new(process: &Arc<Process>, name: &Arc<str>) -> Self {
        Self { process: process.clone(), actor: process.number(), name: name.clone() }
    }

    /// Has it built, and waits for that.
    pub(super) fn build(&self) -> Result<(), Failure> {
        let (says, built) = sync_channel(1);
        self.process.ask(Work::Build(Build { actor: self.actor, name: self.name.clone(), says }));
        built.recv_timeout(CALL_MAX).unwrap_or_else(|_| Err(Failure::new("its process does not answer")))
    }
}

impl Actor for Hosted {
    /// Hands the message to the process and lets go of the worker; where the host cannot do without an answer, waits.
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let (host, sender) = (cx.host().clone(), cx.sender());
        let (actor, name, message) = (self.actor, self.name.clone(), message.clone());
        if let Some(end) = host.suspend() {
            self.process.ask(Work::Message(Letter { actor, name, host, sender, message, end }));
            return Ok(());
        }
        let (ends, ended) = sync_channel(1);
        let end = Suspended::new(move |ending| drop(ends.send(ending)));
        self.process.ask(Work::Message(Letter { actor, name, host, sender, message, end }));
        match ended.recv() {
            Ok(Ending::Handled) => Ok(()),
            Ok(Ending::Failed(failure) | Ending::Unbuilt(failure)) => Err(failure),
            Err(_) => Err(Failure::new("its process is gone")),
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.process.forget(self.actor);
    }
}
