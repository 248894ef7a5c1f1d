//! Messages for an actor from threads and futures of the program that it lives in.
//!
//! A pipe never runs the actor and never holds up a worker: it puts messages into a mailbox, as many as it has credit for.

use crate::{AnyMessage, Failure, Message};
#[cfg(all(feature = "system", unix))]
use crate::{Readiness, Watch};
use std::marker::PhantomData;
#[cfg(all(feature = "system", unix))]
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context as Wakener, Poll};

/// Messages of one pipe that the actor has not handled yet.
pub const PIPE_MESSAGES_MAX: usize = 1024;

/// The way to one actor, as its host offers it.
pub trait Inlet: Send + Sync {
    /// Puts a message into the actor's mailbox, in the actor's own name. It comes back when the actor is gone.
    fn put(&self, message: AnyMessage) -> Result<(), AnyMessage>;
    /// Whether the actor is not gone.
    fn is_open(&self) -> bool;
    /// Whether the calling thread runs actors, and so must not wait.
    fn is_worker(&self) -> bool;
    /// What a shutdown of the system waits for, as it does for actors, until it is dropped.
    fn hold(&self) -> Box<dyn Send + Sync>;
}

/// A handle with which any thread sends messages to an actor: [`crate::Context::pipe`]. Clones share its credit.
///
/// The actor's messages come from its own address, as wakeups do. What comes after its exit is given back. At most
/// [`PIPE_MESSAGES_MAX`] messages are on their way.
///
/// ```
/// use odeon::{Context, Failure, Message, actor};
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Read(String);
///
/// /// Has a file read in another thread.
/// #[derive(Default)]
/// struct Reader {
///     asker: Option<odeon::Address>,
/// }
///
/// #[actor]
/// impl Reader {
///     #[handler]
///     fn read(&mut self, path: &String, cx: &mut Context) -> Result<(), Failure> {
///         self.asker = Some(cx.sender());
///         let (pipe, path) = (cx.pipe::<Read>()?, path.clone());
///         std::thread::spawn(move || {
///             let text = std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
///             // Nobody wants it where the actor is gone.
///             let _ = pipe.send(Read(text));
///         });
///         Ok(())
///     }
///
///     #[handler]
///     fn done(&mut self, read: &Read, cx: &mut Context) {
///         self.asker.take().into_iter().for_each(|asker| cx.send(asker, read.0.clone()));
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = odeon::system::ActorSystem::threads();
/// let reader = system.create_actor::<Reader>()?;
/// let text: String = system.ask(reader, String::from("Cargo.toml"), std::time::Duration::from_secs(10))?;
/// assert!(text.contains("[package]"));
/// # Ok(())
/// # }
/// ```
pub struct Pipe<M> {
    inlet: Arc<dyn Inlet>,
    credit: Arc<Credit>,
    of: PhantomData<fn(M)>,
}

impl<M> Clone for Pipe<M> {
    fn clone(&self) -> Self {
        Self { inlet: self.inlet.clone(), credit: self.credit.clone(), of: PhantomData }
    }
}

/// Why a message was not sent. It is given back.
#[derive(thiserror::Error)]
pub enum PipeError<M> {
    /// Try again later.
    #[error("{PIPE_MESSAGES_MAX} messages of this pipe are on their way and not handled yet")]
    Full(M),
    /// Nothing sent here arrives any more.
    #[error("the actor at the end of the pipe is gone")]
    Gone(M),
}

impl<M> std::fmt::Debug for PipeError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PipeError::Full(_) => "Full(..)",
            PipeError::Gone(_) => "Gone(..)",
        })
    }
}

#[derive(Default)]
struct Credit {
    used: Mutex<usize>,
    freed: Condvar,
}

/// One message's share of the credit, given back when the message is dropped.
struct Share(Arc<Credit>);

impl Credit {
    fn used(&self) -> std::sync::MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(self: &Arc<Self>, waits: bool) -> Option<Share> {
        let mut used = self.used();
        while *used >= PIPE_MESSAGES_MAX {
            if !waits {
                return None;
            }
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += 1;
        Some(Share(self.clone()))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.0.used() -= 1;
        self.0.freed.notify_one();
    }
}

impl<M: Message> Pipe<M> {
    pub(crate) fn new(inlet: Arc<dyn Inlet>) -> Self {
        Self { inlet, credit: Arc::default(), of: PhantomData }
    }

