//! The end of the protocol that an image written in Rust has: a registry of actor types, served to the node.
//!
//! One thread reads; a few work messages, at most one of each actor at a time, as the node sees to; and one more checks
//! and builds, since all the others may wait for a child to be built. What an actor asks of its node and waits for comes
//! back by way of the reading thread.

mod around;

use super::frame::{Described, FrameError, FromChild, ToChild, read, write};
use super::limits::{REASON_BYTES_MAX, WORKERS_MAX};
use super::{SOCKET_VARIABLE, VERSION};
use crate::{
    Actor, Address, AnyMessage, CapabilityMap, Context, Encoded, Failure, Registry, Requirements, Value, Wakeup,
};
use around::{Asked, Outside};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads that work messages, on a machine with as many processors.
const WORKERS: usize = 4;

/// Why a process cannot serve, or has stopped to.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ServeError {
    #[error("{SOCKET_VARIABLE} is not set to 0: a node starts this program, and nobody else")]
    NotStartedByNode,
    #[error("the node speaks versions {min} to {max} of the protocol, this program {VERSION}")]
    Version { min: u16, max: u16 },
    #[error("the node said {found}, expected hello")]
    NoHello { found: String },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a thread or a copy of the socket cannot be had: {0}")]
    System(#[from] std::io::Error),
}

/// Serves these actor types to the node that started this process, until it closes the socket. The `main` of an image:
///
/// ```no_run
/// # use odeon::actor;
/// # #[derive(Default)]
/// # struct Quiet;
/// # #[actor]
/// # impl Quiet {}
/// # odeon::export!(Quiet);
/// fn main() -> Result<(), odeon::process::ServeError> {
///     odeon::process::serve(registry())
/// }
/// ```
///
/// # Errors
/// When no node has started this process, or what it says is not understood.
pub fn serve(registry: Registry) -> Result<(), ServeError> {
    // The node passes the socket where every process has its standard input.
    if std::env::var(SOCKET_VARIABLE).as_deref() != Ok("0") {
        return Err(ServeError::NotStartedByNode);
    }
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    serve_over(registry, socket)
}

/// The same over a socket that is there.
pub(super) fn serve_over(registry: Registry, mut socket: UnixStream) -> Result<(), ServeError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
    match read(&mut socket)? {
        Some(ToChild::Hello { version_min: min, version_max: max, .. }) if !(min..=max).contains(&VERSION) => {
            return Err(ServeError::Version { min, max });
        }
        Some(ToChild::Hello { .. }) => {}
        Some(other) => return Err(ServeError::NoHello { found: format!("{other:?}").chars().take(80).collect() }),
        None => return Ok(()),
    }
    let served = Arc::new(Served {
        registry,
        out: Mutex::new(socket.try_clone()?),
        actors: Mutex::default(),
        answers: Mutex::default(),
    });
    let library = concat!("rust odeon ", env!("CARGO_PKG_VERSION")).to_owned();
    served.say(&FromChild::Hello { version: VERSION, workers: workers as u16, library });
    // The node gives no more at a time than there are workers.
    let (messages, calls) = (served.work_apart(workers)?, served.work_apart(1)?);
    while let Some(frame) = read(&mut socket)? {
        match frame {
            ToChild::Capability { call, value } => served.answer(Asker::Check(call), Answer::Value(value)),
            ToChild::Created { actor, child } => served.answer(Asker::Actor(actor), Answer::Child(child)),
            ToChild::Capabilities { actor, capabilities } => {
                served.answer(Asker::Actor(actor), Answer::Capabilities(capabilities));
            }
            ToChild::Wakeup { actor, wakeup } => {
                served.answer(Asker::Actor(actor), Answer::Wakeup(Wakeup::from_number(wakeup)));
            }
            ToChild::Drop { actor } => served.forget(actor),
            // The workers live as long as this thread.
            message @ ToChild::Receive { .. } => drop(messages.send(message)),
            call => drop(calls.send(call)),
        }
    }
    Ok(())
}

