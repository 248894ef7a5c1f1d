//! One command from its start to its result: what was put out, and what it is waited for.

use super::messages::{Command, CommandOutcome, CommandOutput, CommandResult, CommandStarted, Stream};
use super::running::{Running, Taken};
use super::{KILL_AFTER, LINGER, OUTPUT_BYTES_MAX, OUTPUT_PART_BYTES_MAX};
use crate::{Address, Context, Message, Pipe, Readiness, Wakeup, Watch};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Parts that are read of an output before other messages have their turn.
const PARTS_AT_ONCE: usize = 4;

/// Something outside of the actor has happened to a job.
#[derive(Serialize, Deserialize)]
pub(super) struct Event {
    job: u64,
    what: What,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum What {
    /// It was started, or not.
    Started,
    /// There may be room for input.
    Input,
    /// There may be output.
    Output(Stream),
    /// It has exited.
    Exited,
}

impl Message for Event {
    const NAME: &'static str = "odeon.CommandEvent";
}

/// What the thread that starts a process leaves for the actor. Whoever drops it last ends what is in it.
type Slot = Arc<Mutex<Option<Result<Running, String>>>>;

/// One of the outputs.
#[derive(Default)]
struct Output {
    kept: Vec<u8>,
    /// Bytes that came.
    bytes: u64,
    watch: Option<Watch>,
}

pub(super) struct Job {
    number: u64,
    sender: Address,
    command: Command,
    pipe: Pipe<Event>,
    slot: Slot,
    running: Option<Running>,
    started: Instant,
    written: usize,
    stdout: Output,
    stderr: Output,
    input: Option<Watch>,
    exit: Option<Watch>,
    has_exited: bool,
    timeout: Option<Wakeup>,
    kill: Option<Wakeup>,
    linger: Option<Wakeup>,
    /// Why it was ended before its time, or was not started.
    ended: Option<CommandOutcome>,
}

/// The result of a command that was not started.
pub(super) fn unstarted(id: u64, outcome: CommandOutcome) -> CommandResult {
    let (stdout, stderr) = (Vec::new(), Vec::new());
    CommandResult { id, outcome, stdout, stderr, stdout_bytes: 0, stderr_bytes: 0, duration_ms: 0 }
}

impl Job {
    pub(super) fn start(number: u64, sender: Address, command: Command, cx: &Context) -> Result<Self, String> {
        if command.output_bytes_max > OUTPUT_BYTES_MAX {
            let found = command.output_bytes_max;
            return Err(format!("output_bytes_max is {found}, expected {OUTPUT_BYTES_MAX} at most"));
        }
        let pipe = cx.pipe::<Event>().map_err(|failure| failure.to_string())?;
        let slot = Slot::default();
        let (filled, told, hold, start) = (slot.clone(), pipe.clone(), pipe.hold(), command.clone());
        let run = move || {
            let started = Running::start(&start, hold);
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
            // Where the actor is gone, what is in the slot ends here.
            let _ = told.send(Event { job: number, what: What::Started });
        };
        std::thread::Builder::new()
            .name("odeon-command".into())
            .spawn(run)
            .map_err(|error| format!("no thread can be had to start it: {error}"))?;
        Ok(Self {
            number,
            sender,
            command,
            pipe,
            slot,
            running: None,
            started: Instant::now(),
            written: 0,
            stdout: Output::default(),
            stderr: Output::default(),
            input: None,
            exit: None,
            has_exited: false,
            timeout: None,
            kill: None,
            linger: None,
            ended: None,
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.command.id
    }

    /// Ends it without waiting for that, and tells the result.
    pub(super) fn abandon(mut self, cx: &Context) {
        self.ended.get_or_insert(CommandOutcome::Aborted);
        self.end(cx);
    }

    /// Asks it to end. One that is only about to start is asked then.
    pub(super) fn abort(&mut self, cx: &Context) {
        self.stop(CommandOutcome::Aborted, cx);
    }

    fn stop(&mut self, why: CommandOutcome, cx: &Context) {
        if self.ended.is_none() {
            self.ended = Some(why);
            self.ask_to_end(cx);
        }
    }

    fn ask_to_end(&mut self, cx: &Context) {
        if let Some(running) = &self.running {
            running.signal(Signal::TERM);
            self.kill = Some(cx.wakeup_after(KILL_AFTER));
        }
    }

    /// Says whether the job is over.
    pub(super) fn happened(&mut self, event: &Event, cx: &Context) -> bool {
        if event.job != self.number {
            return false;
        }
        match event.what {
            What::Started => self.begin(cx),
            What::Input => self.write(cx),
            What::Output(stream) => self.read(stream, cx),
            What::Exited => self.exited(cx),
        }
        self.is_over()
    }

    /// Says whether the job is over.
    pub(super) fn woken(&mut self, wakeup: Wakeup, cx: &Context) -> bool {
        if self.timeout == Some(wakeup) {
            self.stop(CommandOutcome::TimedOut, cx);
        } else if self.kill == Some(wakeup) {
            self.running.iter().for_each(|running| running.signal(Signal::KILL));
        }
        self.linger == Some(wakeup) || self.is_over()
    }

    /// It was not started, or it has exited and nobody holds its output open.
    fn is_over(&self) -> bool {
        match &self.running {
            None => matches!(self.ended, Some(CommandOutcome::NotStarted(_))),
            Some(running) => self.has_exited && !running.has_output(),
        }
    }

    fn begin(&mut self, cx: &Context) {
        let started = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = match started {
            Some(Ok(running)) => running,
            Some(Err(reason)) => return self.unstarted(reason),
            None => return self.unstarted("the thread that was to start it is gone".to_owned()),
        };
        self.started = Instant::now();
        if self.command.report_start {
            cx.send(self.sender, CommandStarted { id: self.command.id, pid: running.pid() });
        }
        self.timeout = self.command.timeout_ms.map(|ms| cx.wakeup_after(Duration::from_millis(ms)));
        self.exit = self.watch(running.exit(), Readiness::Read, What::Exited);
        let is_watched = self.exit.is_some();
        self.running = Some(running);
        if self.ended.is_some() {
            self.ask_to_end(cx);
        }
        self.write(cx);
        self.read(Stream::Stdout, cx);
        self.read(Stream::Stderr, cx);
        if !is_watched {
            // Nobody would tell when it has ended: it is over now.
            self.stop(unwatched(), cx);
            self.linger = Some(cx.wakeup_after(Duration::ZERO));
        }
    }

    fn unstarted(&mut self, reason: String) {
        let program = if self.command.shell { "/bin/sh" } else { &self.command.program };
        self.ended = Some(CommandOutcome::NotStarted(format!("{program}: {reason}")));
    }

    fn watch(&self, fd: impl std::os::fd::AsFd, readiness: Readiness, what: What) -> Option<Watch> {
        self.pipe.when_ready(fd, readiness, Event { job: self.number, what }).ok()
    }

    fn write(&mut self, cx: &Context) {
        let Some(running) = &mut self.running else { return };
        self.input = None;
        if running.stdin().is_some() {
            self.written += running.write(&self.command.input[self.written..]);
        }
        let running = self.running.as_ref();
        if let Some(stdin) = running.and_then(Running::stdin) {
            self.input = self.watch(stdin, Readiness::Write, What::Input);
            if self.input.is_none() {
                self.stop(unwatched(), cx);
            }
        }
    }

    fn read(&mut self, stream: Stream, cx: &Context) {
        let Some(mut running) = self.running.take() else { return };
        self.output(stream).watch = None;
        let mut part = vec![0; OUTPUT_PART_BYTES_MAX];
        for _ in 0..PARTS_AT_ONCE {
            match running.read(stream, &mut part) {
                Taken::Bytes(bytes) => self.took(stream, &part[..bytes], cx),
                Taken::NothingYet | Taken::End => break,
            }
        }
        if let Some(fd) = running.open_output(stream) {
            self.output(stream).watch = self.watch(fd, Readiness::Read, What::Output(stream));
        }
        let is_watched = running.open_output(stream).is_none() || self.output(stream).watch.is_some();
        self.running = Some(running);
        if !is_watched {
            self.stop(unwatched(), cx);
        }
    }

    fn output(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn took(&mut self, stream: Stream, bytes: &[u8], cx: &Context) {
        let (id, streams, max) = (self.command.id, self.command.stream, self.command.output_bytes_max);
        let output = self.output(stream);
        let room = usize::try_from(max.saturating_sub(output.bytes)).unwrap_or(usize::MAX);
        output.bytes += bytes.len() as u64;
        let bytes = &bytes[..bytes.len().min(room)];
        if !streams {
            output.kept.extend_from_slice(bytes);
        } else if !bytes.is_empty() {
            cx.send(self.sender, CommandOutput { id, stream, bytes: bytes.to_owned() });
        }
    }

    fn exited(&mut self, cx: &Context) {
        self.has_exited = true;
        self.read(Stream::Stdout, cx);
        self.read(Stream::Stderr, cx);
        if !self.is_over() {
            self.linger = Some(cx.wakeup_after(LINGER));
        }
    }

    /// Tells the result.
    pub(super) fn end(mut self, cx: &Context) {
        for wakeup in [self.timeout, self.kill, self.linger].into_iter().flatten() {
            cx.cancel_wakeup(wakeup);
        }
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // One that has not exited is dropped, and ended by that.
        let status = self.running.take_if(|_| self.has_exited).map(Running::finish);
        let outcome = match (self.ended, status) {
            (Some(ended), _) => ended,
            (None, Some(Ok(status))) => match (status.code(), status.signal()) {
                (Some(code), _) => CommandOutcome::Exited(code),
                (None, signal) => CommandOutcome::Signalled(signal.unwrap_or_default()),
            },
            (None, Some(Err(error))) => CommandOutcome::NotStarted(format!("its end cannot be had: {error}")),
            (None, None) => unwatched(),
        };
        if outcome != CommandOutcome::Exited(0) && !self.command.error_ok {
            // The line of a shell has arguments in it.
            let program = if self.command.shell { "a line for the shell" } else { &self.command.program };
            let outcome = match &outcome {
                CommandOutcome::NotStarted(_) => "it was not started".to_owned(),
                outcome => format!("{outcome:?}"),
            };
            cx.warn(format!("{program} did not succeed: {outcome}"));
        }
        cx.send(
            self.sender,
            CommandResult {
                id: self.command.id,
                outcome,
                stdout: self.stdout.kept,
                stderr: self.stderr.kept,
                stdout_bytes: self.stdout.bytes,
                stderr_bytes: self.stderr.bytes,
                duration_ms,
            },
        );
    }
}

fn unwatched() -> CommandOutcome {
    CommandOutcome::NotStarted("its end cannot be watched: too many descriptors are".to_owned())
}