    /// Sends without ever waiting.
    pub fn send(&self, message: M) -> Result<(), PipeError<M>> {
        self.send_with(message, false)
    }

    /// Sends, and waits for credit as long as there is none. In a thread that runs actors it does not wait.
    pub fn send_blocking(&self, message: M) -> Result<(), PipeError<M>> {
        self.send_with(message, !self.inlet.is_worker())
    }

    fn send_with(&self, message: M, waits: bool) -> Result<(), PipeError<M>> {
        if !self.inlet.is_open() {
            return Err(PipeError::Gone(message));
        }
        let Some(share) = self.credit.share(waits) else { return Err(PipeError::Full(message)) };
        match self.inlet.put(AnyMessage::accompanied(message, share)) {
            Ok(()) => Ok(()),
            // Nobody else has had it.
            Err(back) => back.into_accompanied().map_or(Ok(()), |message| Err(PipeError::Gone(message))),
        }
    }

    /// Whether the actor is gone.
    pub fn is_closed(&self) -> bool {
        !self.inlet.is_open()
    }

    /// A future that sends what another one comes to, to be given to whatever runs the program's futures. It ends without a
    /// message when the actor is gone the next time that it is looked at. It needs no credit.
    pub fn future<F: Future<Output = M>>(&self, future: F) -> Piped<M, F> {
        Piped { inlet: self.inlet.clone(), future: Box::pin(future) }
    }

    /// Sends this message once a file descriptor is ready, without credit, unless the [`Watch`] is dropped before: an actor
    /// keeps it, so that nothing is watched when the actor is gone. Whoever wants to be told again asks again.
    ///
    /// ```
    /// use odeon::{Context, Failure, Message, Readiness, Watch, actor};
    /// use std::io::{PipeReader, Read};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, Message)]
    /// struct Readable;
    ///
    /// struct Reader {
    ///     from: PipeReader,
    ///     watch: Option<Watch>,
    /// }
    ///
    /// #[actor]
    /// impl Reader {
    ///     #[constructor]
    ///     fn open() -> std::io::Result<Self> {
    ///         let (from, mut into) = std::io::pipe()?;
    ///         std::thread::spawn(move || std::io::Write::write_all(&mut into, b"hello"));
    ///         Ok(Self { from, watch: None })
    ///     }
    ///
    ///     #[handler]
    ///     fn begin(&mut self, _: &bool, cx: &mut Context) -> Result<(), Failure> {
    ///         self.watch = Some(cx.pipe()?.when_ready(&self.from, Readiness::Read, Readable)?);
    ///         Ok(())
    ///     }
    ///
    ///     #[handler]
    ///     fn readable(&mut self, _: &Readable, cx: &mut Context) -> Result<(), Failure> {
    ///         // It is there, so this does not wait.
    ///         let bytes = self.from.read(&mut [0; 5])?;
    ///         cx.info(format!("{bytes} bytes"));
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When there are [`crate::WATCHES_MAX`], or the operating system gives no descriptor or thread.
    #[cfg(all(feature = "system", unix))]
    pub fn when_ready(&self, fd: impl AsFd, readiness: Readiness, message: M) -> std::io::Result<Watch> {
        let inlet = self.inlet.clone();
        // The actor may be gone by then.
        crate::ready::when_ready(fd, readiness, Box::new(move || drop(inlet.put(AnyMessage::new(message)))))
    }

    /// What a shutdown of the system waits for, as it does for actors, until it is dropped: for whatever has to be put in order
    /// after the actor is gone.
    pub fn hold(&self) -> Box<dyn Send + Sync> {
        self.inlet.hold()
    }
}

/// A future at the beginning of a pipe: [`Pipe::future`].
#[must_use = "a future does nothing unless something runs it"]
pub struct Piped<M, F: Future<Output = M>> {
    inlet: Arc<dyn Inlet>,
    future: Pin<Box<F>>,
}

impl<M: Message, F: Future<Output = M>> Future for Piped<M, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, waker: &mut Wakener<'_>) -> Poll<()> {
        if !self.inlet.is_open() {
            return Poll::Ready(());
        }
        let message = std::task::ready!(self.future.as_mut().poll(waker));
        // The actor may have gone in this moment.
        let _ = self.inlet.put(AnyMessage::new(message));
        Poll::Ready(())
    }
}

/// The error where a host takes no messages from other threads.
pub(crate) fn unavailable() -> Failure {
    Failure::new("what runs this actor takes no messages for it from other threads")
}