fn next(waiting: &Mutex<Receiver<ToChild>>) -> Option<ToChild> {
    locked(waiting).recv().ok()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who waits for an answer of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asker {
    Actor(u64),
    Check(u64),
}

enum Answer {
    Value(Option<Value>),
    Child(Address),
    Capabilities(CapabilityMap),
    Wakeup(Wakeup),
}

type Kept = Arc<Mutex<Box<dyn Actor>>>;

struct Served {
    registry: Registry,
    out: Mutex<UnixStream>,
    actors: Mutex<HashMap<u64, Kept>>,
    answers: Mutex<HashMap<Asker, SyncSender<Answer>>>,
}

impl Served {
    /// Starts threads that work what is sent to them.
    fn work_apart(self: &Arc<Self>, threads: usize) -> Result<SyncSender<ToChild>, ServeError> {
        let (jobs, waiting) = sync_channel(usize::from(WORKERS_MAX));
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let (served, waiting) = (self.clone(), waiting.clone());
            std::thread::Builder::new().name("odeon-worker".into()).spawn(move || {
                while let Some(job) = next(&waiting) {
                    served.work(job);
                }
            })?;
        }
        Ok(jobs)
    }

    /// Says something to the node. Where that fails the node is gone, and so is this process, soon.
    fn say(&self, frame: &FromChild) {
        if let Err(FrameError::Unencodable { .. } | FrameError::TooLong { .. }) = write(&mut *locked(&self.out), frame)
        {
            std::process::abort();
        }
    }

    fn ask(&self, asker: Asker, question: &FromChild) -> Option<Answer> {
        let (sender, answer) = sync_channel(1);
        locked(&self.answers).insert(asker, sender);
        self.say(question);
        answer.recv().ok()
    }

    fn answer(&self, asker: Asker, answer: Answer) {
        if let Some(waits) = locked(&self.answers).remove(&asker) {
            // Whoever asked waits.
            let _ = waits.send(answer);
        }
    }

    fn forget(&self, actor: u64) {
        let gone = locked(&self.actors).remove(&actor);
        let _ = caught(|| drop(gone));
    }

    fn work(self: &Arc<Self>, job: ToChild) {
        match job {
            ToChild::Describe { call } => {
                let described =
                    |d: &crate::Definition| Described { name: d.name.to_string(), required: d.required.to_vec() };
                let actors = self.registry.iter().map(described).collect();
                self.say(&FromChild::Described { call, actors });
            }
            ToChild::Check { call, actor, requirements } => {
                let checked = self.check(call, &actor, &requirements);
                let (accepted, error) = match checked {
                    Ok(accepted) => (accepted, None),
                    Err(failure) => (false, Some(reason(&failure))),
                };
                self.say(&FromChild::Checked { call, accepted, error });
            }
            ToChild::Build { actor, name } => {
                let error = self.build(actor, &name).err().map(|failure| reason(&failure));
                self.say(&FromChild::Built { actor, error });
            }
            ToChild::Receive { actor, address, sender, name, bytes } => {
                let error = self.receive(actor, address, sender, Encoded { name, bytes });
                self.say(&FromChild::Done { actor, error: error.err().map(|failure| reason(&failure)) });
            }
            _ => {}
        }
    }

    fn check(&self, call: u64, actor: &str, requirements: &Requirements) -> Result<bool, Failure> {
        let definition = self.registry.find(actor).ok_or_else(|| unknown(actor))?;
        caught(|| (definition.check)(&Asked { served: self, call }, requirements))?
    }

    fn build(&self, actor: u64, name: &str) -> Result<(), Failure> {
        let definition = self.registry.find(name).ok_or_else(|| unknown(name))?;
        let built = caught(|| (definition.build)())??;
        locked(&self.actors).insert(actor, Arc::new(Mutex::new(built)));
        Ok(())
    }

    fn receive(
        self: &Arc<Self>,
        actor: u64,
        address: Address,
        sender: Address,
        message: Encoded,
    ) -> Result<(), Failure> {
        let kept = locked(&self.actors).get(&actor).cloned();
        let kept = kept.ok_or_else(|| Failure::new("no such actor was built here"))?;
        let host = Arc::new(Outside { served: self.clone(), actor, address });
        let mut cx = Context::new(host, sender);
        let message = AnyMessage::from_encoded(message);
        caught(|| locked(&kept).receive(&message, &mut cx))?
    }
}

fn unknown(actor: &str) -> Failure {
    Failure::new(format!("this image has no actor {actor:?}"))
}

fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| Failure::from_panic(&*panic))
}

fn reason(failure: &Failure) -> String {
    cut(failure.reason(), REASON_BYTES_MAX)
}

fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests;
