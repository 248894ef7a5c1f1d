//! The guard of one process: starts it, outlives it, and ends all that it leaves behind.
//!
//! It is the node's own program, once more, between the node and the process. The node holds the other end of its
//! standard input: when that closes, because the node wants it or is gone, everything below the guard is killed.
//! A process that was forked twice, or has a session of its own, is a child of the guard then, which is its subreaper.

use super::cage::{CAGE_VARIABLE, Cage, ENTER};
use super::descendants::{descendants, kill_all};
use super::limits::{CAGE_BYTES_MAX, COUNT_EVERY};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{WaitOptions, WaitStatus, set_child_subreaper, wait};
use std::fs::OpenOptions;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Guards one process, as whoever holds the other end of standard input says.
pub(super) fn run() -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the guard of a process failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard() -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (mut cage, [socket, output, errors]) = told(&mut control)?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    cage.guard = std::process::id();
    let bounds = cage.bounds;
    std::env::set_current_dir(&cage.folder)?;
    let mut enter = Command::new("/proc/self/exe");
    enter
        .arg(ENTER)
        .env_clear()
        .env(CAGE_VARIABLE, serde_json::to_string(&cage)?)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(errors));
    if let Some((uid, gid)) = cage.user {
        enter.uid(uid).gid(gid);
    }
    let started = enter.spawn();
    // Nobody but the process has its ends any more.
    drop(enter);
    let main = match started {
        Ok(child) => child.id() as i32,
        Err(error) => {
            let _ = write!(control, "cannot be started: {error}");
            return Ok(());
        }
    };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let breach = Arc::new(Mutex::new(None));
    let watched = (control.try_clone()?, breach.clone());
    std::thread::spawn(move || watch(watched.0, bounds.processes_max, &watched.1));
    let status = until_ended(main)?;
    while clear() {
        std::thread::sleep(LOOK_EVERY);
    }
    let breach = breach.lock().unwrap_or_else(PoisonError::into_inner).take();
    // The node may be gone.
    let _ = control.write_all(breach.unwrap_or_else(|| said(status)).as_bytes());
    Ok(())
}

/// The cage, and the three files of the process.
fn told(control: &mut UnixStream) -> io::Result<(Cage, [OwnedFd; 3])> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(control.as_fd(), &mut [IoSliceMut::new(&mut length)], &mut rights, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let files: Vec<OwnedFd> = rights
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    control.read_exact(&mut length[received..])?;
    let length = u32::from_be_bytes(length) as usize;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the node said something else than a cage");
    let files = files.try_into().map_err(|_| invalid())?;
    if length > CAGE_BYTES_MAX {
        return Err(invalid());
    }
    let mut bytes = vec![0; length];
    control.read_exact(&mut bytes)?;
    Ok((serde_json::from_slice(&bytes)?, files))
}

/// Ends everything once the node closes its end, or when there are too many.
fn watch(mut control: UnixStream, processes_max: u64, breach: &Mutex<Option<String>>) {
    if control.set_read_timeout(Some(COUNT_EVERY)).is_ok() {
        loop {
            match control.read(&mut [0]) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                _ => break,
            }
            let count = descendants().len() as u64;
            if count > processes_max {
                let over = format!("it had {count} processes, more than {processes_max}");
                *breach.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
                break;
            }
        }
    }
    // The other thread ends this process once nothing is left.
    loop {
        kill_all();
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits for every child that ends, whoever it was begun by, until the main one does.
fn until_ended(main: i32) -> io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == main => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills what is left. False where nothing is.
fn clear() -> bool {
    kill_all();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fn said(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("it exited with status {code}"),
        (_, Some(signal)) => format!("it was killed by signal {signal}"),
        _ => "it ended".to_owned(),
    }
}
