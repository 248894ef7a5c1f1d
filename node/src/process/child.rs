//! A process that runs: its guard, its socket, and what it says there.

use super::cage::{Bounds, Cage, GUARD, GrantedFolder};
use super::image::Process;
use super::limits::{CAGE_BYTES_MAX, FRAMES_IN_MAX, FRAMES_OUT_MAX, KILL_MAX};
use super::output::Printed;
use super::program::Program;
use odeon::Level;
use odeon::process::limits::FRAME_BYTES_MAX;
use odeon::process::{FrameError, FromChild, SOCKET_VARIABLE, ToChild, VERSION, decode, encode};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as Socket;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a process finds its programs by; its own node's paths are no business of it.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A frame and how many bytes it took.
pub(super) type Said = Result<(FromChild, usize), FrameError>;

/// A process that has said hello.
pub(super) struct Child {
    guard: tokio::process::Child,
    control: UnixStream,
    out: mpsc::Sender<Vec<u8>>,
    /// What it says. The end of its socket is the end of this.
    pub(super) said: mpsc::Receiver<Said>,
    /// Messages that it works at the same time.
    pub(super) workers: usize,
}

impl Child {
    /// Starts a process and hears its hello. An error says why there is none; nothing is left of it then.
    pub(super) async fn start(process: &Process, printed: Printed) -> Result<Self, String> {
        let mut child = Self::begin(process, printed).map_err(|error| format!("it cannot be started: {error}"))?;
        match child.greet(process).await {
            Ok(workers) => {
                child.workers = workers;
                Ok(child)
            }
            Err(why) => {
                let end = child.stop().await;
                Err(if end.is_empty() { why } else { format!("{why}: {end}") })
            }
        }
    }

    fn begin(process: &Process, printed: Printed) -> io::Result<Self> {
        process.folder.renew_scratch()?;
        let (socket, its_socket) = Socket::pair()?;
        let (control, guards) = Socket::pair()?;
        let ((output, its_output), (errors, its_errors)) = (io::pipe()?, io::pipe()?);
        let guard = Command::new(&process.engine.launcher)
            .arg0(format!("odeon guard {}", process.title))
            .arg(GUARD)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(guards)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(OwnedFd::from(its_errors.try_clone()?)))
            // What a terminal says to the node is not for its guards: they end with it, after those they guard.
            .process_group(0)
            .spawn()?;
        tell(&control, &cage(process)?, [its_socket.as_fd(), its_output.as_fd(), its_errors.as_fd()])?;
        for (level, stream) in [(Level::Info, OwnedFd::from(output)), (Level::Warn, OwnedFd::from(errors))] {
            tokio::spawn(printed.clone().follow(level, pipe::Receiver::from_owned_fd(stream)?));
        }
        let (control, socket) = (asynchronous(control)?, asynchronous(socket)?);
        let (from, to) = socket.into_split();
        let ((out, frames), (says, said)) = (mpsc::channel(FRAMES_OUT_MAX), mpsc::channel(FRAMES_IN_MAX));
        tokio::spawn(write_all(to, frames));
        tokio::spawn(read_all(from, says));
        Ok(Self { guard, control, out, said, workers: 0 })
    }

    /// Says hello and hears it. Gives how many messages it works at the same time.
    async fn greet(&mut self, process: &Process) -> Result<usize, String> {
        let (image, node) = (process.hash.to_string(), process.engine.node.clone());
        self.say(&ToChild::Hello { version_min: VERSION, version_max: VERSION, image, node })?;
        let start_ms = process.limits.start_ms;
        match timeout(Duration::from_millis(start_ms), self.said.recv()).await {
            Err(_) => Err(format!("it said nothing for {start_ms} ms")),
            Ok(None) => Err("it closed its socket before it said hello".to_owned()),
            Ok(Some(Err(error))) => Err(broken(&error)),
            Ok(Some(Ok((FromChild::Hello { version: VERSION, workers, library }, _)))) if workers > 0 => {
                tracing::debug!(image = &*process.hash, library, workers, "the process of an image runs");
                Ok(usize::from(workers))
            }
            Ok(Some(Ok((FromChild::Hello { version, workers, .. }, _)))) => Err(format!(
                "it speaks version {version} of the protocol with {workers} workers, expected {VERSION} and at least one"
            )),
            Ok(Some(Ok(_))) => Err("its first word was not hello".to_owned()),
        }
    }

    /// The process id of its guard.
    pub(super) fn guard(&self) -> Option<u32> {
        self.guard.id()
    }

    /// Says something. An error where it takes nothing any more.
    pub(super) fn say(&self, frame: &ToChild) -> Result<(), String> {
        self.say_bytes(encode(frame).map_err(|error| error.to_string())?)
    }

    /// The same with a frame that is encoded already.
    pub(super) fn say_bytes(&self, bytes: Vec<u8>) -> Result<(), String> {
        self.out.try_send(bytes).map_err(|_| "it does not read what it is told".to_owned())
    }

    /// Whether more can be said than its workers need.
    pub(super) fn has_room(&self) -> bool {
        self.out.capacity() > FRAMES_OUT_MAX / 2
    }

    /// Ends it with everything below it. Says how it ended, as its guard has seen it.
    pub(super) async fn stop(mut self) -> String {
        drop(self.out);
        drop(self.said);
        // A guard that has ended needs no word.
        let _ = self.control.shutdown().await;
        let mut report = Vec::new();
        let mut reports = (&mut self.control).take(CAGE_BYTES_MAX as u64);
        if timeout(KILL_MAX, reports.read_to_end(&mut report)).await.is_err()
            || timeout(KILL_MAX, self.guard.wait()).await.is_err()
        {
            tracing::error!("the guard of a process does not end: it is killed");
            let _ = self.guard.start_kill();
        }
        String::from_utf8_lossy(&report).into_owned()
    }

    /// How it ended, when it has closed its socket: it has a moment to end by itself, so that the reason is its own.
    pub(super) async fn ended(mut self) -> String {
        let mut report = Vec::new();
        let mut reports = (&mut self.control).take(CAGE_BYTES_MAX as u64);
        match timeout(Duration::from_millis(500), reports.read_to_end(&mut report)).await {
            Ok(Ok(_)) if !report.is_empty() => {
                let report = String::from_utf8_lossy(&report).into_owned();
                self.stop().await;
                report
            }
            _ => {
                self.stop().await;
                "it closed its socket".to_owned()
            }
        }
    }
}

