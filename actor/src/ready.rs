//! Readiness of file descriptors: one thread of the program polls all that is watched, and ends when nothing is.
//!
//! It reads and writes nothing. Who watches is told once and watches again when it wants to be told again.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Descriptors that are watched at a time in one program.
pub const WATCHES_MAX: usize = 4096;

/// What a descriptor is to be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// There is something to read, or the end.
    Read,
    /// There is room to write, or nobody reads.
    Write,
}

/// Something that is watched; dropping it ends that.
#[must_use = "dropped, nothing is watched"]
#[derive(Debug)]
pub struct Watch(u64);

type Ready = Box<dyn FnOnce() + Send>;

struct Watched {
    number: u64,
    fd: Arc<OwnedFd>,
    flags: PollFlags,
    ready: Ready,
}

struct State {
    watched: Vec<Watched>,
    number: u64,
    /// Wakes the thread; none while there is none.
    waker: Option<PipeWriter>,
}

static STATE: Mutex<State> = Mutex::new(State { watched: Vec::new(), number: 0, waker: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `ready`, in a thread that must not be held up, once the descriptor is. A copy of the descriptor is kept until then.
pub(crate) fn when_ready(fd: impl AsFd, readiness: Readiness, ready: Ready) -> io::Result<Watch> {
    let fd = Arc::new(fd.as_fd().try_clone_to_owned()?);
    let flags = match readiness {
        Readiness::Read => PollFlags::IN,
        Readiness::Write => PollFlags::OUT,
    };
    let mut state = state();
    if state.watched.len() >= WATCHES_MAX {
        return Err(io::Error::other(format!("{WATCHES_MAX} descriptors are watched, and no more")));
    }
    if state.waker.is_none() {
        let (woken, waker) = io::pipe()?;
        rustix::io::ioctl_fionbio(&woken, true)?;
        rustix::io::ioctl_fionbio(&waker, true)?;
        std::thread::Builder::new().name("odeon-ready".into()).spawn(move || watch(woken))?;
        state.waker = Some(waker);
    }
    state.number += 1;
    let number = state.number;
    state.watched.push(Watched { number, fd, flags, ready });
    wake(&state);
    Ok(Watch(number))
}

/// A full pipe wakes as well.
fn wake(state: &State) {
    if let Some(mut waker) = state.waker.as_ref() {
        let _ = waker.write(&[0]);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = state();
        let place = state.watched.iter().position(|watched| watched.number == self.0);
        let watched = place.map(|place| state.watched.swap_remove(place));
        wake(&state);
        drop(state);
        // What is told may be anything, and so may its drop.
        drop(watched);
    }
}

/// The thread.
fn watch(mut woken: PipeReader) {
    loop {
        let look: Vec<(u64, Arc<OwnedFd>, PollFlags)> = {
            let mut state = state();
            if state.watched.is_empty() {
                state.waker = None;
                return;
            }
            state.watched.iter().map(|watched| (watched.number, watched.fd.clone(), watched.flags)).collect()
        };
        let ready = look_at(&woken, &look);
        while woken.read(&mut [0; 64]).is_ok_and(|bytes| bytes == 64) {}
        drop(look);
        for told in take(&ready) {
            // A panic of one must not keep the others waiting.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(told));
        }
    }
}

/// The numbers of those that are ready, as soon as any is or somebody wakes the thread.
fn look_at(woken: &PipeReader, look: &[(u64, Arc<OwnedFd>, PollFlags)]) -> Vec<u64> {
    let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
    fds.extend(look.iter().map(|(_, fd, flags)| PollFd::new(&**fd, *flags)));
    match poll(&mut fds, None) {
        Ok(_) => {
            let ready = fds[1..].iter().zip(look).filter(|(fd, _)| !fd.revents().is_empty());
            ready.map(|(_, (number, ..))| *number).collect()
        }
        Err(Errno::INTR) => Vec::new(),
        // Who then reads or writes meets the error itself.
        Err(_) => look.iter().map(|(number, ..)| *number).collect(),
    }
}

fn take(ready: &[u64]) -> Vec<Ready> {
    let mut state = state();
    let (told, watched) =
        std::mem::take(&mut state.watched).into_iter().partition(|watched| ready.contains(&watched.number));
    state.watched = watched;
    let told: Vec<Watched> = told;
    told.into_iter().map(|watched| watched.ready).collect()
}
