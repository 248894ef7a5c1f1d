//! The requests that come over links: how many operators are served at once, and the wait for answers that are under
//! way when the node stops.

use super::limits::{COMMANDS_MAX, DRAIN_WAIT_MS_MAX};
use super::serve::{Backend, Caller, refuse, serve_stream};
use odeon_convention::codes;
use quinn::{RecvStream, SendStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Serves requests, each in a task of its own, and counts them.
pub(crate) struct Serving {
    running: watch::Sender<usize>,
    /// Operators' commands. What other nodes ask is bounded by the streams that a link may have.
    places: Arc<Semaphore>,
}

impl Default for Serving {
    fn default() -> Self {
        Self { running: watch::Sender::new(0), places: Arc::new(Semaphore::new(COMMANDS_MAX)) }
    }
}

impl Serving {
    /// Serves the one request of a stream. Call it within a tokio runtime.
    pub(crate) fn serve(&self, receive: RecvStream, send: SendStream, caller: Caller, backend: Arc<dyn Backend>) {
        let running = Running::begin(self.running.clone());
        let places = self.places.clone();
        tokio::spawn(async move {
            let place = (caller == Caller::Operator).then(|| places.try_acquire_owned());
            let has_place = !matches!(place, Some(Err(_)));
            serve(receive, send, caller, has_place, backend).await;
            drop((place, running));
        });
    }

    /// Returns once every request has its answer, or after a moment.
    pub(crate) async fn drained(&self) {
        let mut running = self.running.subscribe();
        let drained = running.wait_for(|n| *n == 0);
        if tokio::time::timeout(Duration::from_millis(DRAIN_WAIT_MS_MAX), drained).await.is_err() {
            tracing::debug!("requests of links that did not end were cut off");
        }
    }
}

async fn serve(receive: RecvStream, mut send: SendStream, caller: Caller, has_place: bool, backend: Arc<dyn Backend>) {
    if !has_place {
        let message = format!("the node serves {COMMANDS_MAX} operators' commands already, as many as it does at once");
        refuse(&mut send, codes::INTERNAL, message).await;
    } else if let Err(error) = serve_stream(receive, &mut send, caller, backend).await {
        tracing::debug!(?caller, %error, "a request ended early");
    }
    // An answer is given when it has arrived: a node that stops would take back what is still under way.
    let _ = send.finish();
    let _ = send.stopped().await;
}

/// One request that is being served.
struct Running(watch::Sender<usize>);

impl Running {
    fn begin(count: watch::Sender<usize>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}
