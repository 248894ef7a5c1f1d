//! What people send: in nobody's name, or from an address that lives for one reply.

use super::Hosting;
use odeon::system::{Endpoint, Envelope, SpawnError};
use odeon::{Address, AnyMessage, Encoded, Message, NodeRef};
use tokio::sync::mpsc;

/// How an ask ended.
#[derive(Debug)]
pub(crate) enum AskOutcome {
    Reply(AnyMessage),
    Undeliverable,
}

impl Hosting {
    /// Sends an untyped message in nobody's name.
    pub(crate) fn tell(&self, to: Address, message: Encoded) {
        let sender = self.nobody();
        let _ = self.route(Envelope { to, sender, message: AnyMessage::from_encoded(message) });
    }

    /// Sends a message of this crate's own in nobody's name.
    pub(crate) fn tell_typed(&self, to: Address, message: impl Message) {
        let sender = self.nobody();
        let _ = self.route(Envelope { to, sender, message: AnyMessage::new(message) });
    }

    /// An address that no actor has: replies to it are dead letters.
    pub(super) fn nobody(&self) -> Address {
        Address::mint(self.me, 0, 0)
    }

    /// Sends a message to an actor on this node, and hands whatever comes back to `on_message` until the talk is dropped.
    /// That is called in the sender's thread, and must not block.
    pub(crate) fn talk(
        &self,
        host: NodeRef,
        to: Address,
        message: impl Message,
        on_message: Box<dyn Fn(Envelope) + Send + Sync>,
    ) -> Result<Talk<'_>, SpawnError> {
        let (end, undeliverable) = tokio::sync::oneshot::channel();
        let endpoint = self.system().endpoint(on_message)?;
        let sender = endpoint.address();
        self.asks.lock().insert(sender, end);
        let guard = AskGuard { hosting: self, sender };
        let _ = self.send_to(host, to, Envelope { to, sender, message: AnyMessage::new(message) });
        Ok(Talk { undeliverable, _guard: guard, _endpoint: endpoint })
    }

    /// Sends an untyped message and waits for whatever comes back first.
    pub(crate) async fn ask(&self, to: Address, message: Encoded) -> Result<AskOutcome, SpawnError> {
        let (end, outcome) = tokio::sync::oneshot::channel();
        let (first, mut replies) = mpsc::channel(1);
        let endpoint = self.system().endpoint(Box::new(move |envelope| {
            // Whatever comes after the first reply is nobody's.
            let _ = first.try_send(envelope.message);
        }))?;
        let sender = endpoint.address();
        self.asks.lock().insert(sender, end);
        let guard = AskGuard { hosting: self, sender };
        let _ = self.route(Envelope { to, sender, message: AnyMessage::from_encoded(message) });
        let ended = tokio::select! {
            Some(reply) = replies.recv() => AskOutcome::Reply(reply),
            Ok(ended) = outcome => ended,
        };
        drop(guard);
        Ok(ended)
    }
}

/// Messages that go to and fro between this node and one actor.
pub(crate) struct Talk<'a> {
    undeliverable: tokio::sync::oneshot::Receiver<AskOutcome>,
    _guard: AskGuard<'a>,
    _endpoint: Endpoint,
}

impl Talk<'_> {
    /// Returns once something could not be delivered to the actor.
    pub(crate) async fn undeliverable(&mut self) {
        if (&mut self.undeliverable).await.is_err() {
            // Its end is dropped with the talk only.
            std::future::pending().await
        }
    }
}

/// Forgets an ask, also one whose asker went away.
struct AskGuard<'a> {
    hosting: &'a Hosting,
    sender: Address,
}

impl Drop for AskGuard<'_> {
    fn drop(&mut self) {
        self.hosting.asks.lock().remove(&self.sender);
    }
}
