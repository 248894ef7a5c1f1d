//! Commands of the operating system, run by an actor that never waits for them.
//!
//! A process is started in a thread, as that may wait for a disk; after that the actor is told when there is something to
//! read, room to write, or an exit ([`crate::Pipe::when_ready`]), and does it without waiting. Linux only.

mod job;
mod messages;
mod running;

use crate::{
    Actor, ActorExitRequest, ActorType, Address, AnyMessage, CapabilityView, Context, Failure, Message, PoisonMessage,
    Requirements, TroupeMember, WakeupMessage,
};
use job::{Event, Job};
pub use messages::{Command, CommandAbort, CommandOutcome, CommandOutput, CommandResult, CommandStarted, Stream};
use std::collections::VecDeque;
use std::time::Duration;

/// The most that [`Command::output_bytes_max`] can be.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one [`CommandOutput`] at most.
pub const OUTPUT_PART_BYTES_MAX: usize = 64 << 10;
/// Commands that wait for the one that runs.
pub const COMMANDS_WAITING_MAX: usize = 1024;
/// From the signal that asks a command to end to the one that ends it.
pub const KILL_AFTER: Duration = Duration::from_secs(2);
/// How long the output of a command that has exited is read, where something that it has left behind holds it open.
pub const LINGER: Duration = Duration::from_secs(1);

/// An actor that runs [`Command`]s, one after the other; a `Troupe<RunCommand>` runs several at a time.
///
/// - A command leads a process group of its own. One that takes too long or is aborted is asked to end, with its group
///   (`SIGTERM`), and killed two seconds later (`SIGKILL`). What it has left in its group when it has exited is killed.
/// - With the actor its command ends, in the same two steps; a shutdown of the system waits for that. What has left the
///   group, as a daemon does, is out of reach.
/// - Output is bounded ([`Command::output_bytes_max`]); what is beyond is counted. With `stream` it comes as it is put out.
/// - The log has the name of a program that failed, never its arguments, input or variables.
///
/// Only for actors that are linked into a program, on Linux.
///
/// ```
/// use odeon::command::{Command, CommandResult, RunCommand};
/// use odeon::system::ActorSystem;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = ActorSystem::threads();
/// let commands = system.create_actor::<RunCommand>()?;
/// let mut command = Command::new("tr", ["a-z", "A-Z"]);
/// command.input = b"quiet".to_vec();
/// let result: CommandResult = system.ask(commands, command, Duration::from_secs(10))?;
/// assert!(result.is_success());
/// assert_eq!(result.text(), "QUIET");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct RunCommand {
    waiting: VecDeque<(Address, Command)>,
    job: Option<Job>,
    jobs: u64,
}

impl RunCommand {
    fn add(&mut self, command: Command, cx: &Context) {
        if self.waiting.len() >= COMMANDS_WAITING_MAX {
            let reason = format!("{COMMANDS_WAITING_MAX} commands wait already");
            return cx.reply(job::unstarted(command.id, CommandOutcome::NotStarted(reason)));
        }
        self.waiting.push_back((cx.sender(), command));
        self.next(cx);
    }

    /// Starts the next command when none runs.
    fn next(&mut self, cx: &Context) {
        while self.job.is_none() {
            let Some((sender, command)) = self.waiting.pop_front() else { return };
            self.jobs += 1;
            let id = command.id;
            match Job::start(self.jobs, sender, command, cx) {
                Ok(job) => self.job = Some(job),
                Err(reason) => cx.send(sender, job::unstarted(id, CommandOutcome::NotStarted(reason))),
            }
        }
    }

    fn abort(&mut self, abort: &CommandAbort, cx: &Context) {
        let is_meant = |id: u64| abort.id.is_none_or(|meant| meant == id);
        let (aborted, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(_, command)| is_meant(command.id));
        self.waiting = waiting;
        let aborted: VecDeque<(Address, Command)> = aborted;
        for (sender, command) in aborted {
            cx.send(sender, job::unstarted(command.id, CommandOutcome::Aborted));
        }
        if let Some(job) = self.job.as_mut().filter(|job| is_meant(job.id())) {
            job.abort(cx);
        }
    }

    fn happened(&mut self, event: &Event, cx: &Context) {
        if let Some(job) = self.job.take_if(|job| job.happened(event, cx)) {
            job.end(cx);
            self.next(cx);
        }
    }

    fn woken(&mut self, wakeup: &WakeupMessage, cx: &Context) {
        if let Some(job) = self.job.take_if(|job| job.woken(wakeup.wakeup, cx)) {
            job.end(cx);
            self.next(cx);
        }
    }
}

impl Actor for RunCommand {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        let named = crate::troupe::named(message, &[Command::NAME, CommandAbort::NAME]);
        let message = named.as_ref().unwrap_or(message);
        if let Some(event) = message.of_name::<Event>() {
            self.happened(event, cx);
        } else if let Some(wakeup) = message.of_name::<WakeupMessage>() {
            self.woken(wakeup, cx);
        } else if let Some(command) = message.of_name::<Command>() {
            self.add(command.clone(), cx);
        } else if let Some(abort) = message.of_name::<CommandAbort>() {
            self.abort(abort, cx);
        } else if message.of_name::<ActorExitRequest>().is_some() {
            self.abort(&CommandAbort::default(), cx);
            self.job.take().into_iter().for_each(|job| job.abandon(cx));
        } else if message.of_name::<PoisonMessage>().is_none() {
            let found = format!("found a message {}, expected a {}", message.name(), Command::NAME);
            cx.reply(PoisonMessage::new(cx.my_address(), message, found));
        }
        Ok(())
    }
}

impl ActorType for RunCommand {
    const NAME: &'static str = "RunCommand";
    const REQUIRED: &'static [&'static str] = &[];
    const CHECKS: bool = false;

    fn create() -> Result<Self, Failure> {
        Ok(Self::default())
    }

    fn check(_: &dyn CapabilityView, _: &Requirements) -> bool {
        true
    }
}

impl TroupeMember for RunCommand {
    fn in_progress(&self) -> bool {
        self.job.is_some()
    }
}
