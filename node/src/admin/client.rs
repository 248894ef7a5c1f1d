//! The command's end: finds the node, sends it one request and yields its replies.

use super::dial::{self, Dialled};
use super::frame::{FrameError, read_frame, write_frame_telling};
use super::limits::ANSWER_WAIT_MS_MAX;
use super::patience::Patient;
use super::protocol::{Failed, Reply, Request};
use super::socket::SOCKET_NAME;
use crate::identity::Token;
use odeon_convention::codes;
use std::path::PathBuf;
use std::time::Duration;

/// The way to the node that a command talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The node whose data folder this is, over the socket in it.
    Socket {
        /// The data folder.
        data: PathBuf,
    },
    /// The leader at an address, as an operator. Each request uses the token once.
    Link {
        /// `host:port`.
        address: String,
        /// An operator's token of the leader's convention.
        token: Token,
    },
}

impl Route {
    /// Sends `request` and gives its answer, or says why no node takes it.
    pub async fn ask(&self, request: &Request) -> Result<Answers, Failed> {
        self.ask_telling(request, |_, _| ()).await
    }

    /// The same; `told` hears how many bytes of the request have been sent, and of how many.
    pub async fn ask_telling(&self, request: &Request, told: impl FnMut(u64, u64)) -> Result<Answers, Failed> {
        let dialled = match self {
            Route::Socket { data } => dial::dial_socket(&data.join(SOCKET_NAME)).await?,
            Route::Link { address, token } => dial::dial_link(address, token).await?,
        };
        let wait = Duration::from_millis(ANSWER_WAIT_MS_MAX);
        let Dialled { reader, writer, link } = dialled;
        let mut writer = Patient::new(writer, wait);
        match write_frame_telling(&mut writer, request, told).await {
            Err(error @ (FrameError::TooLarge { .. } | FrameError::Unencodable { .. })) => {
                return Err(Failed::new(codes::BAD_REQUEST, error.to_string()));
            }
            // The node may have closed its end because it refuses: then its answer says more than the broken pipe.
            Err(error) => tracing::debug!(%error, "the request was not taken whole"),
            Ok(()) => {}
        }
        let dialled = Some(Dialled { reader, writer: Box::new(writer), link });
        Ok(Answers { dialled, place: self.to_string(), wait: Some(wait) })
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Route::Socket { data } => write!(f, "{}", data.join(SOCKET_NAME).display()),
            Route::Link { address, .. } => f.write_str(address),
        }
    }
}

/// The answer to one request, reply by reply. Dropping it tells the node that nobody reads on.
pub struct Answers {
    /// Until the last reply. Closing the writing end would tell the node that the client is gone.
    dialled: Option<Dialled>,
    place: String,
    wait: Option<Duration>,
}

impl Answers {
    /// Sets how long the next reply may take; none waits for ever, for an answer that follows something.
    pub fn waiting(mut self, wait: Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    /// The next reply; none after the last one. A [`Reply::Failed`] is the error.
    pub async fn next(&mut self) -> Result<Option<Reply>, Failed> {
        let Some(dialled) = &mut self.dialled else { return Ok(None) };
        let read = read(dialled, &self.place, self.wait).await;
        if read.as_ref().map_or(true, Reply::is_last)
            && let Some(Dialled { link: Some(link), .. }) = self.dialled.take()
        {
            dial::close(link).await;
        }
        match read? {
            Reply::Failed(failed) => Err(failed),
            reply => Ok(Some(reply)),
        }
    }
}

async fn read(dialled: &mut Dialled, place: &str, wait: Option<Duration>) -> Result<Reply, Failed> {
    let read = read_frame::<Reply>(&mut dialled.reader);
    let read = match wait {
        None => read.await,
        Some(wait) => tokio::time::timeout(wait, read).await.map_err(|_| {
            let message = format!("the node at {place} gave no answer within {} s", wait.as_secs_f32());
            Failed::new(codes::TIMED_OUT, message)
        })?,
    };
    match (read, &dialled.link) {
        (Ok(Some(reply)), _) => Ok(reply),
        (Ok(None) | Err(FrameError::Truncated { .. } | FrameError::Broken(_)), Some(link)) => {
            Err(dial::lost(link).await)
        }
        (Ok(None) | Err(FrameError::Truncated { .. } | FrameError::Broken(_)), None) => {
            let message = format!("the node at {place} ended before its answer did");
            Err(Failed::new(codes::NODE_UNREACHABLE, message))
        }
        (Err(error), _) => Err(Failed::new(codes::BAD_REQUEST, format!("the answer of {place}: {error}"))),
    }
}