/// What is said of a frame that is none.
pub(super) fn broken(error: &FrameError) -> String {
    format!("it broke the protocol: {error}")
}

fn asynchronous(socket: Socket) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn cage(process: &Process) -> io::Result<Cage> {
    let engine = &process.engine;
    let granted = engine.allowed.reach(&process.grants).map_err(|error| io::Error::other(error.to_string()))?;
    let (image, scratch) = (&process.folder.image, &process.folder.scratch);
    let named = format!("odeon image {} {}", process.title, &process.hash[..process.hash.len().min(8)]);
    let (program, title, arguments) = match &process.program {
        Program::Own(file) => (image.join(file), Some(named), Vec::new()),
        // Some interpreters are found by the name that they are called by, so it stays; the rest is for who reads `ps`.
        Program::Interpreter { program, script } => {
            (program.clone(), None, vec![image.join(script).display().to_string(), named])
        }
    };
    let text = |path: &std::path::Path| path.display().to_string();
    let variables = [
        (SOCKET_VARIABLE, "0".to_owned()),
        ("PATH", PATH.to_owned()),
        ("HOME", text(scratch)),
        ("TMPDIR", text(scratch)),
        ("LANG", "C.UTF-8".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    // What every process has stays what it is, whatever its image asks for.
    let asked = granted.variables.into_iter().filter(|(name, _)| variables.iter().all(|(own, _)| own != name));
    Ok(Cage {
        program,
        title,
        arguments,
        variables: variables.iter().cloned().chain(asked).collect(),
        folder: image.clone(),
        scratch: scratch.clone(),
        readable: process.program.readable(&engine.data),
        granted: granted.folders.into_iter().map(|f| GrantedFolder { real: f.real, write: f.write }).collect(),
        user: engine.user.map(|user| (user.uid, user.gid)),
        bounds: Bounds::of(&process.limits),
        guard: 0,
    })
}

/// Hands a guard the cage and the files of the process.
fn tell(mut control: &Socket, cage: &Cage, files: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    let bytes = serde_json::to_vec(cage)?;
    if bytes.len() > CAGE_BYTES_MAX {
        return Err(io::Error::other(format!("the cage takes {} bytes, more than {CAGE_BYTES_MAX}", bytes.len())));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&files));
    let length = (bytes.len() as u32).to_be_bytes();
    let sent = sendmsg(control, &[IoSlice::new(&length)], &mut rights, SendFlags::NOSIGNAL)?;
    control.write_all(&length[sent..])?;
    control.write_all(&bytes)
}

async fn write_all(mut to: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        // One that closes its socket is noticed by whoever reads.
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read_all(mut from: OwnedReadHalf, says: mpsc::Sender<Said>) {
    loop {
        let said = match read_one(&mut from).await {
            Ok(Some(said)) => Ok(said),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = said.is_err();
        if says.send(said).await.is_err() || is_last {
            return;
        }
    }
}

async fn read_one(from: &mut OwnedReadHalf) -> Result<Option<(FromChild, usize)>, FrameError> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        // It may have ended with something unread.
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: length });
    }
    let mut bytes = vec![0; length];
    match from.read_exact(&mut bytes).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    let frame: FromChild = decode(&bytes)?;
    frame.check()?;
    Ok(Some((frame, length)))
}
