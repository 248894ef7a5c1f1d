//! The node's end of an answer: a bounded queue towards one client, and the news that the client is gone.

use super::limits::REPLIES_QUEUED_MAX;
use super::protocol::{Failed, Reply};
use tokio::sync::mpsc;

/// Nobody reads the answer any more. What was done stays done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client of this command is gone")]
pub struct ClientGone;

/// Sends the answer to one request. When it and all its clones are dropped the answer is over.
#[derive(Debug, Clone)]
pub struct Replies(mpsc::Sender<Reply>);

impl Replies {
    /// A queue and its reading end, for whoever carries replies to a client.
    pub fn channel() -> (Replies, mpsc::Receiver<Reply>) {
        let (sender, receiver) = mpsc::channel(REPLIES_QUEUED_MAX);
        (Replies(sender), receiver)
    }

    /// Sends a reply, waiting while the client is [`REPLIES_QUEUED_MAX`] replies behind.
    pub async fn send(&self, reply: Reply) -> Result<(), ClientGone> {
        self.0.send(reply).await.map_err(|_| ClientGone)
    }

    /// Says how far it is; a client that is behind, or gone, need not hear it.
    pub fn progress(&self, done: u64, total: u64, what: &str) {
        let _ = self.0.try_send(Reply::Progress { done, total, what: what.to_owned() });
    }

    /// Says what is waited for, in the same way.
    pub fn note(&self, what: &str) {
        self.progress(0, 0, what);
    }

    /// Sends the reply that ends a failed request.
    pub async fn fail(&self, code: u16, message: impl Into<String>) -> Result<(), ClientGone> {
        self.send(Reply::Failed(Failed::new(code, message))).await
    }

    /// Returns once the client is gone; for commands that go on until then.
    pub async fn client_gone(&self) {
        self.0.closed().await;
    }

    /// Whether the client is gone already.
    pub fn is_client_gone(&self) -> bool {
        self.0.is_closed()
    }
}
