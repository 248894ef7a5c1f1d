//! A program's further ends: each has an address of its own and hears only what is sent there.

use super::program::{ActorSystem, AskError, Inbox};
use super::{Endpoint, Envelope, SpawnError};
use crate::{Address, AnyMessage, Message};
use std::sync::Arc;
use std::time::Duration;

/// One end of a program, for one of its threads: what actors send to its address comes to nobody else.
///
/// ```
/// use odeon::{Context, actor};
/// use odeon::system::ActorSystem;
/// use std::time::Duration;
///
/// #[derive(Default)]
/// struct Echo;
///
/// #[actor]
/// impl Echo {
///     #[handler]
///     fn text(&mut self, text: &String, cx: &mut Context) {
///         cx.reply(text.clone());
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = ActorSystem::threads();
/// let echo = system.create_actor::<Echo>()?;
/// let mine = system.private()?;
/// mine.tell(echo, String::from("to me alone"));
/// assert!(mine.listen(Duration::from_secs(10)).is_some());
/// assert!(system.listen(Duration::ZERO).is_none());
/// # Ok(())
/// # }
/// ```
pub struct PrivateContext {
    system: ActorSystem,
    endpoint: Endpoint,
    inbox: Arc<Inbox>,
}

impl ActorSystem {
    /// Another end of the program. Fails where the system holds no more addresses.
    pub fn private(&self) -> Result<PrivateContext, SpawnError> {
        let (inbox, endpoint) = self.open_inbox()?;
        Ok(PrivateContext { system: self.clone(), endpoint, inbox })
    }
}

impl PrivateContext {
    /// Where actors reach it.
    pub fn address(&self) -> Address {
        self.endpoint.address()
    }

    /// Like [`ActorSystem::tell`], from here.
    pub fn tell(&self, actor: Address, message: impl Message) {
        self.system.tell_from(self.address(), actor, AnyMessage::new(message));
    }

    /// Like [`ActorSystem::ask`]. An answer that comes too late comes to nobody.
    pub fn ask<R: Message>(&self, actor: Address, message: impl Message, timeout: Duration) -> Result<R, AskError> {
        self.system.ask(actor, message, timeout)
    }

    /// Like [`ActorSystem::listen`], here.
    pub fn listen(&self, timeout: Duration) -> Option<Envelope> {
        self.system.wait(&self.inbox, timeout)
    }
}
