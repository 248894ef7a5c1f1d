//! A process that runs: its ends of the pipes, its group, and its end, which comes whatever becomes of the actor.

use super::messages::Command;
use super::{KILL_AFTER, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};

/// A process that leads a group, and has not been waited for: so its number and that of the group are nobody else's.
pub(super) struct Running {
    /// None once it was waited for.
    child: Option<Child>,
    group: Pid,
    exit: OwnedFd,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    /// A shutdown waits for its end.
    _hold: Box<dyn Send + Sync>,
}

/// What came of reading.
pub(super) enum Taken {
    Bytes(usize),
    NothingYet,
    End,
}

impl Running {
    /// Starts it. This may wait for a disk.
    pub(super) fn start(command: &Command, hold: Box<dyn Send + Sync>) -> Result<Self, String> {
        let mut start = match command.shell {
            true => {
                let mut shell = std::process::Command::new("/bin/sh");
                shell.arg("-c").arg(&command.program).arg("sh");
                shell
            }
            false => std::process::Command::new(&command.program),
        };
        if command.clear_env {
            start.env_clear();
        }
        if let Some(dir) = &command.dir {
            start.current_dir(dir);
        }
        start.args(&command.args).envs(&command.env).process_group(0);
        start.stdin(if command.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        start.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start.spawn().map_err(|error| error.to_string())?;
        let stdin = child.stdin.take().map(OwnedFd::from);
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let group = Pid::from_child(&child);
        match pidfd_open(group, PidfdFlags::empty()) {
            Ok(exit) => {
                let running = Self { child: Some(child), group, exit, stdin, stdout, stderr, _hold: hold };
                running.unblock().map_err(|error| format!("its pipes cannot be had without waiting: {error}"))?;
                Ok(running)
            }
            Err(error) => {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = child.wait();
                Err(format!("its end cannot be watched: {error}"))
            }
        }
    }

    fn unblock(&self) -> io::Result<()> {
        for pipe in [&self.stdin, &self.stdout, &self.stderr].into_iter().flatten() {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// Readable once the process has exited.
    pub(super) fn exit(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }

    pub(super) fn stdin(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().map(AsFd::as_fd)
    }

    fn output(&mut self, stream: Stream) -> &mut Option<OwnedFd> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// One of its outputs, until that has ended.
    pub(super) fn open_output(&mut self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.output(stream).as_ref().map(AsFd::as_fd)
    }

    pub(super) fn has_output(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// Reads what is there. An error is the end.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Taken {
        let output = self.output(stream);
        let Some(fd) = output else { return Taken::End };
        match rustix::io::read(&*fd, buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Taken::NothingYet,
            Ok(0) | Err(_) => {
                *output = None;
                Taken::End
            }
            Ok(bytes) => Taken::Bytes(bytes),
        }
    }

    /// Writes what there is room for, and closes the input after the last of it or when nobody reads it. Says how much.
    pub(super) fn write(&mut self, input: &[u8]) -> usize {
        let Some(fd) = &self.stdin else { return 0 };
        match rustix::io::write(fd, input) {
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Ok(bytes) if bytes < input.len() => bytes,
            Ok(_) | Err(_) => {
                self.stdin = None;
                input.len()
            }
        }
    }

    /// Tells the whole group. Where nobody is left there is nobody to tell.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    /// After its exit: kills what it has left in its group, and says how it ended.
    pub(super) fn finish(mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Running {
    /// Nobody wants it any more: it is told to end, and killed when it does not. A thread sees to that, as an actor must not
    /// wait.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.signal(Signal::TERM);
        let (exit, group) = (self.exit.try_clone(), self.group);
        let hold = std::mem::replace(&mut self._hold, Box::new(()));
        let end = move || {
            if let Ok(exit) = &exit {
                await_exit(exit);
            }
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            drop(hold);
        };
        if std::thread::Builder::new().name("odeon-command".into()).spawn(end).is_err() {
            // Without a thread there is no patience, and the process is waited for by whoever inherits it.
            self.signal(Signal::KILL);
        }
    }
}

fn await_exit(exit: &OwnedFd) {
    let deadline = std::time::Instant::now() + KILL_AFTER;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return };
        match poll(&mut [PollFd::new(exit, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            _ => return,
        }
    }
}
